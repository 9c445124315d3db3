"""Sending traces of parts to a collector: beside the line, and given up rather than waited for."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from importlib.metadata import version

from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import SpanExportResult

from inspection.background import give_way
from inspection.observability.options import TelemetryOptions
from inspection.observability.part_spans import is_traced, part_spans
from inspection.records.record import StoredRecord

_log = logging.getLogger(__name__)
_MOST_A_BATCH = 128


class PartTraces:
    """Takes durable records on the store's thread, in microseconds; its own thread sends what was sampled.

    Owned by whoever made it. While the collector is away, what waits is bounded and what does not fit is counted; it is
    logged once when it goes and once when it comes back.
    """

    _LINGER_S = 0.5
    _CLOSE_S = 2.0

    def __init__(self, options: TelemetryOptions, station: str) -> None:
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # we say once what it says at each batch
        self._options = options
        self._resource = Resource(
            {"service.name": "lineward", "service.version": version("lineward"), "service.instance.id": station}
        )
        self._exporter = OTLPSpanExporter(endpoint=options.endpoint, timeout=options.timeout_s)
        self._waiting: deque[tuple[StoredRecord, int]] = deque()
        self._over = threading.Event()
        self._is_away = False
        self.sent = 0
        self.dropped = 0
        self._thread = threading.Thread(target=self._run, name="traces", daemon=True)
        self._thread.start()

    def on_durable(self, records: list[StoredRecord]) -> None:
        """Keep the sampled ones of a group of records that has just become durable; never waits."""
        durable_host_ns = time.monotonic_ns()
        ratio, always_rejects = self._options.sample_ratio, self._options.always_rejects
        for record in records:
            if not is_traced(record, ratio, always_rejects):
                continue
            if len(self._waiting) >= self._options.queue_capacity:
                self.dropped += 1
            else:
                self._waiting.append((record, durable_host_ns))

    def counters(self) -> dict[str, int]:
        """Return how many parts' traces the collector took, and how many were given up."""
        return {"lineward_traces_sent": self.sent, "lineward_traces_dropped": self.dropped}

    def close(self) -> None:
        """Send what waits if the collector takes it at once; give up the rest. Bounded: twice two seconds."""
        self._over.set()
        self._thread.join(self._CLOSE_S)
        self._exporter.shutdown()
        self._thread.join(self._CLOSE_S)
        self.dropped += len(self._waiting)

    def _run(self) -> None:
        give_way()
        try:
            while not self._over.wait(self._LINGER_S):
                self._send_waiting()
            self._send_waiting()
        except Exception:  # noqa: BLE001 - the edge of this thread: the line goes on without traces
            _log.exception("traces are sent no more: start the station again to have them")

    def _send_waiting(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), _MOST_A_BATCH))]
            spans = [span for record, durable in batch for span in part_spans(record, durable, self._resource)]
            is_sent = self._exporter.export(spans) is SpanExportResult.SUCCESS
            if is_sent:
                self.sent += len(batch)
            else:
                self.dropped += len(batch)
            self._tell(is_away=not is_sent)
            if not is_sent:
                return

    def _tell(self, *, is_away: bool) -> None:
        if is_away and not self._is_away:
            _log.warning("the collector at %s takes no traces; they are given up meanwhile", self._options.endpoint)
        elif self._is_away and not is_away:
            _log.warning("the collector is back; %d traces were given up so far", self.dropped)
        self._is_away = is_away

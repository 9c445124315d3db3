"""Everything that lets others look at a running station, brought up beside it and taken down before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspection.observability.api_calls import ApiCalls
from inspection.observability.collector import Losses, StationCollector
from inspection.observability.endpoint import MetricsEndpoint
from inspection.observability.speaker import StationSpeaker
from inspection.observability.tally import PartTally

if TYPE_CHECKING:
    from inspection.observability.logs import StationLog
    from inspection.observability.traces import PartTraces
    from inspection.station import Station


class Observers:
    """The metrics, the traces and the log lines of one open station. Owned by the service.

    calls: where whatever intercepts the API's calls counts them.
    """

    def __init__(self, station: Station, log: StationLog | None = None) -> None:
        """Bring up what the configuration asks for, before the line starts. Raises StationStartError.

        log: where the process writes its lines; without one the station says nothing.
        """
        config = station.config
        losses: tuple[Losses, ...] = () if log is None else (log,)
        self.calls = ApiCalls()
        self._traces: PartTraces | None = None
        self._endpoint: MetricsEndpoint | None = None
        self._speaker: StationSpeaker | None = None
        if config.telemetry.enabled:
            from inspection.observability.traces import PartTraces

            self._traces = PartTraces(config.telemetry, config.station.name)
            station.memory.subscribe(self._traces.on_durable)
            losses = (*losses, self._traces)
        if config.metrics.enabled:
            tally = PartTally()
            station.memory.subscribe(tally.add)
            try:
                collector = StationCollector(station, tally, self.calls, losses)
                self._endpoint = MetricsEndpoint(*config.metrics.listens_on, collector)
            except BaseException:
                self.close()
                raise
        if log is not None:
            log.naming.run = station.memory.run
            self._speaker = StationSpeaker(station.alarms, lambda: station.state)
            station.memory.subscribe(self._speaker.on_durable)

    @property
    def metrics_url(self) -> str:
        """Where the metrics are; '' where none are wanted."""
        return "" if self._endpoint is None else self._endpoint.url

    def stop_answering(self) -> None:
        """Answer no scrape any more: the station is about to close. Idempotent."""
        if self._endpoint is not None:
            self._endpoint.close()
            self._endpoint = None

    def close(self) -> None:
        """Take everything down: what waits for a collector is sent or given up. Idempotent and bounded."""
        self.stop_answering()
        if self._speaker is not None:
            self._speaker.close()
            self._speaker = None
        if self._traces is not None:
            self._traces.close()
            self._traces = None

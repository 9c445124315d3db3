"""A collector of traces at the far end of a real socket: the OTLP service as its own stubs define it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc


class OtlpReceiver(trace_service_pb2_grpc.TraceServiceServicer):
    """Keeps every span that it is sent. Owned by the test; it can go away and come back on the same port."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.resources: list[dict[str, str]] = []
        self._changed = threading.Condition()
        self._server: grpc.Server | None = None
        self.port = 0

    def __enter__(self) -> Self:
        self.come()
        return self

    def __exit__(self, *_: object) -> None:
        self.go()

    def come(self) -> None:
        """Listen, on the same port as before."""
        self._server = grpc.server(ThreadPoolExecutor(2), options=[("grpc.so_reuseport", 0)])
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(self, self._server)
        self.port = self._server.add_insecure_port(f"127.0.0.1:{self.port}")
        self._server.start()

    def go(self) -> None:
        """Go away, connections and all."""
        if self._server is not None:
            self._server.stop(0).wait(10)
            self._server = None

    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 - the service's name
        """Take a batch."""
        with self._changed:
            for one in request.resource_spans:
                self.resources.append({pair.key: pair.value.string_value for pair in one.resource.attributes})
                self.spans += [span for scope in one.scope_spans for span in scope.spans]
            self._changed.notify_all()
        return trace_service_pb2.ExportTraceServiceResponse()

    def wait_spans(self, count: int, timeout_s: float = 60.0) -> None:
        """Wait until it has been sent that many."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.spans) >= count, timeout_s), f"{len(self.spans)} spans"


def values(span: Any) -> dict[str, Any]:
    """Return a span's attributes as plain values."""
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in span.attributes}

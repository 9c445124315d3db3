"""The HTTP endpoint that Prometheus scrapes: GET /metrics, and nothing else."""

from __future__ import annotations

import logging
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from inspection.background import give_way
from inspection.errors import StationStartError

_log = logging.getLogger(__name__)
_PATH = "/metrics"


class MetricsEndpoint:
    """Serves what a collector tells, on a thread of its own and one for each of at most four scrapes at a time.

    Owned by whoever made it. However often it is asked, the station is looked at four times a second at most; all of
    it gives way to the line.
    """

    def __init__(self, host: str, port: int, collector: Collector) -> None:
        """Listen. Raises StationStartError where the address cannot be used."""
        registry = CollectorRegistry()
        registry.register(collector)
        ProcessCollector(registry=registry)
        try:
            self._server = _Server(host, port, registry)
        except OSError as error:
            raise StationStartError(
                f"metrics.address {host}:{port}: cannot be listened on: {error.strerror or error} — a free port of "
                "this machine is needed — stop the program that uses it (another station?), or set another; port 0 "
                "takes any free one"
            ) from error
        bound = self._server.server_address[1]
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{bound}{_PATH}"
        self._thread = threading.Thread(target=self._serve, name="metrics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End listening; a scrape under way ends by itself. Idempotent and bounded."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join(2.0)
        self._server.server_close()

    def _serve(self) -> None:
        give_way()
        try:
            self._server.serve_forever(poll_interval=0.1)
        except Exception:  # noqa: BLE001 - the edge of this thread: the line goes on without its metrics
            _log.exception("the metrics on %s ended", self.url)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    _MOST_AT_A_TIME = 4

    def __init__(self, host: str, port: int, registry: CollectorRegistry) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.texts = _Texts(registry)
        self._free = threading.BoundedSemaphore(self._MOST_AT_A_TIME)
        super().__init__((host, port), _Request)

    def process_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        """Take a connection where one is free; hang up on one more, which tries again at its next scrape."""
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: object
    ) -> None:
        """Serve one connection."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing above debug: a client that went away is its own affair."""
        del request
        _log.debug("a scrape by %s was not finished", client_address, exc_info=True)


class _Texts:
    """The text of a scrape, made afresh when the last one is old. Safe from any thread."""

    _FRESH_S = 0.25

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._lock = threading.Lock()
        self._made: dict[str, tuple[float, bytes]] = {}

    def text(self, accepted: str) -> tuple[bytes, str]:
        """Return the metrics in the format that a client accepts, with their content type."""
        encode, content_type = choose_encoder(accepted)
        with self._lock:
            made_s, body = self._made.get(content_type, (-1e9, b""))
            if time.monotonic() - made_s > self._FRESH_S:
                body = encode(self._registry)
                self._made = {content_type: (time.monotonic(), body)}
            return body, content_type


class _Request(BaseHTTPRequestHandler):
    server: _Server
    timeout = 5.0  # of a client that sends nothing, or does not read
    server_version = "lineward"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer a scrape."""
        if self.path.partition("?")[0] != _PATH:
            self.send_error(404, f"only {_PATH} is here")
            return
        body, content_type = self.server.texts.text(self.headers.get("Accept", ""))
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet: a line for each scrape is no news."""

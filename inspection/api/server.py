"""The API server: one event loop in a thread of its own, at the edge of the station."""

from __future__ import annotations

import asyncio
import logging
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from inspection.api.address import DEFAULT_ADDRESS, DEFAULT_MAX_MESSAGE_MB, check_address
from inspection.api.call_counter import CallCounter
from inspection.api.challenge_service import MAX_CHALLENGE_WATCHERS, ChallengeService
from inspection.api.errors import ApiError
from inspection.api.feed import ResultFeed
from inspection.api.health import HealthReporter
from inspection.api.inspection_service import InspectionService
from inspection.api.pb import inspection_pb2 as pb
from inspection.api.pb import inspection_pb2_grpc as pb_grpc
from inspection.api.result_service import MAX_WATCHERS, ResultService
from inspection.api.station_service import MAX_PREVIEW_WATCHERS, StationService
from inspection.api.tail import ResultTail
from inspection.challenge.control import ChallengeControl
from inspection.control import LineControl
from inspection.observability.api_calls import ApiCalls

_log = logging.getLogger(__name__)

SERVICES = [service.full_name for service in pb.DESCRIPTOR.services_by_name.values()]
_OTHER_CALLS = 64  # unary, health and reflection calls at a time, beside the watchers
_CALL_THREADS, _READ_THREADS, _INSPECT_THREADS = 4, 4, 2


class ApiServer:
    """Serves one station on loopback. Owned by whoever starts it; `start` and `stop` from any thread but its own.

    The thread "api" runs the event loop; whatever blocks runs in four small pools (calls to the line, reads of the
    store, images to judge, waits for previews), so that no kind of call can starve another. Why asyncio:
    docs/decisions/2026-11-21-grpc-aio-or-sync.md.
    """

    _START_S = 15.0

    def __init__(
        self,
        control: LineControl,
        results: ResultFeed,
        *,
        address: str = DEFAULT_ADDRESS,
        max_message_mb: int = DEFAULT_MAX_MESSAGE_MB,
        challenges: ChallengeControl | None = None,
        calls: ApiCalls | None = None,
    ) -> None:
        """Raises AddressError for an address that is not on loopback. 1 MB = 1,000,000 bytes, in both directions.

        calls: where each call is counted when it ends.
        """
        check_address(address)
        self._control = control
        self._results = results
        self._challenges = challenges
        self._calls = calls
        self._address = address
        self._max_message_bytes = max_message_mb * 1_000_000
        self._started = threading.Event()
        self._bound = ""
        self._failure: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop_asked: asyncio.Event | None = None
        self._grace_s = 0.0
        self._thread: threading.Thread | None = None
        self._pools: list[ThreadPoolExecutor] = []

    def start(self) -> str:
        """Listen, and return the address in use (`host:port`, with the port chosen for port 0).

        Raises ApiError when the port is taken or the records cannot be read. Once only.
        """
        if self._thread is not None:
            raise ApiError(f"the API on {self._address} was started before — once is allowed — make another ApiServer")
        self._thread = threading.Thread(target=self._run, name="api", daemon=True)
        self._thread.start()
        if not self._started.wait(self._START_S):
            self.stop(0.0)
            raise ApiError(
                f"the API on {self._address} did not start within {self._START_S:g} s — look at the log, and whether "
                "the disk with the records answers"
            )
        if self._failure is not None:
            self._thread.join()
            if isinstance(self._failure, ApiError):
                raise self._failure
            raise ApiError(f"the API on {self._address} cannot start: {self._failure}") from self._failure
        return self._bound

    def stop(self, grace_s: float) -> None:
        """End every stream with UNAVAILABLE, let calls finish for `grace_s`, then cut them off. Safe to repeat."""
        if self._thread is None or not self._thread.is_alive():
            return
        self._grace_s = grace_s
        loop, asked = self._loop, self._stop_asked
        if loop is not None and asked is not None and not loop.is_closed():
            loop.call_soon_threadsafe(asked.set)
        self._thread.join(grace_s + self._START_S)
        if self._thread.is_alive():
            _log.error("the API did not stop within %.1f s; its thread is left behind", grace_s + self._START_S)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception as error:  # noqa: BLE001 - the edge of this thread: `start` tells its caller
            self._failure = error
            if self._started.is_set():
                _log.exception("the API on %s ended", self._bound)
        finally:
            for pool in self._pools:
                pool.shutdown(wait=False, cancel_futures=True)
            self._started.set()

    async def _serve(self) -> None:
        self._loop, self._stop_asked = asyncio.get_running_loop(), asyncio.Event()
        server = self._listen()
        calls, reads = self._pool("call", _CALL_THREADS), self._pool("read", _READ_THREADS)
        health = HealthReporter(self._control, SERVICES, calls)
        await health.report()
        tail = await self._loop.run_in_executor(reads, ResultTail, self._results, self._loop)
        results = ResultService(self._results, tail, reads, self._max_message_bytes)
        station = StationService(self._control, calls, self._pool("preview", MAX_PREVIEW_WATCHERS))
        pb_grpc.add_ResultServiceServicer_to_server(results, server)
        pb_grpc.add_StationServiceServicer_to_server(station, server)
        inspection = InspectionService(self._control, self._pool("inspect", _INSPECT_THREADS))
        pb_grpc.add_InspectionServiceServicer_to_server(inspection, server)
        challenges = ChallengeService(self._challenges, calls, self._pool("challenge", MAX_CHALLENGE_WATCHERS))
        pb_grpc.add_ChallengeServiceServicer_to_server(challenges, server)
        health_pb2_grpc.add_HealthServicer_to_server(health.servicer, server)
        names = [*SERVICES, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name, reflection.SERVICE_NAME]
        reflection.enable_server_reflection(names, server)
        await server.start()
        looking = asyncio.create_task(health.run())
        self._started.set()
        await self._stop_asked.wait()
        looking.cancel()
        await health.stop()
        station.stop()
        challenges.stop()
        results.stop()
        await server.stop(self._grace_s)
        await self._loop.run_in_executor(reads, tail.stop, 1.0)

    def _listen(self) -> grpc.aio.Server:
        server = grpc.aio.server(
            interceptors=[] if self._calls is None else [CallCounter(self._calls)],
            maximum_concurrent_rpcs=MAX_WATCHERS + MAX_PREVIEW_WATCHERS + MAX_CHALLENGE_WATCHERS + _OTHER_CALLS,
            options=[
                ("grpc.max_receive_message_length", self._max_message_bytes),
                ("grpc.max_send_message_length", self._max_message_bytes),
                ("grpc.so_reuseport", 0),  # otherwise a second station would share the port without a word
            ],
        )
        host, _ = check_address(self._address)
        try:
            port = server.add_insecure_port(self._address)
        except RuntimeError as error:
            raise ApiError(
                f"the API cannot listen on {self._address}: the port is taken — a free port is needed — stop the "
                "program that uses it (another station?), or set api.address to another port; port 0 takes any free one"
            ) from error
        self._bound = f"{host}:{port}"
        return server

    def _pool(self, name: str, threads: int) -> ThreadPoolExecutor:
        pool = ThreadPoolExecutor(threads, thread_name_prefix=f"api-{name}")
        self._pools.append(pool)
        return pool

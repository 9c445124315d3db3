"""The API server: one event loop in a thread of its own, at the edge of the station."""

from __future__ import annotations

import asyncio
import logging
import threading
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from inspection.api import v1 as pb
from inspection.api import v1_grpc as pb_grpc
from inspection.api.address import DEFAULT_ADDRESS, DEFAULT_MAX_MESSAGE_MB, check_address
from inspection.api.alarm_service import MAX_ALARM_WATCHERS, AlarmService
from inspection.api.audit_service import AuditService
from inspection.api.call_counter import CallCounter
from inspection.api.camera_service import MAX_CAMERA_WATCHERS, CameraService
from inspection.api.challenge_service import MAX_CHALLENGE_WATCHERS, ChallengeService
from inspection.api.errors import ApiError
from inspection.api.feed import ResultFeed
from inspection.api.guard import Guard
from inspection.api.health import HealthReporter
from inspection.api.inspection_service import MAX_STREAMS, InspectionService
from inspection.api.kserve.model import ModelPort
from inspection.api.kserve.service import KServeService
from inspection.api.listening import connection_options, listen
from inspection.api.lot_service import MAX_LOT_WATCHERS, LotService
from inspection.api.model_service import ModelService
from inspection.api.options import SecurityOptions
from inspection.api.pb import open_inference_pb2 as oip
from inspection.api.pb import open_inference_pb2_grpc as oip_grpc
from inspection.api.recipe_service import RecipePort, RecipeService
from inspection.api.result_service import MAX_WATCHERS, ResultService
from inspection.api.station_service import MAX_PREVIEW_WATCHERS, MAX_STATE_WATCHERS, StationService
from inspection.api.tail import ResultTail
from inspection.api.tls import ServerTls
from inspection.challenge.control import ChallengeControl
from inspection.control import LineControl
from inspection.lots.book import LotBook
from inspection.observability.api_calls import ApiCalls
from inspection.records.entries import EntryBook

_log = logging.getLogger(__name__)

_STREAMS = (
    MAX_WATCHERS
    + MAX_PREVIEW_WATCHERS
    + MAX_STATE_WATCHERS
    + MAX_CHALLENGE_WATCHERS
    + MAX_ALARM_WATCHERS
    + MAX_CAMERA_WATCHERS
    + MAX_LOT_WATCHERS
    + MAX_STREAMS
)
_OTHER_CALLS = 64  # unary, health and reflection calls at a time, beside the watchers
_CALL_THREADS, _STOP_THREADS, _READ_THREADS, _INSPECT_THREADS, _INFER_THREADS = 4, 4, 4, 2, 2
_SNAPSHOT_THREADS = 2


class Watched(Protocol):
    """A service with streams."""

    def stop(self) -> None:
        """End its streams."""


class ApiServer:
    """Serves one station on loopback. Owned by whoever starts it; `start` and `stop` from any thread but its own.

    The thread "api" runs the event loop; whatever blocks runs in small pools (calls to the line, reads of the store,
    images to judge, waits for previews and for snapshots), so that no kind of call can starve another. Why asyncio:
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
        security: SecurityOptions = SecurityOptions(),  # noqa: B008 - frozen
        entries: EntryBook | None = None,
        model: ModelPort | None = None,
        recipes: RecipePort | None = None,
        lots: LotBook | None = None,
        calls: ApiCalls | None = None,
    ) -> None:
        """Raise AddressError for an address that is open to the network without TLS and tokens.

        1 MB = 1,000,000 bytes, in both directions. entries: the audit log of commands; without it the log has them.
        model: what clients of the Open Inference Protocol are offered; None: nothing.
        recipes, lots: without them the services of recipes, models and lots are not offered.
        calls: where each call is counted when it ends.
        Raises CertificateError when certificate and key cannot be used.
        """
        check_address(address, is_guarded=security.is_guarded)
        self._security = security
        self._entries = entries
        self._tls = ServerTls(security) if security.has_tls else None
        self._guard: Guard | None = None
        self.local_address = ""
        self._control, self._results, self._challenges = control, results, challenges
        self._model, self._recipes, self._lots, self._calls = model, recipes, lots, calls
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
        state = self._pool("state", 1)
        self._guard = guard = Guard(
            self._security, self._entries, lambda: self._control.status().state.value, self._pool("audit", 2), state
        )
        server = self._listen(guard)
        reads = self._pool("read", _READ_THREADS)
        tail = await self._loop.run_in_executor(reads, ResultTail, self._results, self._loop)
        watched = self._add_services(server, tail, reads)
        health = HealthReporter(self._control, self._offered, self._pool("health", 1))
        await health.report()
        health_pb2_grpc.add_HealthServicer_to_server(health.servicer, server)
        names = [
            *self._offered,
            health_pb2.DESCRIPTOR.services_by_name["Health"].full_name,
            reflection.SERVICE_NAME,
        ]
        reflection.enable_server_reflection(names, server)
        await server.start()
        looking = [asyncio.create_task(health.run()), asyncio.create_task(guard.run())]
        self._started.set()
        await self._stop_asked.wait()
        for task in looking:
            task.cancel()
        await health.stop()
        for service in watched:
            service.stop()
        await server.stop(self._grace_s)
        await guard.finish(self._grace_s)
        await self._loop.run_in_executor(reads, tail.stop, 1.0)
        if self.local_address:
            Path(self.local_address.removeprefix("unix:")).unlink(missing_ok=True)

    def _add_services(self, server: grpc.aio.Server, tail: ResultTail, reads: Executor) -> list[Watched]:
        """Add every service that there is something for; return those with streams, which are told of the end."""
        calls, stops = self._pool("call", _CALL_THREADS), self._pool("stop", _STOP_THREADS)
        control, entries, recipes, lots, model = (
            self._control, self._entries, self._recipes, self._lots, self._model,
        )  # fmt: skip
        station = StationService(control, calls, stops, self._pool("preview", MAX_PREVIEW_WATCHERS))
        alarms = AlarmService(control, calls)
        cameras = CameraService(control, calls, self._pool("snapshot", _SNAPSHOT_THREADS))
        results = ResultService(self._results, tail, reads, entries, control.open_questions)
        inspection = InspectionService(control, self._pool("inspect", _INSPECT_THREADS))
        challenges = ChallengeService(self._challenges, calls, self._pool("challenge", MAX_CHALLENGE_WATCHERS))
        pb_grpc.add_StationServiceServicer_to_server(station, server)
        pb_grpc.add_AlarmServiceServicer_to_server(alarms, server)
        pb_grpc.add_CameraServiceServicer_to_server(cameras, server)
        pb_grpc.add_ResultServiceServicer_to_server(results, server)
        pb_grpc.add_InspectionServiceServicer_to_server(inspection, server)
        pb_grpc.add_ChallengeServiceServicer_to_server(challenges, server)
        watched: list[Watched] = [station, alarms, cameras, results, challenges]
        if entries is not None:
            audit = AuditService(self._results, entries, reads, self._pool("verify", 1))
            pb_grpc.add_AuditServiceServicer_to_server(audit, server)
            watched.append(audit)
        if recipes is not None:
            pb_grpc.add_RecipeServiceServicer_to_server(RecipeService(control, recipes, calls), server)
        if lots is not None:
            service = LotService(control, lots, recipes, calls, stops)
            pb_grpc.add_LotServiceServicer_to_server(service, server)
            watched.append(service)
        if model is not None:
            kserve = KServeService(model, calls, self._pool("infer", _INFER_THREADS))
            oip_grpc.add_GRPCInferenceServiceServicer_to_server(kserve, server)
            if recipes is not None:
                pb_grpc.add_ModelServiceServicer_to_server(ModelService(recipes, model, calls), server)
        return watched

    @property
    def _offered(self) -> list[str]:
        """The full names of the services that this server has."""
        absent = {
            "AuditService": self._entries is None,
            "RecipeService": self._recipes is None,
            "LotService": self._lots is None,
            "ModelService": self._model is None or self._recipes is None,
        }
        ours = [name for name in pb.SERVICES if not absent.get(name.rpartition(".")[2], False)]
        kserve = oip.DESCRIPTOR.services_by_name["GRPCInferenceService"].full_name
        return ours if self._model is None else [*ours, kserve]

    def _listen(self, guard: Guard) -> grpc.aio.Server:
        server = grpc.aio.server(
            interceptors=[*([] if self._calls is None else [CallCounter(self._calls)]), guard],
            maximum_concurrent_rpcs=_STREAMS + _OTHER_CALLS + self._security.streams_per_client,
            options=connection_options(self._security, self._max_message_bytes),
        )
        self._bound, self.local_address = listen(server, self._address, self._security, self._tls)
        return server

    def certificate_trouble(self) -> str:
        """Return what somebody must do about the certificates, '' for nothing. Reads files when they were changed."""
        return "" if self._tls is None else self._tls.trouble()

    def access_trouble(self) -> str:
        """Return why nobody can log in now, '' for nothing. Reads the access file when it was changed."""
        return "" if self._guard is None else self._guard.trouble()

    def _pool(self, name: str, threads: int) -> ThreadPoolExecutor:
        pool = ThreadPoolExecutor(threads, thread_name_prefix=f"api-{name}")
        self._pools.append(pool)
        return pool

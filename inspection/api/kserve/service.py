"""`inference.GRPCInferenceService`: the loaded model for existing clients and load generators."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from importlib import metadata
from typing import TypeVar

import grpc

from inspection.api.answers import Context, unary
from inspection.api.errors import RefusedError
from inspection.api.health import SERVING_STATES
from inspection.api.inspection_service import DEFAULT_TIMEOUT_S, MAX_TIMEOUT_S, Allowance
from inspection.api.kserve.model import LoadedModel, ModelPort
from inspection.api.kserve.tensors import (
    FP32,
    INPUT,
    UINT8,
    input_shape,
    invalid,
    output_shapes,
    request_batch,
    response_tensors,
    wanted_outputs,
)
from inspection.api.pb import open_inference_pb2 as oip
from inspection.api.pb import open_inference_pb2_grpc as oip_grpc
from inspection.control import BusyError, State, StateError

MAX_WAITING = 16
_SHORTEST_VERSION = 12
_RETRY_S = 0.5
_PLATFORM = "onnx"
_Answer = TypeVar("_Answer")


class KServeService(oip_grpc.GRPCInferenceServiceServicer):
    """Infers in `workers`, for a few calls at a time. Owned by the server; its methods run on the server's event loop.

    Overflow policy: beyond `MAX_WAITING` calls at a time the next is refused (UNAVAILABLE, which clients of such
    servers take for a full queue and try again).
    """

    def __init__(self, model: ModelPort, calls: Executor, workers: Executor) -> None:
        self._model = model
        self._calls = calls
        self._workers = workers
        self._lock = threading.Lock()
        self._waiting = 0

    @unary
    async def ServerLive(  # noqa: N802 - the name in the proto
        self, _request: oip.ServerLiveRequest, _context: Context
    ) -> oip.ServerLiveResponse:
        """Tell that the server lives."""
        return oip.ServerLiveResponse(live=True)

    @unary
    async def ServerReady(  # noqa: N802 - the name in the proto
        self, _request: oip.ServerReadyRequest, _context: Context
    ) -> oip.ServerReadyResponse:
        """Tell whether the station can infer."""
        return oip.ServerReadyResponse(ready=await self._call(lambda: self._model.state in SERVING_STATES))

    @unary
    async def ServerMetadata(  # noqa: N802 - the name in the proto
        self, _request: oip.ServerMetadataRequest, _context: Context
    ) -> oip.ServerMetadataResponse:
        """Name the server."""
        return oip.ServerMetadataResponse(name="lineward", version=metadata.version("lineward"))

    @unary
    async def ModelReady(  # noqa: N802 - the name in the proto
        self, request: oip.ModelReadyRequest, _context: Context
    ) -> oip.ModelReadyResponse:
        """Tell whether a model is loaded and can infer."""

        def ready() -> bool:
            if self._model.state not in SERVING_STATES:
                return False
            return not _is_other(self._model.loaded_model(), request.name, request.version)

        return oip.ModelReadyResponse(ready=await self._call(ready))

    @unary
    async def ModelMetadata(  # noqa: N802 - the name in the proto
        self, request: oip.ModelMetadataRequest, _context: Context
    ) -> oip.ModelMetadataResponse:
        """Describe inputs and outputs."""
        loaded = await self._call(lambda: self._loaded(request.name, request.version))
        tensor = oip.ModelMetadataResponse.TensorMetadata
        return oip.ModelMetadataResponse(
            name=loaded.card.name,
            versions=[loaded.digest],
            platform=f"{_PLATFORM}_{loaded.provider}".replace(" ", "_").lower(),
            inputs=[tensor(name=INPUT, datatype=UINT8, shape=input_shape(loaded.card))],
            outputs=[
                tensor(name=name, datatype=FP32, shape=shape) for name, shape in output_shapes(loaded.card).items()
            ],
        )

    @unary
    async def ModelInfer(  # noqa: N802 - the name in the proto
        self, request: oip.ModelInferRequest, context: Context
    ) -> oip.ModelInferResponse:
        """Infer on one batch."""
        allowance = Allowance(_timeout_s(request, context.time_remaining()))
        with self._lock:
            if self._waiting >= MAX_WAITING:
                raise _busy(f"{self._waiting} calls wait for the model — {MAX_WAITING} may — try again")
            self._waiting += 1
        work = self._workers.submit(self._infer, request, allowance)
        work.add_done_callback(self._done)
        try:
            return await asyncio.wrap_future(work)
        finally:
            del work  # its error knows this frame: both would keep the request until the next gc

    def _infer(self, request: oip.ModelInferRequest, allowance: Allowance) -> oip.ModelInferResponse:
        allowance.left_s()
        loaded = self._loaded(request.model_name, request.model_version)
        names = wanted_outputs(request, loaded.card)
        batch = request_batch(request, loaded.card)
        try:
            given = self._model.infer(batch, allowance.left_s())
        except StateError as error:
            raise self._not_ready(error) from error
        except BusyError as error:
            allowance.left_s()  # an answer that came too late is DEADLINE_EXCEEDED, whatever kept it
            raise _busy(str(error)) from error
        response = oip.ModelInferResponse(model_name=loaded.card.name, model_version=loaded.digest, id=request.id)
        response_tensors(response, names, given, raw=len(request.raw_input_contents) > 0)
        return response

    def _loaded(self, name: str, version: str) -> LoadedModel:
        try:
            loaded = self._model.loaded_model()
        except StateError as error:
            raise self._not_ready(error) from error
        other = _is_other(loaded, name, version)
        if other:
            raise RefusedError(grpc.StatusCode.NOT_FOUND, "MODEL", other)
        return loaded

    def _not_ready(self, error: StateError) -> RefusedError:
        """Return the refusal of a call in a state in which no model is at hand, with that state and no time to wait.

        A fault may be mended meanwhile: clients of such servers know UNAVAILABLE. A halted station and one without a
        recipe wait for a command.
        """
        state = self._model.state
        waits = state in (State.HALTED, State.INITIALIZED)
        code = grpc.StatusCode.FAILED_PRECONDITION if waits else grpc.StatusCode.UNAVAILABLE
        return RefusedError(code, "STATE", str(error), metadata={"state": state.value})

    async def _call(self, function: Callable[[], _Answer]) -> _Answer:
        return await asyncio.get_running_loop().run_in_executor(self._calls, function)

    def _done(self, _: Future[oip.ModelInferResponse]) -> None:
        with self._lock:
            self._waiting -= 1


def _is_other(loaded: LoadedModel, name: str, version: str) -> str:
    """Return why a name and version are not those of the loaded model, '' where they are."""
    if name != loaded.card.name:
        return f"model {name[:100]!r} is not loaded — {loaded.card.name!r} is — ask for that one"
    if version and not (len(version) >= _SHORTEST_VERSION and loaded.digest.startswith(version)):
        return (
            f"version {version[:100]!r} of {name!r} is not loaded — {loaded.digest} is — leave the version out, or "
            f"give the first {_SHORTEST_VERSION} characters of it or more"
        )
    return ""


def _timeout_s(request: oip.ModelInferRequest, remaining_s: float | None) -> float:
    """Return how long a call may take: its deadline, or less by the parameter `timeout`. Raises RefusedError."""
    allowed_s = DEFAULT_TIMEOUT_S if remaining_s is None else min(remaining_s, MAX_TIMEOUT_S)
    if "timeout" not in request.parameters:
        return allowed_s
    asked = request.parameters["timeout"]
    kind = asked.WhichOneof("parameter_choice")
    if kind not in ("int64_param", "uint64_param") or getattr(asked, kind) < 0:
        raise invalid("parameters.timeout", "the parameter timeout is no number of microseconds — mend the client")
    timeout_us: int = getattr(asked, kind)
    return min(allowed_s, timeout_us * 1e-6) if timeout_us else allowed_s


def _busy(text: str) -> RefusedError:
    return RefusedError(grpc.StatusCode.UNAVAILABLE, "MODEL_BUSY", text, retry_after_s=_RETRY_S)

"""StationService: what the line does, start and stop, and the newest picture."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from typing import TypeVar

import grpc

from inspection.api.answers import Context, streaming, unary
from inspection.api.errors import RefusedError
from inspection.api.messages import STATES, preview_message, status_message
from inspection.api.pb import inspection_pb2 as pb
from inspection.api.pb import inspection_pb2_grpc as pb_grpc
from inspection.api.watchers import Watchers
from inspection.control import LineControl, StateError, TriggerMissedError

MAX_PREVIEW_WATCHERS = 8
DEFAULT_RATE_HZ, MIN_RATE_HZ, MAX_RATE_HZ = 5.0, 0.1, 30.0
_PREVIEW_WAIT_S = 0.5
_Answer = TypeVar("_Answer")


def in_state(control: LineControl, command: Callable[[], _Answer]) -> _Answer:
    """Run a command of the line.

    Raises RefusedError (FAILED_PRECONDITION): reason STATE for a StateError, TRIGGER for a TriggerMissedError.
    """
    try:
        return command()
    except StateError as error:
        raise RefusedError(
            grpc.StatusCode.FAILED_PRECONDITION, "STATE", str(error), metadata={"state": control.status().state.value}
        ) from error
    except TriggerMissedError as error:
        raise RefusedError(grpc.StatusCode.FAILED_PRECONDITION, "TRIGGER", str(error)) from error


class StationService(pb_grpc.StationServiceServicer):
    """Owned by the server; its methods run on the server's event loop, whatever may block in `calls`.

    Each preview watcher waits on a thread of `previews`, which must have one for each of `MAX_PREVIEW_WATCHERS`.
    """

    def __init__(self, control: LineControl, calls: Executor, previews: Executor) -> None:
        self._control = control
        self._calls = calls
        self._previews = previews
        self._watchers = Watchers("previews", MAX_PREVIEW_WATCHERS)

    def stop(self) -> None:
        """End every stream with UNAVAILABLE, each within half a second."""
        self._watchers.stop()

    @unary
    async def GetStatus(  # noqa: N802 - the name in the proto
        self, _request: pb.GetStatusRequest, _context: Context
    ) -> pb.GetStatusResponse:
        """Return one consistent status."""
        return await self._call(lambda: status_message(self._control.status()))

    @unary
    async def StartLine(  # noqa: N802 - the name in the proto
        self, _request: pb.StartLineRequest, _context: Context
    ) -> pb.StartLineResponse:
        """Start inspecting every part that triggers."""
        await self._call(lambda: in_state(self._control, self._control.start_line))
        return pb.StartLineResponse(state=await self._state())

    @unary
    async def StopLine(  # noqa: N802 - the name in the proto
        self, _request: pb.StopLineRequest, _context: Context
    ) -> pb.StopLineResponse:
        """Stop the line after the parts in flight."""
        await self._call(lambda: in_state(self._control, self._control.stop_line))
        return pb.StopLineResponse(state=await self._state())

    @unary
    async def TriggerOnce(  # noqa: N802 - the name in the proto
        self, _request: pb.TriggerOnceRequest, _context: Context
    ) -> pb.TriggerOnceResponse:
        """Have the camera make a picture now."""
        return pb.TriggerOnceResponse(
            part=await self._call(lambda: in_state(self._control, self._control.trigger_once))
        )

    @unary
    async def ConfirmAlarms(  # noqa: N802 - the name in the proto
        self, request: pb.ConfirmAlarmsRequest, _context: Context
    ) -> pb.ConfirmAlarmsResponse:
        """Let go of held alarms whose fault has gone."""
        who = " ".join(request.who.split())[:64]
        if not who:
            text = "who is empty — the log keeps who confirmed — name a person or a panel"
            raise RefusedError(grpc.StatusCode.INVALID_ARGUMENT, "WHO", text, field="who")
        names = list(request.names)
        found = await self._call(lambda: self._control.confirm_alarms(names, who))
        return pb.ConfirmAlarmsResponse(confirmed=found.confirmed, still_there=found.still_there)

    @streaming
    async def WatchPreview(  # noqa: N802 - the name in the proto
        self, request: pb.WatchPreviewRequest, context: Context
    ) -> AsyncIterator[pb.WatchPreviewResponse]:
        """Stream the newest frame with its verdict; what comes faster than the rate is skipped."""
        interval_s = 1.0 / _rate_hz(request.max_rate_hz)
        self._watchers.admit(context)
        loop = asyncio.get_running_loop()
        sequence, due_s = 0, loop.time()
        while True:
            self._watchers.check()
            preview = await loop.run_in_executor(self._previews, self._control.wait_preview, sequence, _PREVIEW_WAIT_S)
            if preview is None:
                continue
            yield preview_message(preview)
            sequence = preview.sequence
            due_s = max(due_s + interval_s, loop.time())
            await self._pause_until(due_s)

    async def _pause_until(self, due_s: float) -> None:
        """Wait in small steps, so that a slow rate does not hold up the station's end."""
        loop = asyncio.get_running_loop()
        while (left_s := due_s - loop.time()) > 0:
            self._watchers.check()
            await asyncio.sleep(min(left_s, _PREVIEW_WAIT_S))

    async def _state(self) -> pb.State.ValueType:
        return STATES[(await self._call(self._control.status)).state]

    async def _call(self, function: Callable[[], _Answer]) -> _Answer:
        return await asyncio.get_running_loop().run_in_executor(self._calls, function)


def _rate_hz(asked_hz: float) -> float:
    if asked_hz == 0:
        return DEFAULT_RATE_HZ
    if not MIN_RATE_HZ <= asked_hz <= MAX_RATE_HZ:  # refuses NaN, too
        raise RefusedError(
            grpc.StatusCode.INVALID_ARGUMENT,
            "RATE",
            f"max_rate_hz is {asked_hz:g} — {MIN_RATE_HZ:g} to {MAX_RATE_HZ:g} are allowed — leave it out for "
            f"{DEFAULT_RATE_HZ:g}",
            field="max_rate_hz",
        )
    return asked_hz

"""StationService: the state machine's commands, what the line does, and the newest picture."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from typing import TypeVar

import grpc

from inspection.api import v1 as pb
from inspection.api import v1_grpc as pb_grpc
from inspection.api.answers import Context, streaming, unary
from inspection.api.callers import caller_name
from inspection.api.errors import RefusedError
from inspection.api.messages import recipe_ref_message
from inspection.api.refusals import carried_out
from inspection.api.status_messages import STATES, change_message, preview_message, status_message
from inspection.api.watchers import Watchers
from inspection.control import JobRequest, LineControl, StateChange
from inspection.plain_text import printable, unprintable

MAX_PREVIEW_WATCHERS = 8
MAX_STATE_WATCHERS = 128  # more than one caller may have
DEFAULT_RATE_HZ, MIN_RATE_HZ, MAX_RATE_HZ = 5.0, 0.1, 30.0
_PREVIEW_WAIT_S = 0.5
_STATE_WAIT_S = 0.1
_MAX_ID, _MAX_CAUSE, _MAX_WHO = 128, 200, 64
_Answer = TypeVar("_Answer")


class StationService(pb_grpc.StationServiceServicer):
    """Owned by the server; its methods run on the server's event loop, whatever may block in `calls`.

    Stopping has a thread of its own in `stops`: no command that takes long holds it up. Each preview watcher waits on a
    thread of `previews`, which must have one for each of `MAX_PREVIEW_WATCHERS`.
    """

    def __init__(self, control: LineControl, calls: Executor, stops: Executor, previews: Executor) -> None:
        self._control = control
        self._calls = calls
        self._stops = stops
        self._previews = previews
        self._watchers = Watchers("previews", MAX_PREVIEW_WATCHERS)
        self._state_watchers = Watchers("the state", MAX_STATE_WATCHERS)

    def stop(self) -> None:
        """End every stream with UNAVAILABLE, each within half a second."""
        self._watchers.stop()
        self._state_watchers.stop()

    @unary
    async def GetStatus(  # noqa: N802 - the name in the proto
        self, _request: pb.GetStatusRequest, _context: Context
    ) -> pb.GetStatusResponse:
        """Return one consistent status."""
        return await self._call(lambda: status_message(self._control.status()))

    @streaming
    async def WatchState(  # noqa: N802 - the name in the proto
        self, _request: pb.WatchStateRequest, context: Context
    ) -> AsyncIterator[pb.WatchStateResponse]:
        """Stream the state as it is, and each change of it."""
        self._state_watchers.admit(context)
        seen = self._changes_after(0)
        last = seen[-1].sequence if seen else 0
        yield pb.WatchStateResponse(state=STATES[seen[-1].after] if seen else self._state())
        while True:
            self._state_watchers.check()
            for change in self._changes_after(last):
                yield pb.WatchStateResponse(state=STATES[change.after], change=change_message(change))
                last = change.sequence
            await asyncio.sleep(_STATE_WAIT_S)

    @unary
    async def SelectModeAutomatic(  # noqa: N802 - the name in the proto
        self, _request: pb.SelectModeAutomaticRequest, _context: Context
    ) -> pb.SelectModeAutomaticResponse:
        """Take the station into automatic operation."""
        await self._command(self._control.select_mode_automatic)
        return pb.SelectModeAutomaticResponse(state=self._state())

    @unary
    async def PrepareRecipe(  # noqa: N802 - the name in the proto
        self, request: pb.PrepareRecipeRequest, _context: Context
    ) -> pb.PrepareRecipeResponse:
        """Load and warm a recipe beside the present one."""
        who, version = caller_name(), request.version or None
        ref = await self._command(lambda: self._control.prepare_recipe(request.name, version, who))
        return pb.PrepareRecipeResponse(recipe=recipe_ref_message(ref), state=self._state())

    @unary
    async def UnprepareRecipe(  # noqa: N802 - the name in the proto
        self, _request: pb.UnprepareRecipeRequest, _context: Context
    ) -> pb.UnprepareRecipeResponse:
        """Let go of the prepared recipe."""
        await self._command(self._control.unprepare_recipe)
        return pb.UnprepareRecipeResponse(state=self._state())

    @unary
    async def StartSingle(  # noqa: N802 - the name in the proto
        self, request: pb.StartSingleRequest, _context: Context
    ) -> pb.StartSingleResponse:
        """Inspect the next part and let no other pass."""
        job = _job(request.job)
        job_id = await self._command(lambda: self._control.start_single(job))
        return pb.StartSingleResponse(job_id=job_id, state=self._state())

    @unary
    async def StartContinuous(  # noqa: N802 - the name in the proto
        self, request: pb.StartContinuousRequest, _context: Context
    ) -> pb.StartContinuousResponse:
        """Inspect every part that triggers."""
        job = _job(request.job)
        job_id = await self._command(lambda: self._control.start_continuous(job))
        return pb.StartContinuousResponse(job_id=job_id, state=self._state())

    @unary
    async def NameNextPart(  # noqa: N802 - the name in the proto
        self, request: pb.NameNextPartRequest, _context: Context
    ) -> pb.NameNextPartResponse:
        """Give the part that triggers next its serial number."""
        await self._command(lambda: self._control.name_next_part(request.serial))
        return pb.NameNextPartResponse()

    @unary
    async def Stop(  # noqa: N802 - the name in the proto
        self, _request: pb.StopRequest, _context: Context
    ) -> pb.StopResponse:
        """Stop the line after the parts in flight."""
        await self._stopping(self._control.stop_line)
        return pb.StopResponse(state=self._state())

    @unary
    async def Abort(  # noqa: N802 - the name in the proto
        self, _request: pb.AbortRequest, _context: Context
    ) -> pb.AbortResponse:
        """Let no part get a pass from now on, and stop the line."""
        await self._stopping(self._control.abort)
        return pb.AbortResponse(state=self._state())

    @unary
    async def Halt(  # noqa: N802 - the name in the proto
        self, request: pb.HaltRequest, _context: Context
    ) -> pb.HaltResponse:
        """Abort and do nothing until Reset."""
        cause = _cause(request.cause)
        await self._stopping(lambda: self._control.halt(cause))
        return pb.HaltResponse(state=self._state())

    @unary
    async def Reset(  # noqa: N802 - the name in the proto
        self, request: pb.ResetRequest, _context: Context
    ) -> pb.ResetResponse:
        """Abort and begin anew without a prepared recipe."""
        cause = _cause(request.cause)
        await self._stopping(lambda: self._control.reset(cause))
        return pb.ResetResponse(state=self._state())

    @unary
    async def ConfirmAll(  # noqa: N802 - the name in the proto
        self, request: pb.ConfirmAllRequest, _context: Context
    ) -> pb.ConfirmAllResponse:
        """Let go of every held alarm whose fault has gone."""
        who = named(request.who)
        found = await self._call(lambda: self._control.confirm_alarms((), who))
        return pb.ConfirmAllResponse(confirmed=found.confirmed, still_there=found.still_there)

    @unary
    async def SetSimulationMode(  # noqa: N802 - the name in the proto
        self, request: pb.SetSimulationModeRequest, _context: Context
    ) -> pb.SetSimulationModeResponse:
        """Mark the parts that follow as simulated, or no longer."""
        await self._command(lambda: self._control.simulation_mode(request.active))
        return pb.SetSimulationModeResponse(active=request.active)

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

    def _state(self) -> pb.State.ValueType:
        return STATES[self._control.state]

    def _changes_after(self, sequence: int) -> list[StateChange]:
        return self._control.wait_state(sequence, 0.0)

    async def _command(self, command: Callable[[], _Answer]) -> _Answer:
        return await self._call(lambda: carried_out(self._control, command))

    async def _stopping(self, command: Callable[[], None]) -> None:
        run = asyncio.get_running_loop().run_in_executor
        await run(self._stops, lambda: carried_out(self._control, command))

    async def _call(self, function: Callable[[], _Answer]) -> _Answer:
        return await asyncio.get_running_loop().run_in_executor(self._calls, function)


def named(who: str) -> str:
    """Return who is named, on one line. Raises RefusedError (INVALID_ARGUMENT, reason WHO) for nobody."""
    told = " ".join(who.split())[:_MAX_WHO]
    if not told:
        text = "who is empty — the log keeps who confirmed — name a person or a panel"
        raise RefusedError(grpc.StatusCode.INVALID_ARGUMENT, "WHO", text, field="who")
    if bad := unprintable(told):
        text = f"who has the character {bad} — printable ones are allowed, since the log keeps it — leave it out"
        raise RefusedError(grpc.StatusCode.INVALID_ARGUMENT, "WHO", text, field="who")
    return told


def _job(job: pb.Job) -> JobRequest:
    told = JobRequest(job.job_id, job.meas_id, job.part_id, job.product_id, job.recipe)
    for name, value in (*told.ids().items(), ("recipe", told.recipe)):
        if len(value) > _MAX_ID or unprintable(value):
            raise RefusedError(
                grpc.StatusCode.INVALID_ARGUMENT,
                "JOB",
                f"{name} is {value[:70]!r} — at most {_MAX_ID} printable characters are allowed — shorten it",
                field=f"job.{name}",
            )
    return told


def _cause(text: str) -> str:
    return printable(" ".join(text.split()))[:_MAX_CAUSE] or f"asked for by {caller_name() or 'a client'}"


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

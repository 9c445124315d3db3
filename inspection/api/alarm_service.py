"""AlarmService: what is wrong now, and who has taken note of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import Executor

import grpc

from inspection.alarms import ALARMS
from inspection.api import v1 as pb
from inspection.api import v1_grpc as pb_grpc
from inspection.api.answers import Context, streaming, unary
from inspection.api.errors import RefusedError
from inspection.api.station_service import named
from inspection.api.status_messages import alarm_message
from inspection.api.watchers import Watchers
from inspection.control import LineControl

MAX_ALARM_WATCHERS = 128  # more than one caller may have
_LOOK_S = 0.2


class AlarmService(pb_grpc.AlarmServiceServicer):
    """Owned by the server; its methods run on the server's event loop, confirmations in `calls`."""

    def __init__(self, control: LineControl, calls: Executor) -> None:
        self._control = control
        self._calls = calls
        self._watchers = Watchers("alarms", MAX_ALARM_WATCHERS)

    def stop(self) -> None:
        """End every stream with UNAVAILABLE, each within a fraction of a second."""
        self._watchers.stop()

    @unary
    async def ListAlarms(  # noqa: N802 - the name in the proto
        self, _request: pb.ListAlarmsRequest, _context: Context
    ) -> pb.ListAlarmsResponse:
        """Return what stands now."""
        return pb.ListAlarmsResponse(alarms=[alarm_message(alarm) for alarm in self._control.active_alarms()])

    @streaming
    async def WatchAlarms(  # noqa: N802 - the name in the proto
        self, _request: pb.WatchAlarmsRequest, context: Context
    ) -> AsyncIterator[pb.WatchAlarmsResponse]:
        """Stream everything that stands, at once and after each change."""
        self._watchers.admit(context)
        seen = None
        while True:
            self._watchers.check()
            alarms = self._control.active_alarms()
            if alarms != seen:
                seen = alarms
                yield pb.WatchAlarmsResponse(alarms=[alarm_message(alarm) for alarm in alarms])
            await asyncio.sleep(_LOOK_S)

    @unary
    async def AcknowledgeAlarms(  # noqa: N802 - the name in the proto
        self, request: pb.AcknowledgeAlarmsRequest, _context: Context
    ) -> pb.AcknowledgeAlarmsResponse:
        """Let go of held alarms whose fault has gone."""
        who, names = named(request.who), list(request.names)
        for name in names:
            if name not in ALARMS:
                raise RefusedError(
                    grpc.StatusCode.INVALID_ARGUMENT,
                    "ALARM",
                    f"there is no alarm {name[:70]!r} — a name of the alarm table is needed — take it from ListAlarms",
                    field="names",
                )
        run = asyncio.get_running_loop().run_in_executor
        found = await run(self._calls, self._control.confirm_alarms, names, who)
        return pb.AcknowledgeAlarmsResponse(confirmed=found.confirmed, still_there=found.still_there)

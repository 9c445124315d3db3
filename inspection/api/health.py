"""grpc.health.v1 from the station's state: SERVING only while parts can be inspected."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import Executor

from grpc_health.v1 import health_pb2
from grpc_health.v1.health import aio

from inspection.control import LineControl, State
from inspection.state_machine import EXECUTING

_log = logging.getLogger(__name__)

SERVING_STATES = EXECUTING | {State.READY}


class HealthReporter:
    """Looks at the station's state twice a second and tells those who watch. Owned by the server; event loop only."""

    _PERIOD_S = 0.5
    _STOP_S = 0.5

    def __init__(self, control: LineControl, services: list[str], calls: Executor) -> None:
        """`services`: the full names to report about; '' (the whole server) is always among them."""
        self.servicer = aio.HealthServicer()
        self._control = control
        self._services = ["", *services]
        self._calls = calls

    async def report(self) -> None:
        """Look once. A status that cannot be had is NOT_SERVING."""
        try:
            status = await asyncio.get_running_loop().run_in_executor(self._calls, self._control.status)
            is_serving = status.state in SERVING_STATES
        except Exception:  # noqa: BLE001 - health is the edge: whatever is wrong with the station, it is not serving
            _log.exception("the station's status cannot be had")
            is_serving = False
        answer = health_pb2.HealthCheckResponse
        for service in self._services:
            await self.servicer.set(service, answer.SERVING if is_serving else answer.NOT_SERVING)

    async def run(self) -> None:
        """Report until cancelled."""
        while True:
            await self.report()
            await asyncio.sleep(self._PERIOD_S)

    async def stop(self) -> None:
        """Say NOT_SERVING for good; bounded."""
        try:
            await asyncio.wait_for(self.servicer.enter_graceful_shutdown(), self._STOP_S)
        except TimeoutError:
            _log.warning("a health watcher does not read; it is cut off")

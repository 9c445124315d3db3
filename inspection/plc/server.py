"""The Modbus server: TCP or RTU, in a thread of its own, with as much work a second as it may do and no more."""

from __future__ import annotations

import asyncio
import logging
import termios
import threading
import time
from collections.abc import Callable

from pymodbus.constants import ExcCodes
from pymodbus.pdu import ExceptionResponse
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.server.requesthandler import ServerRequestHandler

from inspection.plc.device import FUNCTIONS, StationDevice
from inspection.plc.errors import PlcError, PlcOpenError
from inspection.plc.options import PlcOptions

_log = logging.getLogger(__name__)
_TICK_S = 0.02
_REOPEN_S = 0.5
_START_S = 10.0
_BROADCAST = 0


class Pace:
    """How many requests are answered a second, over all connections; a few more may come at once."""

    REQUESTS_PER_S = 500
    BURST = 50

    def __init__(self) -> None:
        self._free_host_ns = time.monotonic_ns()

    def spend(self) -> float:
        """Count one request; return for how many seconds its connection has to be left unread."""
        each_ns = 1_000_000_000 // self.REQUESTS_PER_S
        now_host_ns = time.monotonic_ns()
        self._free_host_ns = max(self._free_host_ns + each_ns, now_host_ns - self.BURST * each_ns)
        return max(0, self._free_host_ns - now_host_ns) * 1e-9


class _Connection(ServerRequestHandler):
    """One PLC: its requests are paced, those for other stations on the line are left alone."""

    def __init__(self, server: _TcpServer | _RtuServer, device: StationDevice, pace: Pace, unit_id: int | None) -> None:
        super().__init__(server, None, None, None)  # type: ignore[no-untyped-call]
        self._device = device
        self._pace = pace
        self._unit_id = unit_id
        self.last_request_host_ns = time.monotonic_ns()

    async def handle_request(self) -> None:
        request = self.last_pdu
        self.last_request_host_ns = time.monotonic_ns()
        if request is None or (self._unit_id is not None and request.dev_id not in (self._unit_id, _BROADCAST)):
            return
        if request.function_code in FUNCTIONS:
            await super().handle_request()  # type: ignore[no-untyped-call]
            self._device.told(request.function_code, request.address, request.count)
        else:
            refusal = ExceptionResponse(
                request.function_code,
                ExcCodes.ILLEGAL_FUNCTION,
                device_id=request.dev_id,
                transaction=request.transaction_id,
            )
            self.server_send(refusal, self.last_addr)  # type: ignore[no-untyped-call]
        wait_s = self._pace.spend()
        if wait_s and isinstance(self.transport, asyncio.Transport):
            self.transport.pause_reading()
            self.loop.call_later(wait_s, self.transport.resume_reading)


class _TcpServer(ModbusTcpServer):
    """Listens for PLCs; when there are too many, the one that was silent for longest has to go."""

    def __init__(self, options: PlcOptions, device: StationDevice) -> None:
        super().__init__(device.sim_device(0), address=options.listens_on)
        self._device = device
        self._pace = Pace()
        self._max_clients = options.max_clients

    def callback_new_connection(self) -> ServerRequestHandler:
        connections = [one for one in self.active_connections.values() if isinstance(one, _Connection)]
        if len(connections) >= self._max_clients:
            min(connections, key=lambda one: one.last_request_host_ns).close()
        return _Connection(self, self._device, self._pace, None)

    @property
    def bound(self) -> str:
        """Where it listens, as host:port."""
        assert isinstance(self.transport, asyncio.Server)
        host, port, *_ = self.transport.sockets[0].getsockname()
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class _RtuServer(ModbusSerialServer):
    """Answers to one address on a serial line; a broadcast is carried out and not answered."""

    def __init__(self, options: PlcOptions, device: StationDevice) -> None:
        super().__init__(
            device.sim_device(options.unit_id),
            port=options.port,
            baudrate=options.baud,
            parity=options.parity,
            stopbits=options.stop_bits,
            broadcast_enable=True,
        )
        self._device = device
        self._pace = Pace()
        self._unit_id = options.unit_id
        self.bound = options.port

    def callback_new_connection(self) -> ServerRequestHandler:
        return _Connection(self, self._device, self._pace, self._unit_id)


class ModbusServer:
    """Owns the thread "plc" with its event loop. `start` and `stop` from any thread but its own.

    `tick` is called on that thread about fifty times a second; `on_failure` when the thread ends by an error. A serial
    port that goes away is opened again until it is back.
    """

    def __init__(
        self,
        options: PlcOptions,
        device: StationDevice,
        tick: Callable[[], None],
        on_failure: Callable[[str], None],
    ) -> None:
        self._options = options
        self._device = device
        self._tick = tick
        self._on_failure = on_failure
        self._started = threading.Event()
        self._stop_asked: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="plc", daemon=True)
        self.bound = ""
        self.reopened = 0

    def start(self) -> str:
        """Open the port; return where it is (`host:port`, or the serial port). Raises PlcOpenError. Once only."""
        self._thread.start()
        if not self._started.wait(_START_S):
            self.stop()
            raise PlcOpenError(f"the PLC's port did not open within {_START_S:g} s — look at the machine's load")
        if self._failure is not None:
            self._thread.join()
            raise self._failure if isinstance(self._failure, PlcError) else PlcOpenError(str(self._failure))
        return self.bound

    def stop(self) -> None:
        """Close every connection and the port. Bounded, safe to repeat."""
        loop, asked = self._loop, self._stop_asked
        if loop is not None and asked is not None and self._thread.is_alive():
            loop.call_soon_threadsafe(asked.set)
            self._thread.join(_START_S)

    def _run(self) -> None:
        logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)  # a bad request is the PLC's affair
        try:
            asyncio.run(self._serve())
        except Exception as error:  # noqa: BLE001 - the edge of this thread: `start` or the station is told
            self._failure = error
            if self._started.is_set():
                _log.exception("the PLC's port on %s ended", self.bound)
                self._on_failure(f"plc: {type(error).__name__}: {error}")
        finally:
            self._started.set()

    async def _serve(self) -> None:
        self._loop, self._stop_asked = asyncio.get_running_loop(), asyncio.Event()
        server = await self._open()
        if server is None:
            raise PlcOpenError(self._cannot_open())
        self.bound = server.bound
        self._started.set()
        reopen_at_s = 0.0
        while not self._stop_asked.is_set():
            self._tick()
            if server is not None and isinstance(server, _RtuServer) and not server.active_connections:
                await server.shutdown()  # type: ignore[no-untyped-call]
                server, reopen_at_s = None, self._loop.time() + _REOPEN_S
            if server is None and self._loop.time() >= reopen_at_s:
                server, reopen_at_s = await self._open(), self._loop.time() + _REOPEN_S
                self.reopened += server is not None
            await _wait(self._stop_asked, _TICK_S)
        if server is not None:
            await server.shutdown()  # type: ignore[no-untyped-call]

    async def _open(self) -> _TcpServer | _RtuServer | None:
        kind = _TcpServer if self._options.transport == "tcp" else _RtuServer
        server = kind(self._options, self._device)
        try:
            await server.serve_forever(background=True)
        except (RuntimeError, ValueError, termios.error):  # the last: a driver that cannot do the parity
            server.close()
            return None
        return server

    def _cannot_open(self) -> str:
        if self._options.transport == "tcp":
            return (
                f"plc.address {self._options.address}: cannot be listened on — a free port of this machine is needed, "
                "and one below 1024 asks for rights — set another port, or stop the program that uses it"
            )
        return (
            f"plc.port {self._options.port}: cannot be opened — a serial port that exists, is free, may be used and "
            "knows the parity is needed — `lineward doctor` lists the ports; plug the adapter in, or mend the path"
        )


async def _wait(event: asyncio.Event, timeout_s: float) -> None:
    """Wait for an event, at most so long."""
    waiting = asyncio.ensure_future(event.wait())
    await asyncio.wait((waiting,), timeout=timeout_s)
    waiting.cancel()

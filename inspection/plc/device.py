"""The station as a Modbus device: its four tables, read and written through the handshake in one piece each time."""

from __future__ import annotations

from collections.abc import Callable

from pymodbus.constants import ExcCodes
from pymodbus.simulator import DataType, SimData, SimDevice

from inspection.plc.handshake import Handshake
from inspection.plc.map import HoldingRegister, InputRegister, Status

BITS = 16
READ_COILS, READ_DISCRETE, READ_HOLDING, READ_INPUT = 1, 2, 3, 4
WRITE_COIL, WRITE_REGISTER, WRITE_COILS, WRITE_REGISTERS, MASK_WRITE, READ_WRITE = 5, 6, 15, 16, 22, 23
FUNCTIONS = frozenset(
    (
        READ_COILS,
        READ_DISCRETE,
        READ_HOLDING,
        READ_INPUT,
        WRITE_COIL,
        WRITE_REGISTER,
        WRITE_COILS,
        WRITE_REGISTERS,
        MASK_WRITE,
        READ_WRITE,
    )
)
"""The functions that the station answers; any other is refused as illegal."""

_RESULTS_VALID_BIT = int(Status.RESULTS_VALID).bit_length() - 1


class StationDevice:
    """Answers each request from the handshake at the moment of the request. Used by the port's thread alone."""

    def __init__(self, handshake: Handshake, clock_ns: Callable[[], int], on_written: Callable[[], None]) -> None:
        """on_written: called after each write, which may have asked for something."""
        self._handshake = handshake
        self._on_written = on_written
        self._clock_ns = clock_ns
        self.requests = 0

    def sim_device(self, unit_id: int) -> SimDevice:
        """Return it as the server takes it; unit 0 answers to every address."""
        return SimDevice(
            id=unit_id,
            simdata=(
                [SimData(0, values=[False] * BITS, datatype=DataType.BITS)],
                [SimData(0, values=[False] * BITS, datatype=DataType.BITS, readonly=True)],
                [SimData(0, count=len(HoldingRegister), datatype=DataType.REGISTERS)],
                [SimData(0, count=len(InputRegister), datatype=DataType.REGISTERS, readonly=True)],
            ),
            action=self._access,
        )

    def told(self, function: int, address: int, count: int) -> None:
        """Note what was answered: a result counts as read once ResultsValid was among it."""
        self.requests += 1
        as_word = function == READ_INPUT and address == InputRegister.STATUS
        as_bit = function == READ_DISCRETE and address <= _RESULTS_VALID_BIT < address + count
        if as_word or as_bit:
            self._handshake.read()

    async def _access(
        self,
        function: int,
        start_address: int,
        address: int,
        count: int,
        registers: list[int],
        values: list[int] | list[bool] | None,
    ) -> ExcCodes | None:
        """Serve one access: fill the server's registers before it reads them, take what it is about to write."""
        del start_address, count
        now_host_ns = self._clock_ns()
        if values is not None:
            self._write(function, address, values, now_host_ns)
            self._on_written()
        elif function == READ_DISCRETE:
            registers[0] = self._handshake.inputs(now_host_ns)[InputRegister.STATUS]
        elif function == READ_INPUT:
            registers[: len(InputRegister)] = self._handshake.inputs(now_host_ns)
        elif function == READ_COILS:
            registers[0] = int(self._handshake.control)
        else:
            registers[: len(HoldingRegister)] = self._handshake.holding()
        return None

    def _write(self, function: int, address: int, values: list[int] | list[bool], now_host_ns: int) -> None:
        if function not in (WRITE_COIL, WRITE_COILS):
            self._handshake.write_registers(dict(enumerate(map(int, values), address)), now_host_ns)
            return
        word = int(self._handshake.control)
        for bit, level in enumerate(values, address):
            word = word | 1 << bit if level else word & ~(1 << bit)
        self._handshake.write_control(word, now_host_ns)

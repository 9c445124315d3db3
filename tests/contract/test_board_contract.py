"""What every relay board driver does on a real pty, and what an independent Modbus device makes of our bytes."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import threading
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest
import serial

from inspection.ejector.boards import BOARDS, make_board
from inspection.ejector.errors import EjectorLostError, EjectorOpenError
from inspection.ejector.interface import Board
from inspection.ejector.modbus_rtu import coil_frame, with_crc
from inspection.ejector.settings import Settings
from inspection.ejector.simulated import SimulatedBoard

CHANNELS = 3
BOUND_S = 20.0


def board_on(port: str, driver: str = "lcus", **options: object) -> Board:
    return make_board(Settings(driver, port, board={"channels": CHANNELS, **options}, write_timeout_ms=50))


def settle(board: Board) -> None:
    """Take answers in until every command is confirmed; `receive` itself bounds how long that may take."""
    while board.unconfirmed:
        select.select([board], [], [], BOUND_S)
        board.receive()


@pytest.fixture(params=sorted(BOARDS))
def driver(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def far_end(driver: str) -> Iterator[SimulatedBoard]:
    simulated = SimulatedBoard(driver, CHANNELS)
    yield simulated
    simulated.close()


@pytest.fixture
def board(driver: str, far_end: SimulatedBoard) -> Iterator[Board]:
    board = board_on(far_end.port, driver)
    yield board
    board.close()


def commands(far_end: SimulatedBoard) -> list[tuple[int, bool]]:
    return [(edge.channel, edge.on) for edge in far_end.edges()]


ALL_OFF = [(channel, False) for channel in range(1, CHANNELS + 1)]


def test_opening_switches_every_channel_off(board: Board, far_end: SimulatedBoard) -> None:
    """After `open` the far end has seen an OFF for each channel, and nothing else."""
    board.open()
    assert commands(far_end) == ALL_OFF
    assert board.unconfirmed == 0
    assert board.detail == "this port has no low-latency mode"


def test_each_switch_is_one_command(board: Board, far_end: SimulatedBoard) -> None:
    """Each call arrives as one command of the right channel and level, in order, and is confirmed."""
    board.open()
    wanted = [(1, True), (3, True), (1, False), (2, True), (3, False)]
    for channel, on in wanted:
        board.switch(channel, on)
    settle(board)
    assert commands(far_end) == ALL_OFF + wanted
    assert far_end.counts()["garbage_bytes"] == 0


def test_safe_switches_every_channel_off(board: Board, far_end: SimulatedBoard) -> None:
    """`safe` ends with every channel off, whatever was on."""
    board.open()
    board.switch(2, True)
    board.safe()
    assert commands(far_end) == [*ALL_OFF, (2, True), *ALL_OFF]


def test_a_pulled_cable_is_noticed_and_mended(board: Board, far_end: SimulatedBoard) -> None:
    """A hung-up line wakes whoever waits, is told as lost, and the same path opens again when it is back."""
    board.open()
    far_end.unplug()
    assert select.select([board], [], [], BOUND_S)[0] == [board]
    with pytest.raises(EjectorLostError, match="has gone"):
        board.receive()
    with pytest.raises(EjectorLostError):
        board.switch(1, True)
    board.safe()
    board.close()
    with pytest.raises(EjectorOpenError, match="does not exist"):
        board.open()
    far_end.replug()
    board.open()
    assert commands(far_end) == ALL_OFF * 2


def test_closing_is_idempotent_and_releases_the_port(board: Board, driver: str, far_end: SimulatedBoard) -> None:
    """A closed port can be opened by another; closing twice, or before opening, does no harm."""
    board.close()
    board.open()
    board.close()
    board.close()
    other = board_on(far_end.port, driver)
    other.open()
    other.close()


def test_a_taken_port_is_refused(board: Board, driver: str, far_end: SimulatedBoard) -> None:
    """A port that another program drives is refused with the way to find out who holds it."""
    with serial.Serial(far_end.port, exclusive=True), pytest.raises(EjectorOpenError, match=r"exclusively.*fuser -v"):
        board.open()


def test_what_is_no_port_is_refused(driver: str, tmp_path: Path) -> None:
    """A missing path, a file, a directory and a device that is no terminal each get their own clear text."""
    file = tmp_path / "port"
    file.write_text("no port")
    for path, words in (
        (tmp_path / "missing", "does not exist — this machine has: "),
        (file, "is a file, not a serial port"),
        (tmp_path, "is a directory, not a serial port"),
        (Path("/dev/null"), "cannot be used as a serial port"),
    ):
        with pytest.raises(EjectorOpenError, match=words) as refusal:
            board_on(str(path), driver).open()
        assert str(path) in str(refusal.value)


@pytest.fixture
def bare_line() -> Iterator[tuple[int, str]]:
    """A pty whose far end is ours to play: its descriptor and the path of the other end."""
    master, slave = os.openpty()
    tty.setraw(slave)
    yield master, os.ttyname(slave)
    os.close(slave)
    os.close(master)


def test_a_port_that_takes_no_bytes_is_lost(bare_line: tuple[int, str]) -> None:
    """A write that blocks ends after the write time-out as lost instead of holding the scheduler up for ever."""
    board = board_on(bare_line[1])
    board.open()

    def fill_the_line() -> None:
        while True:
            board.switch(1, True)

    with pytest.raises(EjectorLostError, match="took no bytes for 50 ms"):
        fill_the_line()
    board.close()


def test_a_silent_modbus_board_is_refused(bare_line: tuple[int, str]) -> None:
    """A board that does not answer the first command cannot be opened, and the text says what to check."""
    with pytest.raises(EjectorOpenError, match=r"no answer within .*address, baud rate"):
        board_on(bare_line[1], "modbus_rtu", answer_timeout_ms=5).open()


def test_a_modbus_answer_is_found_behind_noise(bare_line: tuple[int, str]) -> None:
    """Noise on the line before an answer does no harm; an answer to another command does not count."""
    master, path = bare_line
    answer = b"\x00\xff\x01\x05" + coil_frame(1, 0, False)

    def play() -> None:
        os.read(master, 8)
        os.write(master, answer)

    player = threading.Thread(target=play)
    player.start()
    board = board_on(path, "modbus_rtu", channels=1, answer_timeout_ms=1000)
    board.open()
    player.join(BOUND_S)
    board.switch(1, True)
    os.write(master, coil_frame(1, 0, False) + coil_frame(1, 0, True)[:5])
    select.select([board], [], [], BOUND_S)
    board.receive()
    assert board.unconfirmed == 1
    os.write(master, coil_frame(1, 0, True)[5:])
    settle(board)
    board.close()


def test_a_refused_coil_names_the_exception(bare_line: tuple[int, str]) -> None:
    """An exception of the board is told with its number and meaning."""
    master, path = bare_line

    def play() -> None:
        os.read(master, 8)
        os.write(master, with_crc(b"\x01\x85\x02"))

    player = threading.Thread(target=play)
    player.start()
    with pytest.raises(EjectorOpenError, match=r"refused coil 70 with exception 2 \(it has no such coil\)"):
        board_on(path, "modbus_rtu", coil_base=70, answer_timeout_ms=1000).open()
    player.join(BOUND_S)


DEVICE = """
import asyncio, sys
from pymodbus.framer import FramerType
from pymodbus.server import ModbusSerialServer
from pymodbus.simulator import DataType, SimData, SimDevice

def tell(sending, pdu):
    if not sending and pdu.function_code == 5:
        print(pdu.dev_id, pdu.address, int(pdu.bits[0]), flush=True)
    return pdu

async def main():
    coils = SimData(0, count=2, values=[False] * 16, datatype=DataType.BITS)
    words = SimData(0, count=1, values=0, datatype=DataType.REGISTERS)
    levels = SimData(0, count=1, values=[False, True, False, False, False, True] + [False] * 10, datatype=DataType.BITS)
    device = SimDevice(7, simdata=([coils], [levels], [words], [words]), use_bit_addressing=True)
    server = ModbusSerialServer(device, framer=FramerType.RTU, port=sys.argv[1], baudrate=115200, trace_pdu=tell)
    await server.serve_forever(background=True)
    print("ready", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.fixture
def cable() -> Iterator[tuple[str, str]]:
    """Two ptys joined by a thread: a serial cable with a device path at each end."""
    ends = [os.openpty() for _ in range(2)]
    stop_read, stop_write = os.pipe()
    for _, slave in ends:
        tty.setraw(slave)

    def carry() -> None:
        (left, _), (right, _) = ends
        while True:
            ready, _, _ = select.select([left, right, stop_read], [], [])
            if stop_read in ready:
                return
            for end in ready:
                os.write(right if end == left else left, os.read(end, 4096))

    carrier = threading.Thread(target=carry)
    carrier.start()
    yield os.ttyname(ends[0][1]), os.ttyname(ends[1][1])
    os.write(stop_write, b"\0")
    carrier.join(BOUND_S)
    for descriptor in (stop_read, stop_write, *ends[0], *ends[1]):
        os.close(descriptor)


def test_an_independent_modbus_device_obeys(cable: tuple[str, str]) -> None:
    """pymodbus, as device 7, understands every command, and its answers satisfy the driver."""
    near, far = cable
    with subprocess.Popen([sys.executable, "-c", DEVICE, far], stdout=subprocess.PIPE, text=True) as device:
        assert device.stdout is not None
        assert device.stdout.readline() == "ready\n"
        board = board_on(near, "modbus_rtu", address=7, coil_base=4, inputs=6, baud=115200, answer_timeout_ms=1000)
        board.open()
        board.switch(2, True)
        settle(board)
        assert board.take_inputs() is None
        board.read_inputs()
        settle(board)
        assert board.take_inputs() == 0b100010
        board.safe()
        board.close()
        told = [device.stdout.readline() for _ in range(2 * CHANNELS + 1)]
        with pytest.raises(EjectorOpenError, match="refused coil 500 with exception"):
            board_on(near, "modbus_rtu", address=7, coil_base=500, baud=115200, answer_timeout_ms=1000).open()
        device.terminate()
    off = [f"7 {coil} 0\n" for coil in (4, 5, 6)]
    assert told == [*off, "7 5 1\n", *off]

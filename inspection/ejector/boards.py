"""The table of relay boards: one row and one file each, imported only when asked for."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from inspection.ejector.errors import EjectorOptionsError
from inspection.ejector.interface import Board

if TYPE_CHECKING:
    from inspection.ejector.board_options import BoardOptions
    from inspection.ejector.settings import Settings


@dataclass(frozen=True, slots=True)
class BoardEntry:
    """Where a driver is, what its options are called in `board_options`, and what it drives."""

    module: str
    driver: str
    options: str
    summary: str


BOARDS = {
    "lcus": BoardEntry(
        "inspection.ejector.lcus", "LcusBoard", "LcusOptions", "LCUS-x USB relay (CH340), 4-byte frames, no answer"
    ),
    "modbus_rtu": BoardEntry(
        "inspection.ejector.modbus_rtu", "ModbusRtuBoard", "ModbusRtuOptions", "Modbus RTU coils, each write answered"
    ),
    "modbus_flash": BoardEntry(
        "inspection.ejector.modbus_rtu",
        "ModbusFlashBoard",
        "ModbusFlashOptions",
        "Modbus RTU relay of the Waveshare class, which ends each pulse (n × 100 ms) by its own timer",
    ),
    "kmtronic": BoardEntry(
        "inspection.ejector.kmtronic",
        "KmtronicBoard",
        "KmtronicOptions",
        "KMTronic USB relay, 3-byte frames, no answer",
    ),
    "numato": BoardEntry(
        "inspection.ejector.numato", "NumatoBoard", "NumatoOptions", "Numato USB relay, ASCII, each command echoed"
    ),
    "devantech": BoardEntry(
        "inspection.ejector.devantech", "DevantechBoard", "DevantechOptions", "Devantech USB-RLY, states read back"
    ),
}


def find_board(name: str) -> BoardEntry:
    """Return a board's row. Raises EjectorOptionsError with the names that exist."""
    if name not in BOARDS:
        raise EjectorOptionsError(
            f"ejector driver {name!r} does not exist — there are: {', '.join(BOARDS)} and simulated — choose one"
        )
    return BOARDS[name]


def make_board(settings: Settings) -> Board:
    """Build the driver that the settings name, unopened."""
    entry = find_board(settings.driver)
    driver = getattr(importlib.import_module(entry.module), entry.driver)
    return cast(Board, driver(settings.port, write_timeout_s=settings.write_timeout_ms / 1e3, **settings.board))


def options_of(name: str) -> type[BoardOptions]:
    """Return the class that describes a board's options; this imports the validation library."""
    module = importlib.import_module("inspection.ejector.board_options")
    return cast("type[BoardOptions]", getattr(module, find_board(name).options))

"""What may be set for each relay board; read in the station's process, before anything is opened."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Baud = Literal[1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200]


class BoardOptions(BaseModel):
    """What every board has: channels, counted from 1."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    channels: int = Field(4, ge=1, le=16, description="relays on the board; all are switched off at start and end")


class LcusOptions(BoardOptions):
    """An LCUS-x board: its rate is fixed in its firmware, 9600 on all that we know."""

    baud: Baud = Field(9600, description="bits per second")


class ModbusRtuOptions(BoardOptions):
    """A Modbus RTU board as it is set by its switches or its own program."""

    channels: int = Field(8, ge=1, le=64, description="relays on the board; all are switched off at start and end")
    address: int = Field(1, ge=1, le=247, description="the board's address on the line")
    coil_base: int = Field(0, ge=0, le=65_000, description="coil of channel 1, counted from 0")
    inputs: int = Field(0, ge=0, le=64, description="discrete inputs on the board, if any are used")
    baud: Baud = Field(9600, description="bits per second")
    parity: Literal["N", "E", "O"] = Field("N", description="none, even or odd")
    answer_timeout_ms: float = Field(
        50.0, ge=5, le=1000, description="how long an answer may take beyond the wire time"
    )


class ModbusFlashOptions(ModbusRtuOptions):
    """A Waveshare Modbus RTU relay: its flash commands know no other base than 0."""

    channels: int = Field(8, ge=1, le=32, description="relays on the board; all are switched off at start and end")
    coil_base: Literal[0] = Field(0, description="always 0")


class KmtronicOptions(BoardOptions):
    """A KMTronic board: its rate is fixed in its firmware."""

    channels: int = Field(8, ge=1, le=8, description="relays on the board; all are switched off at start and end")
    baud: Baud = Field(9600, description="bits per second")


class NumatoOptions(BoardOptions):
    """A Numato module; its port is USB all the way, so a rate means nothing."""

    channels: int = Field(8, ge=1, le=8, description="relays on the board; all are switched off at start and end")
    answer_timeout_ms: float = Field(100.0, ge=5, le=1000, description="how long an answer may take")


class DevantechOptions(NumatoOptions):
    """A Devantech board; its port is USB all the way, too."""


class SimulatedOptions(BoardOptions):
    """The far end of a pty that behaves like one of the boards."""

    protocol: Literal["lcus", "modbus_rtu", "modbus_flash", "kmtronic", "numato", "devantech"] = Field(
        "lcus", description="which board it behaves like"
    )
    inputs: int = Field(0, ge=0, le=8, description="inputs that it has, where the protocol knows any")

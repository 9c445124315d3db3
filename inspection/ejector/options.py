"""What may be set for the ejector, and the ejector that such options describe."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from inspection.ejector.board_options import BoardOptions, SimulatedOptions
from inspection.ejector.boards import BOARDS, make_board, options_of
from inspection.ejector.client import SerialEjector
from inspection.ejector.errors import EjectorOptionsError
from inspection.ejector.settings import Settings
from inspection.ejector.simulated import SimulatedEjector

SIMULATED = "simulated"
DRIVERS = {
    **{name: entry.summary for name, entry in BOARDS.items()},
    SIMULATED: "the far end of a pty that behaves like one of them",
}

NO_HEARTBEAT = (
    "promise 4 (silence is safe) cannot be kept: no heartbeat channel is set, and a relay board that must be pulsed to "
    "reject lets every part pass when the PC or its cable dies — wire a watchdog relay that stops the belt to a free "
    "channel and set heartbeat_channel"
)


class EjectorOptions(BaseModel):
    """The ejector of a station: which board on which port, how it is wired, and how exact it must be."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    driver: str = Field(SIMULATED, description=f"the relay board: {', '.join(DRIVERS)}")
    port: str = Field("", description="serial port, best /dev/serial/by-id/…; empty for simulated")
    channel: int = Field(1, ge=1, le=64, description="channel that rejects, counted from 1")
    pulse_ms: float = Field(30.0, ge=1, le=5000, description="how long a reject pulse lasts")
    window_ms: float = Field(5.0, gt=0, le=10_000, description="a pulse further than this from its moment is a fault")
    actuator_delay_ms: float = Field(0.0, ge=0, le=1000, description="from the switched relay to the part being hit")
    heartbeat_channel: int | None = Field(None, ge=1, le=64, description="channel of the watchdog relay, if wired")
    heartbeat_ms: float = Field(250.0, ge=20, le=10_000, description="time between two edges of the heartbeat")
    alive_timeout_ms: float = Field(500.0, ge=100, le=10_000, description="silence of the station that stops it")
    write_timeout_ms: float = Field(100.0, ge=5, le=2000, description="how long the port may take to accept a command")
    spin_us: float = Field(0.0, ge=0, le=200, description="last stretch before a pulse that is waited for awake")
    board: dict[str, Any] = Field(default_factory=dict, description="what the driver itself may be told")

    @field_validator("driver")
    @classmethod
    def _driver_exists(cls, driver: str) -> str:
        if driver not in DRIVERS:
            raise PydanticCustomError("driver", f"{driver!r} does not exist, there are: {', '.join(DRIVERS)}")
        return driver

    @field_validator("board")
    @classmethod
    def _board_options(cls, board: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        """Complete the board's options with the defaults of the driver, or list everything that is wrong with them."""
        driver = info.data.get("driver")
        if driver is None:
            return board  # the driver is wrong already: nobody knows what it may be told
        described: type[BoardOptions] = SimulatedOptions if driver == SIMULATED else options_of(driver)
        try:
            return described.model_validate(board).model_dump()
        except ValidationError as error:
            problems = [
                f"{'.'.join(map(str, one['loc']))}: {one['msg']} (is {one['input']!r})" for one in error.errors()
            ]
            allowed = ", ".join(described.model_fields)
            text = "; ".join(problems).replace("{", "(").replace("}", ")")
            raise PydanticCustomError("board", f"{text} — {driver} may be told: {allowed}") from error

    @model_validator(mode="after")
    def _consistent(self) -> EjectorOptions:
        problems = []
        if self.driver != SIMULATED and not self.port:
            problems.append(f"driver {self.driver} needs a port, such as /dev/serial/by-id/…")
        if self.driver == SIMULATED and self.port:
            problems.append(f"port is {self.port!r}, but the simulated ejector makes its own; leave it out")
        channels = int(self.board.get("channels", 64))
        for name, channel in (("channel", self.channel), ("heartbeat_channel", self.heartbeat_channel)):
            if channel is not None and channel > channels:
                problems.append(f"{name} is {channel}, but the board has {channels}; see board.channels")
        if self.heartbeat_channel == self.channel:
            problems.append(f"heartbeat_channel and channel are both {self.channel}; give each its own")
        if problems:
            raise PydanticCustomError("ejector", "; ".join(problems))
        return self

    def broken_promises(self) -> tuple[str, ...]:
        """Return which promises of the station this wiring cannot keep, each with what would mend it."""
        return () if self.heartbeat_channel is not None else (NO_HEARTBEAT,)

    def settings(self) -> Settings:
        """Return the plain values for the ejector's process; a simulated board goes by the driver that it obeys."""
        values = self.model_dump()
        if self.driver == SIMULATED:
            values["driver"] = self.board["protocol"]
            values["board"] = {"channels": self.board["channels"]}
        return Settings(**values)


def make_ejector(options: EjectorOptions) -> SerialEjector:
    """Build the ejector that the options describe, unopened; a simulated one is a SimulatedEjector with a `board`.

    Raises EjectorOptionsError where a command takes longer on the wire than the heartbeat leaves between two edges.
    """
    settings = options.settings()
    command_ms = make_board(settings).occupied_s * 1e3
    if options.heartbeat_channel is not None and options.heartbeat_ms < 2 * command_ms:
        raise EjectorOptionsError(
            f"heartbeat_ms is {options.heartbeat_ms:g}, but one command occupies the line for {command_ms:.1f} ms — "
            "the heartbeat may take half of the line at most — set a longer heartbeat_ms or a higher baud rate"
        )
    if options.driver == SIMULATED:
        return SimulatedEjector(settings, int(options.board["channels"]))
    return SerialEjector(settings)

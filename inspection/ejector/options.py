"""What may be set for the ejector, and the ejector that such options describe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from inspection.ejector.board_options import SimulatedOptions
from inspection.ejector.boards import BOARDS, make_board, options_of
from inspection.ejector.client import SerialEjector
from inspection.ejector.controller.factory import make_controller
from inspection.ejector.controller.options import ControllerBoard, ControllerOptions
from inspection.ejector.controller.wire import BinFull, FaultReport, Stranger
from inspection.ejector.errors import EjectorOptionsError
from inspection.ejector.interface import Ejector
from inspection.ejector.promises import SILENCE, Silence, kept_promises, silence_is_safe
from inspection.ejector.settings import Settings
from inspection.ejector.simulated import SimulatedEjector
from inspection.wording import wording

SIMULATED = "simulated"
CONTROLLERS = {
    "controller": "a reject controller that times by itself (docs/controller-protocol.md)",
    "simulated_controller": "its firmware at the far end of a pty",
}
_OF_A_CONTROLLER = {
    "driver", "port", "mode", "pulse_ms", "window_ms", "actuator_delay_ms", "alive_timeout_ms", "require", "board",
}  # fmt: skip
DRIVERS = {
    **{name: entry.summary for name, entry in BOARDS.items()},
    SIMULATED: "the far end of a pty that behaves like one of them",
    **CONTROLLERS,
}

_PTY_ANSWERS_MS = 1000.0  # the kernel carries a pty's bytes at normal priority: under load that takes its time


class EjectorOptions(BaseModel):
    """The ejector of a station: which board on which port, how it is wired, and how exact it must be."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    driver: str = Field(SIMULATED, description=f"the relay board: {', '.join(DRIVERS)}")
    port: str = Field("", description="serial port, best /dev/serial/by-id/…; empty for simulated")
    channel: int = Field(1, ge=1, le=64, description="channel that rejects, counted from 1")
    mode: Literal["reject_pulse", "positive_release"] = Field(
        "reject_pulse", description="a pulse rejects the part, or the gate rejects by itself and a pulse lets it pass"
    )
    overlap: Literal["merge", "queue"] = Field(
        "merge", description="reject pulses that overlap become one, or each gets its own, the first one shortened"
    )
    pulse_ms: float = Field(30.0, ge=1, le=10_000, description="how long a pulse lasts")
    pause_ms: float = Field(5.0, ge=1, le=1000, description="shortest time off between two pulses that queue")
    window_ms: float = Field(5.0, gt=0, le=10_000, description="a pulse further than this from its moment is a fault")
    actuator_delay_ms: float = Field(0.0, ge=0, le=1000, description="from the switched relay to the part being hit")
    heartbeat_channel: int | None = Field(None, ge=1, le=64, description="channel of the watchdog relay, if wired")
    heartbeat_ms: float = Field(250.0, ge=20, le=10_000, description="time between two edges of the heartbeat")
    alive_timeout_ms: float = Field(500.0, ge=100, le=10_000, description="silence of the station that stops it")
    write_timeout_ms: float = Field(100.0, ge=5, le=2000, description="how long the port may take to accept a command")
    spin_us: float = Field(0.0, ge=0, le=200, description="last stretch before a pulse that is waited for awake")
    encoder_timeout_ms: float = Field(
        45.0,  # √(2 · 0.2 s · 5 ms): after it a belt that brakes within 0.2 s is a window of 5 ms behind; two samples
        ge=20,
        le=1000,
        description="older than this, a sample of the encoder says nothing; √(2 · braking time · window_ms)",
    )
    bin_full_input: int | None = Field(None, ge=1, le=64, description="input of the sensor of a full bin, if wired")
    confirm_input: int | None = Field(None, ge=1, le=64, description="input of the sensor that sees rejects, if wired")
    confirm_within_ms: float = Field(500.0, ge=10, le=60_000, description="how long a reject may take to be seen")
    require: tuple[int, ...] = Field((), description="promises that the wiring must keep, such as [4]; else refused")
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
        described: type[BaseModel] = ControllerBoard
        if driver not in CONTROLLERS:
            described = SimulatedOptions if driver == SIMULATED else options_of(driver)
        try:
            return described.model_validate(board).model_dump()
        except ValidationError as error:
            problems = [f"{'.'.join(map(str, one['loc'])) or 'board'}: {wording(one)}" for one in error.errors()]
            allowed = ", ".join(described.model_fields)
            text = "; ".join(problems).replace("{", "(").replace("}", ")")
            raise PydanticCustomError("board", f"{text} — {driver} may be told: {allowed}") from error

    @model_validator(mode="after")
    def _consistent(self) -> EjectorOptions:
        problems = []
        if not self.is_simulated and not self.port:
            problems.append(f"driver {self.driver} needs a port, such as /dev/serial/by-id/…")
        if self.is_simulated and self.port:
            problems.append(f"port is {self.port!r}, but the simulated ejector makes its own; leave it out")
        if self.is_controller:
            meaningless = sorted(self.model_fields_set - _OF_A_CONTROLLER)
            problems += [f"{name} has no meaning with driver {self.driver}; leave it out" for name in meaningless]
        channels = int(self.board.get("channels", 64))
        for name, channel in (("channel", self.channel), ("heartbeat_channel", self.heartbeat_channel)):
            if channel is not None and channel > channels:
                problems.append(f"{name} is {channel}, but the board has {channels}; see board.channels")
        if self.heartbeat_channel == self.channel:
            problems.append(f"heartbeat_channel and channel are both {self.channel}; give each its own")
        problems += self._wrong_pulses() + self._wrong_inputs() + self._unkept()
        if problems:
            raise PydanticCustomError("ejector", "; ".join(problems).replace("{", "(").replace("}", ")"))
        return self

    @property
    def is_simulated(self) -> bool:
        """Whether the far end is a process of ours."""
        return self.driver in (SIMULATED, "simulated_controller")

    @property
    def is_controller(self) -> bool:
        """Whether the far end times by itself, and tells of each trigger."""
        return self.driver in CONTROLLERS

    @property
    def protocol(self) -> str:
        """The board that is driven, or that the simulated one behaves like."""
        return str(self.board.get("protocol", "lcus")) if self.driver == SIMULATED else self.driver

    def _wrong_pulses(self) -> list[str]:
        problems = []
        if self.protocol == "modbus_flash":
            if self.pulse_ms % 100:
                problems.append(f"pulse_ms is {self.pulse_ms:g}, but modbus_flash knows multiples of 100 only")
            if self.overlap == "queue":
                problems.append("modbus_flash ends its pulses itself, so they cannot queue; set overlap to merge")
        if self.mode == "positive_release":
            if self.overlap == "queue":
                problems.append("overlap is queue, but release pulses always merge; leave it out")
            if self.pulse_ms < self.window_ms:
                problems.append(
                    f"pulse_ms is {self.pulse_ms:g}, but the gate must be held for the window of {self.window_ms:g} ms"
                )
        return problems

    def _wrong_inputs(self) -> list[str]:
        problems = []
        inputs = int(self.board.get("inputs", 0)) if self.protocol in ("modbus_rtu", "modbus_flash") else 0
        for name, number in (("bin_full_input", self.bin_full_input), ("confirm_input", self.confirm_input)):
            if number is not None and number > inputs:
                problems.append(f"{name} is {number}, but the board has {inputs}; see board.inputs, or leave it out")
        if self.confirm_input is not None and self.confirm_input == self.bin_full_input:
            problems.append(f"confirm_input and bin_full_input are both {self.confirm_input}; give each its own")
        if self.confirm_input is not None and self.mode == "positive_release":
            problems.append("confirm_input confirms reject pulses, and positive_release has none; leave it out")
        return problems

    def _unkept(self) -> list[str]:
        kept = kept_promises(self.silence_is_safe)
        return [
            f"{SILENCE} is required, but this wiring cannot keep it: {self.silence_is_safe.sentence}"
            if number == 4
            else f"promise {number} is required, but the wiring has no say in it; require may name: 3, 4"
            for number in self.require
            if number not in kept
        ]

    @property
    def silence_is_safe(self) -> Silence:
        """Whether promise 4 is kept by this wiring, and why."""
        if self.is_controller:
            return Silence(True, "the controller rejects by itself every part that it gets no answer for")
        ends_itself = self.protocol == "modbus_flash"
        return silence_is_safe(self.mode, ends_itself=ends_itself, has_heartbeat=self.heartbeat_channel is not None)

    def kept_promises(self) -> tuple[str, ...]:
        """Return which promises this wiring keeps, each with the reason."""
        return tuple(kept_promises(self.silence_is_safe).values())

    def broken_promises(self) -> tuple[str, ...]:
        """Return which promises of the station this wiring cannot keep, each with what would mend it."""
        return () if self.silence_is_safe.is_safe else (f"{SILENCE} cannot be kept: {self.silence_is_safe.sentence}",)

    def settings(self, *, margin_ms: float = 0.0, motion: Literal["clock", "encoder"] = "clock") -> Settings:
        """Return the plain values for the ejector's process; a simulated board goes by the driver that it obeys.

        margin_ms: how long before its command a verdict must have arrived. motion: what a due place is counted in.
        """
        values = self.model_dump(exclude={"require"})
        values.update(margin_ms=margin_ms, motion=motion)
        if self.driver == SIMULATED:
            values["driver"] = self.protocol
            values["board"] = {"channels": self.board["channels"]}
            if "answer_timeout_ms" in options_of(self.protocol).model_fields:
                values["board"]["answer_timeout_ms"] = _PTY_ANSWERS_MS
            if self.board["inputs"]:
                values["board"]["inputs"] = self.board["inputs"]
        return Settings(**values)


@dataclass(frozen=True, slots=True)
class Course:
    """How a part gets to an ejector that times by itself. travel: a length such as "600 ms" or "4500 counts"."""

    travel: str
    belt_speed_mm_s: float | None = None
    counts_per_mm: float | None = None


def make_ejector(
    options: EjectorOptions,
    *,
    margin_ms: float = 0.0,
    motion: Literal["clock", "encoder"] = "clock",
    course: Course | None = None,
    on_motion: Callable[[int, int], None] | None = None,
    on_event: Callable[[Stranger | BinFull | FaultReport], None] | None = None,
) -> Ejector:
    """Build the ejector that the options describe, unopened; a simulated one has a `board`.

    margin_ms, motion and course: as the geometry of the line has them. on_motion and on_event: what a controller tells
    of its encoder, and of what concerns no part.

    Raises EjectorOptionsError where a command takes longer on the wire than the heartbeat leaves between two edges, or
    where a controller's lengths cannot be converted.
    """
    if options.is_controller:
        return make_controller(_controller_options(options, margin_ms, motion, course), on_motion, on_event)
    settings = options.settings(margin_ms=margin_ms, motion=motion)
    command_ms = make_board(settings).occupied_s * 1e3
    if options.heartbeat_channel is not None and options.heartbeat_ms < 2 * command_ms:
        raise EjectorOptionsError(
            f"heartbeat_ms is {options.heartbeat_ms:g}, but one command occupies the line for {command_ms:.1f} ms — "
            "the heartbeat may take half of the line at most — set a longer heartbeat_ms or a higher baud rate"
        )
    if options.driver == SIMULATED:
        return SimulatedEjector(settings, int(options.board["channels"]))
    return SerialEjector(settings)


def _controller_options(
    options: EjectorOptions, margin_ms: float, motion: Literal["clock", "encoder"], course: Course | None
) -> ControllerOptions:
    if course is None:
        raise EjectorOptionsError("a controller must be told how far it is to the ejector — set [geometry] — mend it")
    try:
        return ControllerOptions(
            **options.board,
            port=options.port,
            mode="time" if motion == "clock" else "encoder",
            delay=course.travel,
            deadline=f"{margin_ms:g} ms",
            pulse=f"{options.pulse_ms:g} ms",
            window=f"{options.window_ms:g} ms",
            lead_ms=options.actuator_delay_ms,
            belt_speed_mm_s=course.belt_speed_mm_s,
            counts_per_mm=course.counts_per_mm,
            wiring=options.mode,
            alive_timeout_ms=round(options.alive_timeout_ms),
        )
    except ValidationError as error:
        text = "; ".join(wording(one) for one in error.errors())
        raise EjectorOptionsError(f"[ejector] with [geometry]: {text}") from error

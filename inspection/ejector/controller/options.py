"""What may be set for the reject controller: lengths with their unit, as they are measured at the line."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from inspection.ejector.controller.settings import ControllerSettings
from inspection.ejector.controller.wire import Config, ConfigFlag

Length = Annotated[str, Field(pattern=r"^\d+(\.\d+)?\s*(ms|mm|counts)$")]
_LENGTH = re.compile(r"^(\d+(?:\.\d+)?)\s*(ms|mm|counts)$")
_LARGEST = 1_000_000_000
Baud = Literal[115200, 230400, 460800, 921600]


class ControllerBoard(BaseModel):
    """What only a reject controller may be told; the rest of `[ejector]` and `[geometry]` goes for it, too."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    baud: Baud = Field(115200, description="bits per second; without meaning for a board on USB")
    eject_active_low: bool = False
    run_active_low: bool = False
    heartbeat_timeout_ms: int = Field(300, ge=20, le=10_000, description="silence after which everything is rejected")
    debounce_us: int = Field(1000, ge=0, le=20_000, description="edges of one input closer than this are one")
    presence_at: Length | None = Field(None, description="from the trigger to the presence sensor, if wired")
    presence_window: Length = Field("10 ms", description="half of the place in which a part is expected there")
    confirm_ms: float | None = Field(None, gt=0, le=60_000, description="until an ejected part is seen, if wired")
    bin_sensor: bool = Field(False, description="a sensor tells when the reject bin is full")
    release_limit_ms: int = Field(2000, ge=1, le=60_000, description="positive release: the gate is not open longer")
    encoder_period_ms: int = Field(10, ge=0, le=10_000, description="time between two samples of the encoder; 0: none")


class ControllerOptions(ControllerBoard):
    """A reject controller: where it is, how far the ejector is from its trigger, and how the ejector is wired.

    A length is `"300 ms"`, `"450 mm"` or `"9000 counts"`; belt_speed_mm_s and counts_per_mm convert between them.
    """

    port: str = Field("", description="serial port, best /dev/serial/by-id/…; empty for the simulated controller")
    mode: Literal["time", "encoder"] = Field("time", description="what measures the way to the ejector")
    delay: Length = Field("300 ms", description="from the trigger to the part being at the ejector")
    deadline: Length = Field("10 ms", description="a verdict counts until this much before the ejector must act")
    pulse: Length = Field("30 ms", description="how long the ejector acts")
    window: Length = Field("5 ms", description="half of the place in which a pulse belongs to its part")
    lead_ms: float = Field(0.0, ge=0, le=1000, description="from the switched output to the part being hit")
    belt_speed_mm_s: float | None = Field(None, gt=0, le=20_000)
    counts_per_mm: float | None = Field(None, gt=0, le=100_000)
    wiring: Literal["reject_pulse", "positive_release"] = Field("reject_pulse", description="what the output does")
    alive_timeout_ms: int = Field(500, ge=50, le=10_000, description="silence of the station that stops the heartbeat")

    @model_validator(mode="after")
    def _convertible(self) -> ControllerOptions:
        try:
            config = self.config()
        except ValueError as error:
            raise PydanticCustomError("controller", str(error).replace("{", "(").replace("}", ")")) from error
        lead = 0 if config.flags & ConfigFlag.DELAY_COUNTS else config.lead_us
        problems = []
        if config.deadline + config.window + lead >= config.delay:
            problems.append("delay must be longer than deadline, window and lead_ms together")
        if self.wiring == "positive_release" and config.deadline < config.window:
            problems.append("with positive_release, deadline must be at least as long as window")
        if (
            self.presence_at is not None
            and config.presence_at + config.presence_window + lead + config.window > config.delay
        ):
            problems.append("presence_at and presence_window must end before the ejector acts")
        if problems:
            raise PydanticCustomError("controller", "; ".join(problems))
        return self

    def config(self) -> Config:
        """Return what the controller is told. Raises ValueError for a length that cannot be converted."""
        width, width_counts = self._width()
        flags = ConfigFlag(0)
        for flag, holds in (
            (ConfigFlag.DELAY_COUNTS, self.mode == "encoder"),
            (ConfigFlag.WIDTH_COUNTS, width_counts),
            (ConfigFlag.POSITIVE_RELEASE, self.wiring == "positive_release"),
            (ConfigFlag.EJECT_ACTIVE_LOW, self.eject_active_low),
            (ConfigFlag.RUN_ACTIVE_LOW, self.run_active_low),
            (ConfigFlag.PRESENCE_SENSOR, self.presence_at is not None),
            (ConfigFlag.CONFIRM_SENSOR, self.confirm_ms is not None),
            (ConfigFlag.BIN_SENSOR, self.bin_sensor),
        ):
            flags |= flag if holds else ConfigFlag(0)
        wired = self.presence_at is not None
        return Config(
            flags=int(flags),
            delay=self._position("delay", self.delay),
            deadline=self._position("deadline", self.deadline),
            width=width,
            window=self._position("window", self.window),
            lead_us=round(self.lead_ms * 1000),
            heartbeat_timeout_ms=self.heartbeat_timeout_ms,
            debounce_us=self.debounce_us,
            presence_at=self._position("presence_at", self.presence_at) if self.presence_at is not None else 0,
            presence_window=self._position("presence_window", self.presence_window) if wired else 0,
            confirm_us=round((self.confirm_ms or 0.0) * 1000),
            release_limit_ms=self.release_limit_ms if self.wiring == "positive_release" else 0,
            encoder_period_ms=self.encoder_period_ms if self.mode == "encoder" else 0,
        )

    def settings(self) -> ControllerSettings:
        """Return the plain values for the driver."""
        config = self.config()
        if self.mode == "time":
            deadline_us = config.deadline
        else:
            deadline_us = (
                round(config.deadline / (self._counts_per_ms() or 1.0) * 1000) if self._counts_per_ms() else 20_000
            )
        return ControllerSettings(
            port=self.port,
            baud=self.baud,
            config=config,
            alive_timeout_s=self.alive_timeout_ms / 1e3,
            verdict_lead_ns=(config.lead_us + deadline_us) * 1000,
        )

    def _counts_per_ms(self) -> float | None:
        if self.counts_per_mm is None or self.belt_speed_mm_s is None:
            return None
        return self.counts_per_mm * self.belt_speed_mm_s / 1e3

    def _width(self) -> tuple[int, bool]:
        value, unit = _split(self.pulse)
        if unit == "ms":
            return _bounded("pulse", value * 1000), False
        if unit == "mm":
            if self.counts_per_mm is None:
                raise ValueError(f"pulse is {self.pulse!r}: set counts_per_mm, or give it in ms")
            value *= self.counts_per_mm
        return _bounded("pulse", value), True

    def _position(self, name: str, length: str) -> int:
        """Return a length in the unit of the mode: µs or counts."""
        value, unit = _split(length)
        if self.mode == "time":
            if unit == "ms":
                return _bounded(name, value * 1000)
            if unit == "mm" and self.belt_speed_mm_s is not None:
                return _bounded(name, value / self.belt_speed_mm_s * 1e6)
            raise ValueError(f"{name} is {length!r}, but mode is time: give it in ms, or in mm with belt_speed_mm_s")
        if unit == "counts":
            return _bounded(name, value)
        if unit == "mm" and self.counts_per_mm is not None:
            return _bounded(name, value * self.counts_per_mm)
        counts_per_ms = self._counts_per_ms()
        if unit == "ms" and counts_per_ms is not None:
            return _bounded(name, value * counts_per_ms)
        raise ValueError(
            f"{name} is {length!r}, but mode is encoder: give it in counts, in mm with counts_per_mm, "
            "or in ms with counts_per_mm and belt_speed_mm_s"
        )


def _split(length: str) -> tuple[float, str]:
    match = _LENGTH.match(length)
    if match is None:
        raise ValueError(f"{length!r} is no length — it is a number and ms, mm or counts, such as '300 ms'")
    return float(match[1]), match[2]


def _bounded(name: str, value: float) -> int:
    whole = round(value)
    if not (0 if name in ("deadline", "presence_at") else 1) <= whole <= _LARGEST:
        raise ValueError(f"{name} comes to {whole} µs or counts — it must be from 1 to {_LARGEST}")
    return whole

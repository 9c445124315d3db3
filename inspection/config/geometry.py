"""What the file may say about the belt: how a part gets from the photo-eye to the ejector, in time or in counts."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from inspection.config.cameras import CameraSection
from inspection.config.section import Section
from inspection.ejector.options import Course, EjectorOptions
from inspection.motion import ClockMotion, EncoderMotion, Motion
from inspection.tracking.geometry import Geometry
from inspection.tracking.match_settings import MatchSettings, Numbering


class GeometrySection(Section):
    """[geometry]: how a part gets from the camera to the ejector."""

    camera_to_ejector_mm: float | None = Field(None, gt=0, le=100_000)
    belt_speed_mm_s: float | None = Field(
        None, gt=0, le=20_000, description="speed of the belt; where an encoder follows it, its highest"
    )
    travel_time_s: float | None = Field(None, gt=0, le=600, description="instead of distance and speed")
    encoder_counts_per_mm: float | None = Field(
        None, gt=0, le=100_000, description="the belt is followed by an encoder; absent: its speed is constant"
    )
    margin_ms: float = Field(5.0, ge=0, le=10_000, description="kept free between the deadline and the reject command")
    separation_ms: float | None = Field(
        None,
        ge=0,
        le=10_000,
        description="a reject takes parts along that follow it by less, or lie less than its window ahead; "
        "absent: its pulse and window; 0: none",
    )

    closest_ms: float | None = Field(
        None, gt=0, le=60_000, description="smallest time between two parts; absent: as long as a pulse"
    )

    @model_validator(mode="after")
    def _one_way_to_say_it(self) -> Self:
        by_distance = self.camera_to_ejector_mm is not None and self.belt_speed_mm_s is not None
        some_distance = self.camera_to_ejector_mm is not None or self.belt_speed_mm_s is not None
        if by_distance == (self.travel_time_s is not None) or (some_distance and not by_distance):
            raise ValueError("give camera_to_ejector_mm and belt_speed_mm_s, or travel_time_s, and not both")
        if self.encoder_counts_per_mm is not None and not by_distance:
            raise ValueError("encoder_counts_per_mm needs camera_to_ejector_mm and belt_speed_mm_s, its highest speed")
        return self

    @property
    def travel_s(self) -> float:
        """Seconds from the photo-eye to the ejector; where an encoder follows the belt, the shortest."""
        if self.travel_time_s is not None:
            return self.travel_time_s
        assert self.camera_to_ejector_mm is not None
        assert self.belt_speed_mm_s is not None
        return self.camera_to_ejector_mm / self.belt_speed_mm_s

    def match_settings(self, camera: CameraSection, closest: int) -> MatchSettings:
        """Return where the exposures of a camera that does not give the triggers can be, as lengths of the motion.

        closest: the smallest distance of two parts. Raises ValueError where no frame could be matched for sure.
        """
        speed_mm_s = self.belt_speed_mm_s
        if camera.position_mm and speed_mm_s is None:
            raise ValueError(f"camera '{camera.name}' has a position_mm; [geometry] needs belt_speed_mm_s then")
        place = self.length(camera.position_mm / speed_mm_s) if speed_mm_s is not None else 0
        window = self.length(camera.window_ms * 1e-3)
        if 2 * window >= closest:
            limit_ms = camera.window_ms * closest / (2 * window)
            raise ValueError(
                f"camera '{camera.name}' has window_ms = {camera.window_ms:g}, but parts lie so close that less than "
                f"{limit_ms:.3g} is allowed; make it narrower than that, or set parts further apart"
            )
        return MatchSettings(
            Numbering.EXPOSURES,
            earliest=place - window,  # also where it looks at the photo-eye: neither clock is exact
            latest=place + window,
            arrival=self.length(camera.arrival_ms * 1e-3),
            closest=closest,
        )

    def course(self) -> Course:
        """Return how an ejector that times by itself is told of the way."""
        if self.encoder_counts_per_mm is None:
            return Course(f"{self.travel_s * 1e3:.3f} ms", self.belt_speed_mm_s)
        counts = self.length(self.travel_s)
        return Course(f"{counts} counts", self.belt_speed_mm_s, self.encoder_counts_per_mm)

    @property
    def followed_by(self) -> Literal["clock", "encoder"]:
        """What tells where the belt is."""
        return "clock" if self.encoder_counts_per_mm is None else "encoder"

    def motion(self) -> Motion:
        """Return a belt that the clock follows, or one that an encoder does."""
        return ClockMotion() if self.followed_by == "clock" else EncoderMotion()

    def length(self, seconds: float) -> int:
        """Return what the belt moves in a time at its (highest) speed, as a length of its motion: ns or counts."""
        if self.encoder_counts_per_mm is None:
            return round(seconds * 1e9)
        assert self.belt_speed_mm_s is not None
        return round(seconds * self.belt_speed_mm_s * self.encoder_counts_per_mm)

    def closest(self, ejector: EjectorOptions) -> int:
        """Return the smallest distance of two parts that the photo-eye tells apart, as a length of the motion."""
        closest_ms = ejector.pulse_ms if self.closest_ms is None else self.closest_ms
        return self.length(closest_ms * 1e-3)

    def geometry(self, ejector: EjectorOptions, ejector_lead_ns: int) -> Geometry:
        """Return the lengths that the tracker goes by. Raises ValueError when no time is left to decide."""
        lead_ms = ejector_lead_ns * 1e-6 + self.margin_ms
        if self.travel_s * 1e3 <= lead_ms:
            raise ValueError(
                f"a part is at the ejector after {self.travel_s * 1e3:.0f} ms, but the ejector needs its verdict "
                f"{lead_ms:.0f} ms earlier; move the ejector away from the camera, or slow the belt down"
            )
        reaches = ejector.mode == "reject_pulse"  # a gate that releases takes nobody along: its core sees to that
        behind_ms = ejector.pulse_ms + ejector.window_ms if self.separation_ms is None else self.separation_ms
        return Geometry(
            travel=self.length(self.travel_s),
            lead_ns=round(lead_ms * 1e6),
            takes_behind=self.length(behind_ms * 1e-3) if reaches else 0,
            takes_ahead=self.length(min(ejector.window_ms, behind_ms) * 1e-3) if reaches else 0,
        )

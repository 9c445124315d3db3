"""What a station's configuration says about challenges: how many parts, how often, and whether production waits."""

from __future__ import annotations

import re
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

MAX_PARTS = 1000
MAX_OPERATOR = 64
"""Characters of the name of whoever lays the parts."""
_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


class ChallengeOptions(BaseModel):
    """The table `[challenge]` of the configuration; read once, frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    required: bool = Field(default=False, description="nothing passes while a challenge is due")
    parts: int = Field(
        default=5, ge=1, le=MAX_PARTS, description="known-bad parts that must be ejected one after another"
    )
    marks: tuple[Annotated[str, Field(min_length=1, max_length=32)], ...] = Field(
        default=(), description="what is written on the known-bad parts, in the order in which they are laid"
    )
    every_hours: float = Field(default=8.0, gt=0, le=24 * 366, description="a passed challenge holds so long")
    max_age_h: float | None = Field(
        default=None,
        gt=0,
        le=24 * 366,
        description="nothing passes from this age on; from every_hours until then the page only reminds; absent: "
        "every_hours",
    )
    shift_starts: tuple[str, ...] = Field(
        default=(), description='local times of this PC, such as "06:00", at which a new challenge falls due'
    )
    on_start: bool = Field(default=True, description="each start of the station needs a challenge of its own")
    on_model_change: bool = Field(
        default=True, description="a challenge holds for the model bundle and the configuration that it was passed with"
    )
    timeout_s: float = Field(default=600.0, gt=0, le=86_400, description="time for laying all the parts")

    @property
    def block_hours(self) -> float:
        """The age of a passed challenge from which nothing passes any more."""
        return self.every_hours if self.max_age_h is None else self.max_age_h

    def mark(self, place: int) -> str:
        """Return what is written on the part at a place, counted from 1; `#6` where the file names none."""
        return self.marks[place - 1] if place <= len(self.marks) else f"#{place}"

    @field_validator("shift_starts")
    @classmethod
    def _are_times(cls, times: tuple[str, ...]) -> tuple[str, ...]:
        for time in times:
            if not _CLOCK.fullmatch(time):
                raise ValueError(f"{time!r} is no time of day — 00:00 to 23:59, two digits each")
        return times

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.marks and len(self.marks) != self.parts:
            raise ValueError(
                f"{len(self.marks)} marks for {self.parts} parts — name each part once, or leave marks out"
            )
        if len(set(self.marks)) != len(self.marks):
            raise ValueError("two marks are the same — each known-bad part has a mark of its own")
        if self.block_hours < self.every_hours:
            raise ValueError(
                f"max_age_h = {self.block_hours:g} is less than every_hours = {self.every_hours:g} — it is the later "
                "of the two; leave it out to have production wait from every_hours on"
            )
        return self

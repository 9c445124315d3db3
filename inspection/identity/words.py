"""The words of part identity: where serial numbers come from, what can be wrong with one, what the recipe does then."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Source(StrEnum):
    """Where a part's serial number comes from."""

    NONE = "none"  # parts have none
    CODE = "code"  # from a code on the part
    MES = "mes"  # named by the MES before the part triggers
    COUNTED = "counted"  # a prefix and a number


class Policy(StrEnum):
    """What the recipe does with a part whose serial number is missing or was there before."""

    REJECT = "reject"
    ASK = "ask"  # reject it now, and ask a person
    COUNT = "count"  # go by the model; a part without a serial number gets a counted one


class Trouble(StrEnum):
    """What is wrong with the serial number of a part."""

    UNREADABLE = "unreadable"  # there is none: the code cannot be read, or nobody named the part
    DUPLICATE = "duplicate"  # another part left the line with it


@dataclass(frozen=True, slots=True)
class Code:
    """One code in a picture. text: printable (`plain_text`). corners: (x, y) in pixels of the frame."""

    text: str
    format: str
    corners: tuple[tuple[int, int], ...]

    def story(self) -> dict[str, Any]:
        """Return it as the record keeps it."""
        return {"format": self.format, "corners": [list(corner) for corner in self.corners]}


@dataclass(frozen=True, slots=True)
class Reading:
    """What came of looking for the code of one part. serial: '' for none, then `why` says what was in its place.

    is_late: no time was left to look. has_failed: the picture could not be looked at, which is the station's fault.
    """

    serial: str = ""
    why: str = ""
    code: Code | None = None
    took_ms: float = 0.0
    is_late: bool = False
    has_failed: bool = False

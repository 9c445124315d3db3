"""What is known of a part's serial number while it is in flight, and who the tracker asks about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from inspection.part import Decision, EjectorAction

if TYPE_CHECKING:
    from inspection.identity.words import Reading
    from inspection.tracking.part import PartInFlight


@dataclass(slots=True)
class PartIdentity:
    """What the station knows of the name of one part. Changed under the tracker's lock.

    view: whose picture shows its code; None where none is read. is_awaited: its code is still to be read, and until
    then nothing is decided. story: what its record says about it.
    """

    view: int | None = None
    is_awaited: bool = False
    is_late: bool = False  # no time was left to read it
    has_failed: bool = False  # its picture could not be looked at
    trouble: str = ""
    has_claimed: bool = False  # its number is used up, unless it turns out that it left the belt
    scope: Any = None  # the numbers that it is held against
    story: dict[str, Any] = field(default_factory=dict)


class Identifies(Protocol):
    """Who names parts. Every method is called under the tracker's lock, and waits for nothing."""

    def admit(self, part: PartInFlight) -> None:
        """Begin the identity of a new part; it knows its lot."""

    def take(self, part: PartInFlight, reading: Reading) -> None:
        """Take what came of looking for a part's code."""

    def judge(self, part: PartInFlight, decision: Decision) -> Decision:
        """Return what becomes of a part that the model has decided about."""

    def ended(self, part: PartInFlight, action: EjectorAction) -> None:
        """Take what the ejector did: the number of a part that may have gone on is used up."""


class Nameless:
    """Names nothing: parts have no serial number."""

    def admit(self, part: PartInFlight) -> None:
        """Leave it without a name."""

    def take(self, part: PartInFlight, reading: Reading) -> None:
        """Leave it without a name."""

    def judge(self, part: PartInFlight, decision: Decision) -> Decision:
        """Leave it to the model."""
        del part
        return decision

    def ended(self, part: PartInFlight, action: EjectorAction) -> None:
        """Nothing is used up."""

"""The belt as it really moves, and the places beside it that parts come by."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Protocol

from inspection.simulation.virtual.agenda import Agenda
from inspection.simulation.virtual.plan import SECOND

if TYPE_CHECKING:
    from inspection.simulation.virtual.ledger import Tag


@dataclass(slots=True, eq=False)
class Pulse:
    """One time that the ejector was on, from `began_ns`.

    is_counted: as a fault, by a record, a counter or an alarm. fired_for: the parts that it was to hit, by the belt's
    place at their triggers.
    """

    began_ns: int = 0
    is_counted: bool = False
    fired_for: list[int] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Piece:
    """A physical part. position: the belt's count when it is at the photo-eye. view_scores: what the model finds."""

    index: int
    position: int
    is_good: bool
    view_scores: tuple[int, ...]
    model_passes: bool
    tag: Tag | None = None
    views_scored: int = 0  # one bit a view: the model has seen this very part there
    hit_by: Pulse | None = None
    fate: str = ""
    touches: bool = False  # it lies against the part before it: no beam and no sensor tells the two apart


class Watching(Protocol):
    """Whoever must know when the belt's speed changes."""

    def plan(self) -> None:
        """Take note that it has changed just now."""


class Belt:
    """A belt whose speed changes in steps; position in encoder counts, exact at every moment."""

    def __init__(self, agenda: Agenda) -> None:
        self._agenda = agenda
        self._since_ns = agenda.now_ns
        self._from = 0
        self.speed = 0  # counts a second
        self._places: list[Place] = []
        self._watching: list[Watching] = []

    @property
    def position(self) -> int:
        """Return where the belt is now."""
        return self._from + (self._agenda.now_ns - self._since_ns) * self.speed // SECOND

    def when(self, position: int) -> int | None:
        """Return when the belt is at a position if it goes on like this; None while it stands."""
        if not self.speed:
            return None
        return self._since_ns - (self._from - position) * SECOND // self.speed

    def run(self, speed: int) -> None:
        """Change the speed."""
        self._from, self._since_ns, self.speed = self.position, self._agenda.now_ns, speed
        for watching in (*self._places, *self._watching):
            watching.plan()

    def watch(self, watching: Watching) -> None:
        """Have somebody told whenever the speed changes, before the belt goes on with it."""
        self._watching.append(watching)

    def place(self, offset: int, arrived: Callable[[Piece], None]) -> Place:
        """Add a place beside the belt, `offset` counts behind the photo-eye."""
        place = Place(self, self._agenda, offset, arrived)
        self._places.append(place)
        return place

    @property
    def waiting(self) -> bool:
        """Return whether any part lies on it."""
        return any(place.waiting for place in self._places)

    def take_off(self) -> list[Piece]:
        """Take off every part that lies on the belt and return them, the foremost last."""
        pieces = []
        for place in self._places:
            pieces += list(place.waiting)[::-1]
            place.waiting.clear()
            place.plan()
        return pieces


class Place:
    """One place beside the belt; tells of each part that arrives there, in their order."""

    __slots__ = ("_agenda", "_arrived", "_belt", "_plan_number", "offset", "waiting")

    def __init__(self, belt: Belt, agenda: Agenda, offset: int, arrived: Callable[[Piece], None]) -> None:
        self._belt = belt
        self._agenda = agenda
        self.offset = offset
        self._arrived = arrived
        self._plan_number = 0
        self.waiting: deque[Piece] = deque()

    def expect(self, piece: Piece) -> None:
        """Take note of a part on its way here."""
        self.waiting.append(piece)
        if len(self.waiting) == 1:
            self.plan()

    def plan(self) -> None:
        """Find out when the next part arrives."""
        self._plan_number += 1
        if self.waiting:
            moment_ns = self._belt.when(self.waiting[0].position + self.offset)
            if moment_ns is not None:
                self._agenda.at(moment_ns, partial(self._arrive, self._plan_number))

    def _arrive(self, plan_number: int) -> None:
        if plan_number == self._plan_number:
            piece = self.waiting.popleft()
            self.plan()
            self._arrived(piece)

"""The port through which a challenge is begun, watched and cancelled, and what it tells about itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from inspection.challenge.book import Phase
from inspection.challenge.due import Due
from inspection.challenge.findings import Finding
from inspection.records.challenges import Ending, Outcome, StoredChallenge


@dataclass(frozen=True, slots=True)
class ChallengeView:
    """One consistent look at a challenge. `laid`: how many parts have triggered; findings come in their order."""

    name: str
    operator: str
    phase: Phase
    parts: int
    marks: tuple[str, ...]
    laid: int
    findings: tuple[Finding, ...]
    outcome: Outcome | None
    ending: Ending | None
    begun_wall_ns: int


@dataclass(frozen=True, slots=True)
class InterlockView:
    """Whether production may run: `blocks` is the answer, the rest says why.

    due_wall_ns, blocks_wall_ns: when the next challenge should be made, and from when on nothing passes without it; 0
    while none holds. marks: what is written on the parts of the next one.
    """

    required: bool
    blocks: bool
    due: Due
    soon: bool
    parts: int
    passed: str  # the challenge that holds, '' for none
    passed_wall_ns: int
    challenge: ChallengeView | None  # in work, or the last one of this run
    passed_operator: str = ""
    due_wall_ns: int = 0
    blocks_wall_ns: int = 0
    marks: tuple[str, ...] = ()


class ChallengeControl(Protocol):
    """What the API may ask; implemented by `inspection.challenge.interlock.Interlock`, safe from any thread."""

    def begin(self, parts: int, operator: str) -> ChallengeView:
        """Begin a challenge and return once that is durable; `parts` 0: as configured.

        Raises ChallengeError (running, number of parts, state) and RecordsError when it cannot be recorded.
        """

    def cancel(self, name: str) -> ChallengeView:
        """Give the named challenge up ('' for whichever runs). Raises ChallengeMissingError."""

    def view(self) -> InterlockView:
        """Return where the station stands."""

    def wait(self, name: str, version: int, timeout_s: float) -> tuple[int, ChallengeView] | None:
        """Wait until the named challenge is newer than `version`; None when nothing happened in time.

        Raises ChallengeMissingError for one that this run has not seen lately.
        """

    def past(self, limit: int) -> list[StoredChallenge]:
        """Return the durable ends of challenges, newest first."""

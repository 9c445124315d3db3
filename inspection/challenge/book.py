"""The challenge book: which parts are challenged, what their records prove, and whether anything may pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from inspection.challenge import EXTRA_KEY
from inspection.challenge.due import Due, Production, Standing, next_wall_ns, standing
from inspection.challenge.errors import ChallengeMissingError, ChallengePartsError, ChallengeRunningError
from inspection.challenge.findings import Finding, Proof, find
from inspection.challenge.options import MAX_PARTS, ChallengeOptions
from inspection.records.challenges import ChallengeEntry, Ending, EntryKind, Outcome
from inspection.records.record import StoredRecord


class Phase(StrEnum):
    """What a challenge does now."""

    BEGINNING = "BEGINNING"  # its beginning is not durable yet: no part is marked
    RUNNING = "RUNNING"  # each part that triggers is marked until all are
    ENDING = "ENDING"  # given up: the marked parts that are on the belt still get their records
    SETTLING = "SETTLING"  # it is over, but its end is not durable yet
    ENDED = "ENDED"


@dataclass(slots=True)
class Challenge:
    """One challenge in work. Owned by the book, changed by nobody else."""

    name: str
    operator: str
    parts: int
    begun_wall_ns: int
    give_up_host_ns: int
    phase: Phase = Phase.BEGINNING
    outcome: Outcome | None = None
    ending: Ending | None = None
    places: dict[int, int] = field(default_factory=dict)  # part number → place; parts that were marked
    findings: dict[int, Finding] = field(default_factory=dict)  # by place

    @property
    def is_over(self) -> bool:
        """Return whether its end is decided; it counts once that is durable."""
        return self.phase in (Phase.SETTLING, Phase.ENDED)


class ChallengeBook:
    """The state of challenges, pure: no thread, no disk, its clocks are handed in. Owned by the interlock.

    Whoever owns it makes `pending` durable and then calls `settled`: the book counts nothing as begun or passed before.
    `blocks` is the interlock: True while nothing may pass. While a challenge runs nothing passes either, until the last
    marked part has its record, so that a known-bad part cannot slip through at its end.
    """

    HISTORY = 200

    def __init__(
        self,
        options: ChallengeOptions,
        production: Production,
        ended: Sequence[ChallengeEntry],
        *,
        wall_ns: Callable[[], int],
        host_ns: Callable[[], int],
        drain_s: float,
    ) -> None:
        """ended: the durable ends of challenges, newest first. drain_s: by when a marked part must have its record."""
        self.options = options
        self._production = production
        self._history = list(ended[: self.HISTORY])
        self._wall_ns, self._host_ns = wall_ns, host_ns
        self._drain_ns = round(drain_s * 1e9)
        self._seen_pass: tuple[int, int] | None = None  # wall and host time of the newest pass that this process saw
        self.current: Challenge | None = None
        """The challenge in work, or the last one that this process saw; None before the first."""

    def change(self, production: Production) -> None:
        """Go by what runs from now on; no challenge is in work."""
        self._production = production

    # ------------------------------------------------------------- the interlock

    @property
    def standing(self) -> Standing:
        """Where the station stands now, by what is durable; meaningful whether or not a challenge is required."""
        return standing(self.options, self._production, self._history, self._now_wall_ns())

    @property
    def next_wall_ns(self) -> tuple[int, int]:
        """When the next challenge should be made, and from when on nothing passes without it; 0 where neither is set.

        Meaningful while a passed one holds; then nothing else than time and the next shift can end it.
        """
        passed = self.standing.passed
        if passed is None:
            return 0, 0
        due_wall_ns, blocks_wall_ns = next_wall_ns(self.options, passed, self._now_wall_ns())
        return due_wall_ns, blocks_wall_ns if self.options.required else 0

    @property
    def required(self) -> bool:
        """True while the configuration demands a challenge and none holds."""
        return self.options.required and self.standing.due is not Due.NOT_YET

    @property
    def in_work(self) -> Challenge | None:
        """The challenge that has begun and whose end is not durable yet."""
        return self.current if self.current is not None and self.current.phase is not Phase.ENDED else None

    @property
    def blocks(self) -> bool:
        """True while nothing may pass."""
        return self.in_work is not None or self.required

    @property
    def last_conclusive(self) -> ChallengeEntry | None:
        """The newest durable end that says something: PASSED or FAILED."""
        return next((entry for entry in self._history if entry.outcome is not Outcome.ABORTED), None)

    def _now_wall_ns(self) -> int:
        """Return the wall time, but never one that makes the last passed challenge younger than it is."""
        now_wall_ns = self._wall_ns()
        if self._seen_pass is None:
            return now_wall_ns
        passed_wall_ns, passed_host_ns = self._seen_pass
        return max(now_wall_ns, passed_wall_ns + self._host_ns() - passed_host_ns)

    # ---------------------------------------------------------------- commands

    def begin(self, parts: int, operator: str) -> Challenge:
        """Begin a challenge; `parts` 0 takes the number of the configuration.

        Raises ChallengeRunningError, and ChallengePartsError for fewer parts than configured or more than 1,000.
        """
        running = self.in_work
        if running is not None:
            raise ChallengeRunningError(
                f"challenge {running.name} of {running.operator} runs — one at a time is allowed — wait until it has "
                "ended, or cancel it",
                running.name,
                running.operator,
            )
        wanted = parts or self.options.parts
        if not self.options.parts <= wanted <= MAX_PARTS:
            raise ChallengePartsError(
                f"a challenge of {wanted} parts — {self.options.parts} (challenge.parts) to {MAX_PARTS} are allowed — "
                "ask for more, or leave the number out"
            )
        begun_wall_ns = self._wall_ns()
        moment = datetime.fromtimestamp(begun_wall_ns // 1000 * 1e-6, UTC)
        self.current = Challenge(
            moment.strftime("%Y%m%dT%H%M%S.%fZ"),
            operator,
            wanted,
            begun_wall_ns,
            self._host_ns() + round(self.options.timeout_s * 1e9),
        )
        return self.current

    def cancel(self, name: str, ending: Ending = Ending.CANCELLED) -> Challenge:
        """Give a challenge up: no further part is marked, those on the belt are waited for; '' takes the one in work.

        Safe to repeat while it ends. Raises ChallengeMissingError when it does not run.
        """
        challenge = self.in_work
        if challenge is None or name not in ("", challenge.name):
            running = "none runs" if challenge is None else f"{challenge.name} runs"
            raise ChallengeMissingError(
                f"challenge {name or '(any)'} does not run: {running} — only a running one can be cancelled — look at "
                "the list of past ones for how it ended"
            )
        if challenge.phase in (Phase.BEGINNING, Phase.RUNNING):
            challenge.ending = challenge.ending or ending
            if challenge.phase is Phase.RUNNING:
                challenge.phase = Phase.ENDING  # one that is just beginning follows once it is durable
            challenge.give_up_host_ns = self._host_ns() + self._drain_ns
            self._conclude(challenge)
        return challenge

    # ---------------------------------------------------------- the way of parts

    def mark(self, part: int) -> str:
        """Return the challenge that a part which is born now belongs to, '' for none."""
        challenge = self.in_work
        if challenge is None or challenge.phase is not Phase.RUNNING or len(challenge.places) >= challenge.parts:
            return ""
        challenge.places[part] = len(challenge.places) + 1
        return challenge.name

    def on_durable(self, records: Iterable[StoredRecord]) -> None:
        """Take what has become durable; records of other parts and of other challenges change nothing."""
        challenge = self.in_work
        if challenge is None:
            return
        for record in records:
            place = challenge.places.get(record.part)
            is_ours = record.run == self._production.run and record.extra.get(EXTRA_KEY) == challenge.name
            if place is not None and is_ours and place not in challenge.findings:
                challenge.findings[place] = find(record, place, self.options.mark(place))
        self._conclude(challenge)

    def tick(self) -> None:
        """Let time pass: a challenge whose parts do not come is given up, one that cannot be drained ends."""
        challenge = self.in_work
        if challenge is None or challenge.is_over or self._host_ns() < challenge.give_up_host_ns:
            return
        if challenge.phase is Phase.RUNNING:
            self.cancel(challenge.name, Ending.TIMED_OUT)
        elif challenge.phase is Phase.ENDING:
            self._end(challenge)

    def _conclude(self, challenge: Challenge) -> None:
        """End a challenge that has nothing more to wait for."""
        if challenge.phase is Phase.RUNNING and len(challenge.findings) == challenge.parts:
            challenge.ending = Ending.COMPLETE
            self._end(challenge)
        elif challenge.phase is Phase.ENDING and len(challenge.findings) == len(challenge.places):
            self._end(challenge)

    def _end(self, challenge: Challenge) -> None:
        proofs = [finding.proof for finding in challenge.findings.values()]
        if any(proof is not Proof.EJECTED for proof in proofs):
            challenge.outcome = Outcome.FAILED
        elif challenge.ending is Ending.COMPLETE:
            challenge.outcome = Outcome.PASSED
        else:
            challenge.outcome = Outcome.ABORTED
        challenge.phase = Phase.SETTLING

    # --------------------------------------------------------------- durability

    @property
    def pending(self) -> ChallengeEntry | None:
        """What must be made durable next, None when everything is."""
        challenge = self.in_work
        if challenge is None or challenge.phase not in (Phase.BEGINNING, Phase.SETTLING):
            return None
        common = (challenge.operator, challenge.parts)
        production = (self._production.run, self._production.bundle_digest, self._production.config_hash)
        if challenge.phase is Phase.BEGINNING:
            return ChallengeEntry(EntryKind.BEGUN, challenge.name, challenge.begun_wall_ns, *production, *common)
        findings = tuple(challenge.findings[place].plain() for place in sorted(challenge.findings))
        return ChallengeEntry(
            EntryKind.ENDED,
            challenge.name,
            self._wall_ns(),
            *production,
            *common,
            outcome=challenge.outcome,
            ending=challenge.ending,
            findings=findings,
        )

    def settled(self, entry: ChallengeEntry) -> None:
        """Take note that `entry` is durable: the challenge begins, or its outcome counts."""
        challenge = self.in_work
        if challenge is None or challenge.name != entry.challenge:
            return
        if entry.kind is EntryKind.BEGUN and challenge.phase is Phase.BEGINNING:
            challenge.phase = Phase.RUNNING if challenge.ending is None else Phase.ENDING
            self._conclude(challenge)
        elif entry.kind is EntryKind.ENDED and challenge.phase is Phase.SETTLING:
            challenge.phase = Phase.ENDED
            self._history = [entry, *self._history][: self.HISTORY]
            if entry.outcome is Outcome.PASSED:
                self._seen_pass = (entry.wall_ns, self._host_ns())

    def withdraw(self) -> None:
        """Forget a challenge whose beginning could not be made durable: nothing was marked, nobody has seen it."""
        if self.current is not None and self.current.phase is Phase.BEGINNING:
            self.current = None

"""The challenge book: what counts as passed, when one is due, and that nothing passes in between."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from challenged import HERE, HOUR_NS, Clocks, a_book, a_record, pass_challenge, settle
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from inspection.challenge.book import ChallengeBook, Phase
from inspection.challenge.due import Due, Production
from inspection.challenge.errors import ChallengeMissingError, ChallengePartsError, ChallengeRunningError
from inspection.challenge.findings import Proof
from inspection.challenge.options import ChallengeOptions
from inspection.part import EjectorAction
from inspection.records.challenges import ChallengeEntry, Ending, EntryKind, Outcome


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


def test_nothing_passes_before_the_first_passed_challenge(clocks: Clocks) -> None:
    """A station that demands one and has none blocks; it runs again once the end is durable, not a moment before."""
    book = a_book(clocks)
    assert (book.standing.due, book.blocks) == (Due.NEVER, True)
    name = book.begin(0, "kim").name
    assert book.mark(1) == ""  # its beginning is not durable yet
    settle(book)
    for part in (1, 2, 3):
        assert book.mark(part) == name
    assert book.mark(4) == ""
    for part in (1, 2, 3):
        assert book.blocks
        book.on_durable([a_record(part, name)])
    assert book.blocks
    assert book.in_work is not None
    entry = settle(book)
    assert entry is not None
    assert (entry.outcome, entry.ending, len(entry.findings)) == (Outcome.PASSED, Ending.COMPLETE, 3)
    assert not book.blocks


@pytest.mark.parametrize(
    ("kind", "changes", "proof"),
    [
        ("missed", {}, Proof.CALLED_OK),
        ("late", {}, Proof.NOT_JUDGED),
        ("blind", {}, Proof.NOT_JUDGED),
        ("found", {"by_default": True}, Proof.NOT_JUDGED),
        *(("found", {"action": action}, Proof.NOT_FIRED) for action in EjectorAction if action != "FIRED"),
    ],
)
def test_one_part_that_is_not_ejected_by_the_model_fails_it(
    clocks: Clocks, kind: str, changes: dict[str, object], proof: Proof
) -> None:
    """Rejected by default, by the challenge, for want of an image, or not confirmed: none of these is an ejection."""
    book = a_book(clocks)
    name = book.begin(0, "kim").name
    settle(book)
    for part in (1, 2, 3):
        book.mark(part)
    book.on_durable([a_record(1, name), a_record(2, name, kind, **changes), a_record(3, name)])
    entry = settle(book)
    assert entry is not None
    assert entry.outcome is Outcome.FAILED
    assert [finding["proof"] for finding in entry.findings] == [Proof.EJECTED, proof, Proof.EJECTED]
    assert (book.standing.due, book.blocks) == (Due.FAILED, True)


def test_records_of_others_prove_nothing(clocks: Clocks) -> None:
    """A record of another run, of another challenge, of a part that was not marked, or a second one: ignored."""
    book = a_book(clocks)
    name = book.begin(0, "kim").name
    settle(book)
    for part in (1, 2, 3):
        book.mark(part)
    book.on_durable([a_record(1, name, run="another"), a_record(2, "another"), a_record(3), a_record(9, name)])
    assert book.in_work is not None
    assert book.in_work.findings == {}
    book.on_durable([a_record(1, name), a_record(1, name, "missed")])
    assert book.in_work.findings[1].proof is Proof.EJECTED


def test_a_failed_challenge_takes_the_passed_one_back(clocks: Clocks) -> None:
    """A belt on which a known-bad part was not ejected is not fit to run, however fresh the last passed challenge."""
    book = a_book(clocks)
    pass_challenge(book)
    name = book.begin(0, "kim").name
    settle(book)
    for part in (11, 12, 13):
        book.mark(part)
        book.on_durable([a_record(part, name, "missed")])
    settle(book)
    assert book.standing.due is Due.FAILED
    pass_challenge(book, 21)
    assert not book.blocks


def test_a_cancelled_challenge_waits_for_its_parts_and_never_passes(clocks: Clocks) -> None:
    """Given up with two parts on the belt: nothing passes until both have their records; without a miss it is ABORTED,
    and what held before holds still."""
    book = a_book(clocks)
    pass_challenge(book)
    name = book.begin(0, "kim").name
    settle(book)
    for part in (11, 12):
        book.mark(part)
    book.cancel(name)
    book.cancel(name)
    assert book.mark(13) == ""
    book.on_durable([a_record(11, name)])
    assert (book.in_work is not None, book.blocks, book.pending) == (True, True, None)
    book.on_durable([a_record(12, name)])
    entry = settle(book)
    assert entry is not None
    assert (entry.outcome, entry.ending, len(entry.findings)) == (Outcome.ABORTED, Ending.CANCELLED, 2)
    assert not book.blocks
    with pytest.raises(ChallengeMissingError, match="none runs"):
        book.cancel(name)


def test_cancelling_does_not_hide_a_part_that_was_not_ejected(clocks: Clocks) -> None:
    """The record of a marked part counts also when it comes after the operator gave up: FAILED."""
    book = a_book(clocks)
    name = book.begin(0, "kim").name
    settle(book)
    book.mark(1)
    book.cancel("")
    book.on_durable([a_record(1, name, "missed")])
    entry = settle(book)
    assert entry is not None
    assert (entry.outcome, entry.ending) == (Outcome.FAILED, Ending.CANCELLED)


def test_a_challenge_that_is_cancelled_while_it_begins_never_marks(clocks: Clocks) -> None:
    """Its beginning becomes durable, then its end; no part was laid for it."""
    book = a_book(clocks)
    book.begin(0, "kim")
    book.cancel("")
    begun = settle(book)
    assert book.mark(1) == ""
    ended = settle(book)
    assert begun is not None
    assert ended is not None
    assert (begun.kind, ended.kind, ended.outcome) == (EntryKind.BEGUN, EntryKind.ENDED, Outcome.ABORTED)


def test_parts_that_do_not_come_end_it(clocks: Clocks) -> None:
    """After the time for laying, the challenge is given up; a marked part that gets no record is waited for so long."""
    book = a_book(clocks, timeout_s=60)
    book.begin(0, "kim")
    settle(book)
    book.mark(1)
    clocks.go(59 / 3600)
    book.tick()
    assert book.current is not None
    assert book.current.phase is Phase.RUNNING
    clocks.go(2 / 3600)
    book.tick()
    assert (book.current.phase, book.pending) == (Phase.ENDING, None)
    clocks.go(11 / 3600)
    book.tick()
    entry = settle(book)
    assert entry is not None
    assert (entry.outcome, entry.ending) == (Outcome.ABORTED, Ending.TIMED_OUT)


def test_two_operators_at_once(clocks: Clocks) -> None:
    """The second is told whose challenge runs; the first one's goes on."""
    book = a_book(clocks)
    name = book.begin(0, "kim").name
    with pytest.raises(ChallengeRunningError, match="of kim runs") as refused:
        book.begin(0, "lee")
    assert (refused.value.challenge, refused.value.operator) == (name, "kim")
    with pytest.raises(ChallengeMissingError, match=f"{name} runs"):
        book.cancel("another")


@pytest.mark.parametrize("parts", [-1, 1, 2, 1001])
def test_fewer_parts_than_configured_are_refused(clocks: Clocks, parts: int) -> None:
    """An easy challenge does not release the interlock, so it is not begun."""
    book = a_book(clocks)
    with pytest.raises(ChallengePartsError, match=r"3 .* to 1000"):
        book.begin(parts, "kim")
    assert book.in_work is None
    assert book.begin(4, "kim").parts == 4


def test_a_beginning_that_cannot_be_recorded_is_withdrawn(clocks: Clocks) -> None:
    """Nothing was marked, nothing is in work, the next operator may begin."""
    book = a_book(clocks)
    book.begin(0, "kim")
    book.withdraw()
    assert book.in_work is None
    assert book.mark(1) == ""
    book.begin(0, "lee")


def test_age_reminds_first_and_blocks_then(clocks: Clocks) -> None:
    """From every_hours on the page reminds, from max_age_h on nothing passes."""
    book = a_book(clocks, every_hours=8, max_age_h=10)
    pass_challenge(book)
    for hours, soon, due in ((7.9, False, Due.NOT_YET), (0.2, True, Due.NOT_YET), (1.9, True, Due.AGE)):
        clocks.go(hours)
        assert book.standing.due is due
        assert book.standing.soon is (soon and due is Due.NOT_YET)
    assert book.blocks


def test_a_clock_that_is_set_back_makes_nothing_younger(clocks: Clocks) -> None:
    """In the same run the monotonic clock counts; after a restart one that lies in the future does not hold."""
    book = a_book(clocks, on_start=False)
    entry = pass_challenge(book)
    clocks.go(7)
    clocks.wall_ns -= 6 * HOUR_NS
    assert not book.blocks
    clocks.go(1.1)
    assert book.standing.due is Due.AGE
    clocks.wall_ns = entry.wall_ns - HOUR_NS
    assert a_book(clocks, [entry], on_start=False).standing.due is Due.CLOCK


@pytest.mark.parametrize(
    ("production", "options", "due"),
    [
        (HERE, {}, Due.NOT_YET),
        (Production("next", HERE.bundle_digest, HERE.config_hash), {}, Due.START),
        (Production("next", HERE.bundle_digest, HERE.config_hash), {"on_start": False}, Due.NOT_YET),
        (Production(HERE.run, "other", HERE.config_hash), {}, Due.CHANGED),
        (Production(HERE.run, HERE.bundle_digest, "other"), {}, Due.CHANGED),
        (Production(HERE.run, "other", "other"), {"on_model_change": False}, Due.NOT_YET),
        (HERE, {"parts": 4}, Due.NEVER),
    ],
)
def test_what_a_passed_challenge_holds_for(
    clocks: Clocks, production: Production, options: dict[str, object], due: Due
) -> None:
    """For its run, its model bundle and its configuration, and for as many parts as are demanded now."""
    entry = pass_challenge(a_book(clocks))
    assert a_book(clocks, [entry], production, **options).standing.due is due


def test_the_next_challenge_is_told_with_its_time(clocks: Clocks) -> None:
    """From `every_hours` on it is expected, from `max_age_h` on nothing passes; a new shift comes before both. At each
    moment told the standing does change, and not a second before."""
    book = a_book(clocks, every_hours=4.0, max_age_h=6.0)
    assert book.next_wall_ns == (0, 0)
    passed = pass_challenge(book)
    due_wall_ns, blocks_wall_ns = book.next_wall_ns
    assert (due_wall_ns, blocks_wall_ns) == (passed.wall_ns + 4 * HOUR_NS, passed.wall_ns + 6 * HOUR_NS)
    clocks.go((due_wall_ns - clocks.wall_ns - 10**9) / HOUR_NS)
    assert not book.standing.soon
    clocks.go(2e9 / HOUR_NS)
    assert book.standing.soon
    assert not book.blocks
    clocks.go((blocks_wall_ns - clocks.wall_ns) / HOUR_NS)
    assert book.blocks
    assert book.next_wall_ns == (0, 0)

    start = datetime.fromtimestamp(clocks.wall_ns / 1e9).astimezone() + timedelta(hours=1, minutes=1)
    book = a_book(clocks, shift_starts=[start.strftime("%H:%M")], every_hours=4.0)
    passed = pass_challenge(book)
    due_wall_ns, blocks_wall_ns = book.next_wall_ns
    assert due_wall_ns == blocks_wall_ns
    assert 0 < due_wall_ns - clocks.wall_ns <= 61 * 60 * 10**9
    clocks.go((due_wall_ns - clocks.wall_ns - 10**9) / HOUR_NS)
    assert not book.blocks
    clocks.go(2e9 / HOUR_NS)
    assert book.blocks
    book = a_book(clocks, required=False)
    pass_challenge(book)
    assert book.next_wall_ns[1] == 0


def test_a_new_shift_needs_a_challenge_of_its_own(clocks: Clocks) -> None:
    """What was passed before the shift began does not hold in it."""
    now = datetime.fromtimestamp(clocks.wall_ns / 1e9).astimezone()
    start = (now + timedelta(minutes=30)).strftime("%H:%M")
    book = a_book(clocks, shift_starts=[start])
    pass_challenge(book)
    clocks.go(0.3)
    assert not book.blocks
    clocks.go(0.3)
    assert book.standing.due is Due.SHIFT
    pass_challenge(book, 11)
    assert not book.blocks


def test_a_station_that_demands_none_is_never_held_up(clocks: Clocks) -> None:
    """Without `required` a failed challenge is recorded and production goes on; while one runs nothing passes."""
    book = a_book(clocks, required=False)
    assert not book.blocks
    name = book.begin(0, "kim").name
    settle(book)
    assert book.blocks
    for part in (1, 2, 3):
        book.mark(part)
        book.on_durable([a_record(part, name, "missed")])
    settle(book)
    assert not book.blocks
    assert book.last_conclusive is not None
    assert book.last_conclusive.outcome is Outcome.FAILED


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"marks": ["A", "B"]}, "2 marks for 5 parts"),
        ({"marks": ["A", "A"], "parts": 2}, "two marks are the same"),
        ({"max_age_h": 4.0}, "less than every_hours"),
        ({"shift_starts": ["24:00"]}, "no time of day"),
        ({"parts": 0}, "greater than or equal to 1"),
        ({"partz": 1}, "Extra inputs"),
    ],
)
def test_options_that_make_no_sense_are_refused(values: dict[str, object], text: str) -> None:
    """Each with its value and what is allowed."""
    with pytest.raises(ValueError, match=text):
        ChallengeOptions.model_validate(values)


class Life(RuleBasedStateMachine):
    """Any order of operators, parts, records, time, kills and disks: the promises of the interlock hold throughout."""

    @initialize()
    def start(self) -> None:
        self.clocks = Clocks()
        self.disk: list[ChallengeEntry] = []
        self.part = 0
        self.belt: list[tuple[int, str]] = []
        self.laid: dict[str, list[int]] = {}
        self.proved: dict[str, dict[int, bool]] = {}
        self.runs = 0
        self.restart()

    @rule()
    def restart(self) -> None:
        """A start finds ends on disk only; what was unfinished gets an end that is no pass."""
        self.runs += 1
        self.run = f"run-{self.runs}"
        unfinished = [e for e in self.disk if e.kind is EntryKind.BEGUN]
        ended = {e.challenge for e in self.disk if e.kind is EntryKind.ENDED}
        for begun in (e for e in unfinished if e.challenge not in ended):
            failed = not all(self.proved.get(begun.challenge, {}).values())
            self.disk.append(
                ChallengeEntry(
                    EntryKind.ENDED, begun.challenge, self.clocks.wall_ns, begun.run, "b", "c", "kim", begun.parts,
                    Outcome.FAILED if failed else Outcome.ABORTED, Ending.STATION_ENDED,
                )
            )  # fmt: skip
        self.belt = []
        history = [e for e in reversed(self.disk) if e.kind is EntryKind.ENDED]
        self.book: ChallengeBook = a_book(self.clocks, history, Production(self.run, "b", "c"), timeout_s=600)
        assert self.book.blocks  # on_start: each start needs its own

    @rule()
    def begin(self) -> None:
        self.clocks.wall_ns += 1000
        try:
            self.laid.setdefault(self.book.begin(0, "kim").name, [])
        except ChallengeRunningError:
            assert self.book.in_work is not None

    @rule(works=st.booleans())
    def write(self, works: bool) -> None:
        entry = self.book.pending
        if entry is not None and works:
            self.disk.append(entry)
            self.book.settled(entry)

    @rule()
    def trigger(self) -> None:
        self.part += 1
        name = self.book.mark(self.part)
        if name:
            assert any(e.challenge == name and e.kind is EntryKind.BEGUN for e in self.disk)
            self.laid[name].append(self.part)
        self.belt.append((self.part, name))

    @rule(last=st.sampled_from(["found", "found", "missed"]))
    def challenge_at_a_stretch(self, last: str) -> None:
        """What an operator does on a good day, up to its last part; the disk may keep the end waiting."""
        self.begin()
        self.write(works=True)
        while (work := self.book.in_work) is not None and work.phase is Phase.RUNNING:
            if len(work.places) < work.parts:
                self.trigger()
            self.record(last if len(self.belt) == 1 else "found", last=False)

    @precondition(lambda self: self.belt)
    @rule(kind=st.sampled_from(["found", "found", "found", "missed", "blind"]), last=st.booleans())
    def record(self, kind: str, last: bool) -> None:
        part, name = self.belt.pop(-1 if last else 0)
        if name:
            self.proved.setdefault(name, {})[part] = kind == "found"
        self.book.on_durable([a_record(part, name, kind, run=self.run)])

    @rule()
    def cancel(self) -> None:
        try:
            self.book.cancel("")
        except ChallengeMissingError:
            assert self.book.in_work is None

    @rule(hours=st.sampled_from([0.001, 0.05, 0.2, 9.0]))
    def wait(self, hours: float) -> None:
        self.clocks.go(hours)
        self.book.tick()

    @invariant()
    def what_may_pass_has_been_proved(self) -> None:
        """Unblocked means: the newest conclusive end on disk is a pass of this run, young enough, each part ejected."""
        if not hasattr(self, "book") or self.book.blocks:
            return
        ends = [e for e in self.disk if e.kind is EntryKind.ENDED and e.outcome is not Outcome.ABORTED]
        newest = ends[-1]
        assert (newest.outcome, newest.run) == (Outcome.PASSED, self.run)
        assert self.clocks.wall_ns - newest.wall_ns < 8 * HOUR_NS
        parts = self.laid[newest.challenge]
        assert len(parts) == newest.parts == len(newest.findings)
        assert all(self.proved[newest.challenge][part] for part in parts)

    @invariant()
    def a_marked_part_on_the_belt_never_passes(self) -> None:
        """While a challenge is in work and one of its parts has no record, nothing may pass."""
        if hasattr(self, "book") and (work := self.book.in_work) is not None:
            assert self.book.blocks
            assert len(work.places) <= work.parts


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)

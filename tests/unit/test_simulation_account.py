"""The demo's account finds every broken promise that is put before it."""

from __future__ import annotations

import pytest

from inspection.part import EjectorAction, Evaluation, Reason, Verdict
from inspection.records.record import ImageState, StoredRecord
from inspection.simulation.account import FarEnd, settle

MS = 1_000_000
LEAD, WINDOW = 5 * MS, 10 * MS


def _record(part: int, *, passed: bool, truth: str = "good") -> StoredRecord:
    due = part * 100 * MS
    return StoredRecord(
        sequence=part, run="r", station="s", model="m", bundle_digest="", config_hash="", part=part,
        verdict=Verdict.PASS if passed else Verdict.REJECT,
        evaluation=Evaluation.OK if passed else Evaluation.NOT_OK,
        reason=Reason.NONE if passed else Reason.MODEL,
        score=0.1 if passed else 0.9, threshold=0.5, defect_class="", raw_scores=(),
        ejector_action=EjectorAction.RELEASED if passed else EjectorAction.FIRED, by_default=False,
        written_host_ns=None if passed else due - LEAD, lateness_us=None,
        trigger_host_ns=due - 90 * MS, frame_host_ns=due - 80 * MS,
        batch_host_ns=due - 70 * MS, scored_host_ns=due - 60 * MS, decided_host_ns=due - 60 * MS, due_host_ns=due,
        deadline_host_ns=due - 10 * MS, trigger_wall_ns=0, latency_us=1, frame_counter=part, device_ns=None,
        lost_before=0, pixel_format="Mono8", truth=truth, extra={}, image_state=ImageState.NO_IMAGE, image_file="",
        image_sha256="", image_bytes=0, record_hash="",
    )  # fmt: skip


def _far_end(*parts: int, off: int = 0) -> FarEnd:
    return FarEnd([part * 100 * MS - LEAD + off for part in parts], LEAD, WINDOW)


GOOD_RUN = [_record(1, passed=True), _record(2, passed=False, truth="chip"), _record(3, passed=True)]


def test_a_sound_run_keeps_every_promise() -> None:
    """Three parts, one reject, one pulse at its time."""
    account = settle(3, 3, GOOD_RUN, _far_end(2))
    assert account.promises_broken == []
    assert (account.passed, account.rejected, account.pulses, account.wrong_pulses) == (2, 1, 1, 0)
    assert (account.escaped, account.overkill) == (0, 0)


def test_truth_is_held_against_the_verdicts() -> None:
    """A bad part that passed has escaped, a good one that was rejected is overkill; neither breaks a promise."""
    account = settle(2, 2, [_record(1, passed=True, truth="stain"), _record(2, passed=False)], _far_end(2))
    assert (account.escaped, account.overkill, account.promises_broken) == (1, 1, [])


@pytest.mark.parametrize(
    ("triggers", "published", "records", "far_end", "promise"),
    [
        (4, 3, GOOD_RUN, _far_end(2), "1 "),
        (3, 4, [*GOOD_RUN, GOOD_RUN[0]], _far_end(2), "1 "),
        (3, 3, [GOOD_RUN[0]._replace(score=None), *GOOD_RUN[1:]], _far_end(2), "2 "),
        (3, 3, [GOOD_RUN[0]._replace(decided_host_ns=10**12), *GOOD_RUN[1:]], _far_end(2), "2 "),
        (3, 3, GOOD_RUN, _far_end(), "3 "),
        (3, 3, GOOD_RUN, _far_end(2, 3), "3 "),
        (3, 3, [r._replace(ejector_action=EjectorAction.FIRED) for r in GOOD_RUN], _far_end(2), "3 "),
        (3, 3, GOOD_RUN, _far_end(1), "3 "),
        (3, 3, GOOD_RUN, _far_end(2, off=20 * MS), "3 "),
        (3, 2, GOOD_RUN, _far_end(2), "5 "),
    ],
    ids=[
        "lost",
        "doubled",
        "unscored",
        "late-pass",
        "no-pulse",
        "one-more",
        "passed-but-fired",
        "early",
        "wrong-time",
        "shown-less",
    ],
)
def test_each_broken_promise_is_named(
    triggers: int, published: int, records: list[StoredRecord], far_end: FarEnd, promise: str
) -> None:
    """The account of a run with one fault names the promise that it broke."""
    broken = settle(triggers, published, records, far_end).promises_broken
    assert [text[:2] for text in broken] == [promise]


def test_a_late_pulse_that_the_station_counted_is_a_fault_and_no_broken_promise() -> None:
    """FIRED_LATE is in the record: the pulse counts as wrong, and nothing was silent."""
    records = [
        GOOD_RUN[0],
        GOOD_RUN[1]._replace(ejector_action=EjectorAction.FIRED_LATE, written_host_ns=205 * MS),
        GOOD_RUN[2],
    ]
    account = settle(3, 3, records, _far_end(2, off=20 * MS))
    assert (account.wrong_pulses, account.promises_broken) == (1, [])

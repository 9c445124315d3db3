"""What the page says about a challenge, from the interlock's status alone."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspection.api import v1 as pb
from inspection.page import challenge_words
from inspection.texts import LANGUAGES, load_catalogue

TEXTS = load_catalogue("en")


def findings(count: int, proof: pb.ChallengeProof.ValueType) -> list[pb.ChallengeFinding]:
    return [pb.ChallengeFinding(place=place, mark=f"C{place}", proof=proof) for place in range(1, count + 1)]


def challenge(phase: pb.ChallengePhase.ValueType, laid: int = 0, found: int = 0) -> pb.GetChallengeStatusResponse:
    one = pb.Challenge(phase=phase, parts=3, marks=["C1", "C2", "C3"], laid=laid)
    one.findings.extend(findings(found, pb.CHALLENGE_PROOF_EJECTED))
    return pb.GetChallengeStatusResponse(required=True, parts=3, marks=["C1", "C2", "C3"], challenge=one)


def kinds(known: pb.GetChallengeStatusResponse) -> list[str]:
    return [step.kind for step in challenge_words.steps(known, TEXTS)]


def test_one_part_is_next_while_parts_may_be_laid() -> None:
    """Ejected, on its way, next: in the order of the parts; before the beginning is durable nothing is laid."""
    assert kinds(challenge(pb.CHALLENGE_PHASE_BEGINNING)) == ["waiting", "waiting", "waiting"]
    assert kinds(challenge(pb.CHALLENGE_PHASE_RUNNING)) == ["next", "waiting", "waiting"]
    assert kinds(challenge(pb.CHALLENGE_PHASE_RUNNING, laid=2, found=1)) == ["ejected", "on_its_way", "next"]
    assert kinds(challenge(pb.CHALLENGE_PHASE_ENDING, laid=2, found=1)) == ["ejected", "on_its_way", "waiting"]
    assert kinds(challenge(pb.CHALLENGE_PHASE_ENDED, laid=2, found=2)) == ["ejected", "ejected", "waiting"]
    assert kinds(pb.GetChallengeStatusResponse(marks=["A", "B"])) == ["waiting", "waiting"]


def test_the_button_says_where_the_station_stands() -> None:
    """Due, running, holding, expected, or not demanded."""
    now_wall_ns = time.time_ns()
    holds = {"passed": "X", "passed_wall_ns": now_wall_ns, "due_wall_ns": now_wall_ns}
    known = pb.GetChallengeStatusResponse
    assert challenge_words.button(known(required=True, blocks=True), TEXTS).kind == "due"
    assert challenge_words.button(known(), TEXTS).kind == "idle"
    assert challenge_words.button(known(required=True, **holds), TEXTS).kind == "good"
    assert challenge_words.button(known(required=True, soon=True, **holds), TEXTS).kind == "soon"
    running = challenge_words.button(challenge(pb.CHALLENGE_PHASE_RUNNING, 2, 1), TEXTS)
    assert (running.kind, running.word) == ("running", "1 of 3")


def test_another_day_is_named_with_its_date() -> None:
    """A time of today is an hour and a minute; of any other day, month and day come before it."""
    now_wall_ns = time.time_ns()
    assert len(challenge_words.moment(now_wall_ns)) == len("14:05")
    assert len(challenge_words.moment(now_wall_ns + 48 * 3600 * 10**9)) == len("12-31 14:05")


@pytest.mark.parametrize("language", LANGUAGES)
@settings(max_examples=60)
@given(
    due=st.sampled_from(pb.ChallengeDue.values()),
    phase=st.sampled_from(pb.ChallengePhase.values()),
    outcome=st.sampled_from(pb.ChallengeOutcome.values()),
    ending=st.sampled_from(pb.ChallengeEnding.values()),
    proof=st.sampled_from(pb.ChallengeProof.values()[1:]),
    flags=st.tuples(st.booleans(), st.booleans(), st.booleans(), st.booleans()),
    found=st.integers(0, 3),
)
def test_everything_has_words(
    language: str,
    due: pb.ChallengeDue.ValueType,
    phase: pb.ChallengePhase.ValueType,
    outcome: pb.ChallengeOutcome.ValueType,
    ending: pb.ChallengeEnding.ValueType,
    proof: pb.ChallengeProof.ValueType,
    flags: tuple[bool, bool, bool, bool],
    found: int,
) -> None:
    """No status that a station can send is without words, and none shows a value that is missing."""
    texts = load_catalogue(language)
    required, holds, soon, has_challenge = flags
    one = pb.Challenge(phase=phase, parts=3, laid=found, outcome=outcome, ending=ending)
    one.findings.extend(findings(found, proof))
    known = pb.GetChallengeStatusResponse(
        required=required, due=due, soon=soon, parts=3, passed="X" if holds else "", blocks_wall_ns=1 if required else 0
    )
    if has_challenge:
        known.challenge.CopyFrom(one)
    ended = challenge_words.outcome(known, texts)
    said = [challenge_words.button(known, texts).word, *challenge_words.standing(known, texts)]
    said += [step.word for step in challenge_words.steps(known, texts)]
    said += [] if ended is None else [ended.text]
    assert all(sentence and "?" not in sentence for sentence in said)

"""What a challenge is in an operator's words: pure functions from the interlock's status to what is shown."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from inspection.api import v1 as pb
from inspection.texts import Catalogue

_RUNNING = (
    pb.CHALLENGE_PHASE_BEGINNING,
    pb.CHALLENGE_PHASE_RUNNING,
    pb.CHALLENGE_PHASE_ENDING,
    pb.CHALLENGE_PHASE_SETTLING,
)
_ICONS = {
    "ejected": "check_circle",
    "missed": "cancel",
    "on_its_way": "pending",
    "next": "arrow_circle_right",
    "waiting": "radio_button_unchecked",
}


@dataclass(frozen=True, slots=True)
class Button:
    """The way to the challenge, in the header: `kind` is good, soon, due, running or idle; the word says the same."""

    kind: str
    icon: str
    word: str


@dataclass(frozen=True, slots=True)
class Step:
    """One known-bad part: what is written on it, and what became of it. `kind` is a key of the table of icons."""

    mark: str
    kind: str
    icon: str
    word: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the last challenge ended. `kind` is passed, failed or aborted."""

    kind: str
    icon: str
    text: str


def is_running(known: pb.GetChallengeStatusResponse) -> bool:
    """Return whether a challenge has begun whose end is not recorded yet."""
    return known.HasField("challenge") and known.challenge.phase in _RUNNING


def button(known: pb.GetChallengeStatusResponse, texts: Catalogue) -> Button:
    """Say in two or three words where the station stands."""
    if is_running(known):
        word = texts.text("challenge_button.running", done=len(known.challenge.findings), parts=known.challenge.parts)
        return Button("running", "fact_check", word)
    if known.passed:
        kind, icon = ("soon", "update") if known.soon else ("good", "verified")
        return Button(kind, icon, texts.text(f"challenge_button.{kind}", until=moment(known.due_wall_ns)))
    if known.required:
        return Button("due", "gpp_maybe", texts.text("challenge_button.due"))
    return Button("idle", "radio_button_unchecked", texts.text("challenge_button.idle"))


def standing(known: pb.GetChallengeStatusResponse, texts: Catalogue) -> list[str]:
    """Say since when a challenge holds and for how long, or why one is due; one sentence each."""
    if is_running(known):
        return [texts.text("challenge_standing.running")]
    if known.passed:
        who = known.passed_operator or texts.text("challenge_standing.nobody")
        said = [texts.text("challenge_standing.passed", time=moment(known.passed_wall_ns), operator=who)]
        said.append(texts.text("challenge_standing.due", time=moment(known.due_wall_ns)))
        if known.blocks_wall_ns:
            said.append(texts.text("challenge_standing.blocks", time=moment(known.blocks_wall_ns)))
        return said
    if known.required:
        due = pb.ChallengeDue.Name(known.due).removeprefix("CHALLENGE_DUE_")
        why = texts.texts.get(f"alarm_value.{due}", due)
        return [texts.text("challenge_standing.required", parts=known.parts, why=why)]
    return [texts.text("challenge_standing.free")]


def steps(known: pb.GetChallengeStatusResponse, texts: Catalogue) -> list[Step]:
    """Tell of each part of the challenge that runs or has just ended; before the first, of those to have at hand."""
    if not known.HasField("challenge"):
        return [_step(mark, "waiting", texts.text("challenge_step.waiting")) for mark in known.marks]
    challenge = known.challenge
    found = {finding.place: finding for finding in challenge.findings}
    told = []
    for place in range(1, challenge.parts + 1):
        mark = challenge.marks[place - 1] if place <= len(challenge.marks) else f"#{place}"
        told.append(_told(mark, place, challenge, found, texts))
    return told


def _told(
    mark: str, place: int, challenge: pb.Challenge, found: Mapping[int, pb.ChallengeFinding], texts: Catalogue
) -> Step:
    finding = found.get(place)
    if finding is not None:
        proof = pb.ChallengeProof.Name(finding.proof).removeprefix("CHALLENGE_PROOF_")
        return _step(mark, "ejected" if proof == "EJECTED" else "missed", texts.text(f"challenge_proof.{proof}"))
    if place <= challenge.laid and challenge.phase in _RUNNING:
        return _step(mark, "on_its_way", texts.text("challenge_step.on_its_way"))
    if place == challenge.laid + 1 and challenge.phase == pb.CHALLENGE_PHASE_RUNNING:
        return _step(mark, "next", texts.text("challenge_step.next"))
    return _step(mark, "waiting", texts.text("challenge_step.waiting" if is_open(challenge) else "challenge_step.none"))


def is_open(challenge: pb.Challenge) -> bool:
    """Return whether parts of this challenge may still be laid."""
    return challenge.phase in (pb.CHALLENGE_PHASE_BEGINNING, pb.CHALLENGE_PHASE_RUNNING)


def _step(mark: str, kind: str, word: str) -> Step:
    return Step(mark, kind, _ICONS[kind], word)


def outcome(known: pb.GetChallengeStatusResponse, texts: Catalogue) -> Outcome | None:
    """Say how the last challenge of this run ended; None while one runs and before the first."""
    challenge = known.challenge
    if is_running(known) or challenge.outcome == pb.CHALLENGE_OUTCOME_UNSPECIFIED:
        return None
    ejected = sum(finding.proof == pb.CHALLENGE_PROOF_EJECTED for finding in challenge.findings)
    values = {"ejected": ejected, "parts": challenge.parts, "missed": len(challenge.findings) - ejected}
    if challenge.outcome == pb.CHALLENGE_OUTCOME_PASSED:
        return Outcome("passed", "verified", texts.text("challenge_outcome.PASSED", **values))
    ending = pb.ChallengeEnding.Name(challenge.ending).removeprefix("CHALLENGE_ENDING_")
    why = texts.texts.get(f"challenge_ending.{ending}", "")
    if challenge.outcome == pb.CHALLENGE_OUTCOME_FAILED:
        return Outcome("failed", "report", f"{texts.text('challenge_outcome.FAILED', **values)} {why}".strip())
    return Outcome("aborted", "cancel", f"{texts.text('challenge_outcome.ABORTED', **values)} {why}".strip())


def moment(wall_ns: int) -> str:
    """Return a wall time as hours and minutes of this PC's time zone, with month and day when it is not today."""
    then = datetime.fromtimestamp(wall_ns / 1e9, tz=UTC).astimezone()
    today = datetime.fromtimestamp(time.time(), tz=UTC).astimezone().date()
    return then.strftime("%H:%M" if then.date() == today else "%m-%d %H:%M")

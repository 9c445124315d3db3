"""Challenges as protobuf messages."""

from __future__ import annotations

from inspection.api import v1 as pb
from inspection.api.messages import ACTIONS, EVALUATIONS, REASONS
from inspection.challenge.book import Phase
from inspection.challenge.control import ChallengeView, InterlockView
from inspection.challenge.due import Due
from inspection.challenge.findings import Finding, Proof
from inspection.part import EjectorAction, Evaluation, Reason
from inspection.records.challenges import Ending, Outcome, StoredChallenge

PHASES = {word: pb.ChallengePhase.Value(f"CHALLENGE_PHASE_{word}") for word in Phase}
OUTCOMES = {word: pb.ChallengeOutcome.Value(f"CHALLENGE_OUTCOME_{word}") for word in Outcome}
ENDINGS = {word: pb.ChallengeEnding.Value(f"CHALLENGE_ENDING_{word}") for word in Ending}
PROOFS = {word: pb.ChallengeProof.Value(f"CHALLENGE_PROOF_{word}") for word in Proof}
DUES = {word: pb.ChallengeDue.Value(f"CHALLENGE_DUE_{word}") for word in Due}


def finding_message(finding: Finding) -> pb.ChallengeFinding:
    """Return what became of one part as clients see it."""
    return pb.ChallengeFinding(
        place=finding.place,
        mark=finding.mark,
        part=finding.part,
        proof=PROOFS[finding.proof],
        evaluation=EVALUATIONS[Evaluation(finding.evaluation)],
        reason=REASONS[Reason(finding.reason)],
        ejector_action=ACTIONS[EjectorAction(finding.ejector_action)],
        score=finding.score,
        sequence=finding.sequence,
        record_hash=finding.record_hash,
    )


def challenge_message(view: ChallengeView) -> pb.Challenge:
    """Return a challenge of this run as clients see it."""
    return pb.Challenge(
        name=view.name,
        operator=view.operator,
        phase=PHASES[view.phase],
        parts=view.parts,
        marks=view.marks,
        laid=view.laid,
        findings=[finding_message(finding) for finding in view.findings],
        outcome=pb.CHALLENGE_OUTCOME_UNSPECIFIED if view.outcome is None else OUTCOMES[view.outcome],
        ending=pb.CHALLENGE_ENDING_UNSPECIFIED if view.ending is None else ENDINGS[view.ending],
        begun_wall_ns=view.begun_wall_ns,
    )


def past_message(stored: StoredChallenge) -> pb.Challenge:
    """Return a past challenge from its durable end."""
    entry = stored.entry
    return pb.Challenge(
        name=entry.challenge,
        operator=entry.operator,
        phase=pb.CHALLENGE_PHASE_ENDED,
        parts=entry.parts,
        laid=len(entry.findings),
        findings=[finding_message(Finding.from_plain(finding)) for finding in entry.findings],
        outcome=pb.CHALLENGE_OUTCOME_UNSPECIFIED if entry.outcome is None else OUTCOMES[entry.outcome],
        ending=pb.CHALLENGE_ENDING_UNSPECIFIED if entry.ending is None else ENDINGS[entry.ending],
        ended_wall_ns=entry.wall_ns,
        run=entry.run,
        bundle_digest=entry.bundle_digest,
        config_hash=entry.config_hash,
        entry_hash=stored.hash,
    )


def interlock_message(view: InterlockView) -> pb.GetChallengeStatusResponse:
    """Return where the station stands as clients see it."""
    return pb.GetChallengeStatusResponse(
        required=view.required,
        blocks=view.blocks,
        due=DUES[view.due],
        soon=view.soon,
        parts=view.parts,
        passed=view.passed,
        passed_wall_ns=view.passed_wall_ns,
        challenge=None if view.challenge is None else challenge_message(view.challenge),
        passed_operator=view.passed_operator,
        due_wall_ns=view.due_wall_ns,
        blocks_wall_ns=view.blocks_wall_ns,
        marks=view.marks,
    )

"""What one durable record proves about a known-bad part: ejected by the model's own verdict, or why not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self

from inspection.part import EjectorAction, Evaluation, Reason, Verdict
from inspection.records.record import StoredRecord


class Proof(StrEnum):
    """What became of a known-bad part; only EJECTED counts."""

    EJECTED = "EJECTED"  # NOT_OK by the model, and the pulse was written inside the part's window
    CALLED_OK = "CALLED_OK"  # the model found nothing: rejected by the challenge alone
    NOT_JUDGED = "NOT_JUDGED"  # rejected, but not by the model: no image, too late, a fault
    NOT_FIRED = "NOT_FIRED"  # judged NOT_OK, but the ejector did not eject it inside its window


@dataclass(frozen=True, slots=True)
class Finding:
    """One part of a challenge, tied to its record; immutable.

    place: from 1, in the order of the triggers. sequence, record_hash: the record that proves it.
    """

    place: int
    mark: str
    part: int
    proof: Proof
    evaluation: str
    reason: str
    ejector_action: str
    score: float | None
    sequence: int
    record_hash: str

    def plain(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        return asdict(self)

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Self:
        """Return what `plain` gave. Raises TypeError, KeyError or ValueError for anything else."""
        return cls(**{**values, "proof": Proof(values["proof"])})


def find(record: StoredRecord, place: int, mark: str) -> Finding:
    """Return what a record proves about the part that was laid at a place."""
    return Finding(
        place=place,
        mark=mark,
        part=record.part,
        proof=proof_of(record),
        evaluation=record.evaluation.value,
        reason=record.reason.value,
        ejector_action=record.ejector_action.value,
        score=record.score,
        sequence=record.sequence,
        record_hash=record.record_hash,
    )


def proof_of(record: StoredRecord) -> Proof:
    """Judge one record: the model itself must have said NOT_OK in time, and the reject have fired in its window."""
    if record.evaluation is Evaluation.OK:
        return Proof.CALLED_OK
    by_model = record.evaluation is Evaluation.NOT_OK and record.reason is Reason.MODEL and not record.by_default
    if not by_model:
        return Proof.NOT_JUDGED
    is_out = record.verdict is Verdict.REJECT and record.ejector_action is EjectorAction.FIRED
    return Proof.EJECTED if is_out else Proof.NOT_FIRED

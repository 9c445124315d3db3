"""Human verdicts beside the machine's: entries of the book that name a record."""

from __future__ import annotations

import time

import grpc

from inspection.api import v1 as pb
from inspection.api.errors import RefusedError
from inspection.api.messages import VERDICTS
from inspection.part import Verdict
from inspection.plain_text import unprintable
from inspection.records.entries import Entry, EntryBook, EntryKind, StoredEntry
from inspection.records.record import StoredRecord

_MAX_CLASS, _MAX_COMMENT, _MAX_WHO, _MAX_SERIAL = 64, 1000, 64, 256
_MOST = 1000
_WORDS = {VERDICTS[word]: word for word in Verdict}


def review_entry(request: pb.ReviewResultRequest, record: StoredRecord, caller: str) -> Entry:
    """Return what is written down of a review. Raises RefusedError (INVALID_ARGUMENT): VERDICT, WHO or REVIEW."""
    verdict = _WORDS.get(request.verdict)
    if verdict is None:
        text = f"verdict is {request.verdict} — PASS or REJECT is needed — say what was found"
        raise _refused("VERDICT", text, "verdict")
    reviewer = " ".join(request.reviewer.split())
    if not 1 <= len(reviewer) <= _MAX_WHO:
        text = f"reviewer has {len(reviewer)} characters — 1 to {_MAX_WHO} are needed — name a person"
        raise _refused("WHO", text, "reviewer")
    if bad := unprintable(reviewer):
        text = f"reviewer has the character {bad} — printable ones are allowed, since the entry stays — leave it out"
        raise _refused("WHO", text, "reviewer")
    for name, most in (("defect_class", _MAX_CLASS), ("comment", _MAX_COMMENT), ("serial", _MAX_SERIAL)):
        if len(getattr(request, name)) > most:
            text = f"{name} has {len(getattr(request, name))} characters — at most {most} are allowed — shorten it"
            raise _refused("REVIEW", text, name)
        if bad := unprintable(getattr(request, name), lines=name == "comment"):
            text = f"{name} has the character {bad} — printable ones are allowed, since the entry stays — leave it out"
            raise _refused("REVIEW", text, name)
    content = {
        "verdict": verdict.value,
        "defect_class": request.defect_class,
        "comment": request.comment,
        "caller": caller,
        "machine": record.verdict.value,
        "record_hash": record.record_hash,
        **({"serial": request.serial} if request.serial else {}),
    }
    return Entry(EntryKind.REVIEW, str(record.sequence), reviewer, time.time_ns(), content)


def reviews_of(book: EntryBook, sequence: int) -> list[pb.Review]:
    """Return a record's reviews, the oldest first."""
    return [review_message(one) for one in book.entries(kind=EntryKind.REVIEW, subject=str(sequence), limit=_MOST)]


def review_message(stored: StoredEntry) -> pb.Review:
    """Return a stored review as clients see it."""
    entry, content = stored.entry, stored.entry.content
    return pb.Review(
        entry=stored.sequence,
        sequence=int(entry.subject),
        reviewer=entry.who,
        verdict=VERDICTS[Verdict(content["verdict"])],
        defect_class=str(content.get("defect_class", "")),
        comment=str(content.get("comment", "")),
        wall_ns=entry.wall_ns,
        serial=str(content.get("serial", "")),
    )


def _refused(reason: str, text: str, field: str) -> RefusedError:
    return RefusedError(grpc.StatusCode.INVALID_ARGUMENT, reason, text, field=field)

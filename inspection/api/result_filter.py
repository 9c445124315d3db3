"""What a client looks for among the records, checked."""

from __future__ import annotations

import math
from typing import Literal

import grpc

from inspection.api import v1 as pb
from inspection.api.errors import RefusedError
from inspection.api.messages import EVALUATIONS, REASONS, VERDICTS
from inspection.records.search import Search

_MAX_TEXT = 256
_VERDICTS = {number: word for word, number in VERDICTS.items()}
_EVALUATIONS = {number: word for word, number in EVALUATIONS.items()}
_REASONS = {number: word for word, number in REASONS.items()}


def search_of(asked: pb.ResultFilter) -> Search:
    """Return what is looked for. Raises RefusedError (INVALID_ARGUMENT, reason FILTER) with the field."""
    for name in ("run", "lot", "serial", "reviewer", "defect_class"):
        if len(getattr(asked, name)) > _MAX_TEXT:
            raise _refused(name, f"{name} has {len(getattr(asked, name))} characters — at most {_MAX_TEXT} are allowed")
    for name, words in (("verdict", _VERDICTS), ("evaluation", _EVALUATIONS), ("reason", _REASONS)):
        if getattr(asked, name) and getattr(asked, name) not in words:
            raise _refused(name, f"{name} is {getattr(asked, name)} — a value of its enum is needed")
    if asked.HasField("part") and not asked.run:
        raise _refused("part", f"part {asked.part} is named without a run — a restart counts anew — name it, too")
    if asked.HasField("part") and asked.part < 1:
        raise _refused("part", f"part is {asked.part} — parts count from 1")
    since, until = _given(asked, "since_wall_ns"), _given(asked, "until_wall_ns")
    if since is not None and until is not None and since >= until:
        raise _refused("until_wall_ns", f"until_wall_ns is {until}, since_wall_ns {since} — a later end is needed")
    low, high = _score(asked, "min_score"), _score(asked, "max_score")
    if low is not None and high is not None and low > high:
        raise _refused("max_score", f"max_score is {high:g}, min_score {low:g} — a higher end is needed")
    return Search(
        run=asked.run or None,
        part=asked.part if asked.HasField("part") else None,
        lot=asked.lot or None,
        serial=asked.serial or None,
        reviewer=asked.reviewer or None,
        verdict=_VERDICTS.get(asked.verdict),
        evaluation=_EVALUATIONS.get(asked.evaluation),
        reason=_REASONS.get(asked.reason),
        defect_class=asked.defect_class or None,
        min_score=low,
        max_score=high,
        since_wall_ns=since,
        until_wall_ns=until,
    )


def _given(asked: pb.ResultFilter, name: Literal["since_wall_ns", "until_wall_ns"]) -> int | None:
    return getattr(asked, name) if asked.HasField(name) else None


def _score(asked: pb.ResultFilter, name: Literal["min_score", "max_score"]) -> float | None:
    value = float(getattr(asked, name)) if asked.HasField(name) else None
    if value is not None and not math.isfinite(value):
        raise _refused(name, f"{name} is {value} — a number is needed")
    if value is not None and not 0.0 <= value <= 1.0:
        raise _refused(name, f"{name} is {value:g} — scores are from 0 to 1")
    return value


def _refused(field: str, text: str) -> RefusedError:
    return RefusedError(
        grpc.StatusCode.INVALID_ARGUMENT, "FILTER", f"{text} — change the filter", field=f"filter.{field}"
    )

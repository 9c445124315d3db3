"""The threshold that a card proposes, and in plain words what the validation sample can and cannot show about it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from models.card import Threshold
from training.intervals import cases_needed, upper_limit
from training.metrics import Scored, make_rate

_MARGIN = 1e-9


def choose_threshold(scored: Scored, target_escape: float) -> Threshold:
    """Choose the threshold on validation images for an escape target in 0..1, and state what the sample supports.

    As many defects may score below it as the target allows of this sample; within the gap between the lowest defect
    that must be caught and the next lower image, the middle on the logit scale is taken. Without a defect the value is
    0.5. `target_met` is told by the one-sided 95 % limit, counted in groups where images share a group.
    """
    probability, defective = scored.probability, scored.defective
    value = _place(probability, defective, target_escape) if defective.any() else 0.5
    escaped = defective & (probability < value)
    rejected_good = ~defective & (probability >= value)
    groups_escaped, groups = scored.count_groups(escaped), scored.count_groups(defective)
    return Threshold(
        value=value,
        target_escape=target_escape,
        target_met=groups > 0 and upper_limit(groups_escaped, groups) <= target_escape,
        statement=_statement(int(escaped.sum()), int(defective.sum()), groups_escaped, groups, target_escape),
        validation_escape=make_rate(int(escaped.sum()), int(defective.sum())),
        validation_overkill=make_rate(int(rejected_good.sum()), int((~defective).sum())),
    )


def _place(probability: NDArray[np.float64], defective: NDArray[np.bool_], target: float) -> float:
    caught = np.sort(probability[defective])
    allowed = min(len(caught) - 1, math.floor(target * len(caught) + _MARGIN))
    lowest = float(caught[allowed])
    lower = probability[probability < lowest]
    if len(lower) == 0:
        return lowest
    middle = _sigmoid((_logit(lowest) + _logit(float(lower.max()))) / 2.0)
    return middle if float(lower.max()) < middle <= lowest else lowest


def _logit(share: float) -> float:
    inside = min(max(share, 1e-300), 1.0 - 1e-16)
    return math.log(inside) - math.log1p(-inside)


def _sigmoid(value: float) -> float:
    return 1.0 / (1.0 + math.exp(-value)) if value >= 0 else math.exp(value) / (1.0 + math.exp(value))


def _statement(escaped: int, defects: int, groups_escaped: int, groups: int, target: float) -> str:
    """Say what was counted, what it still allows, and how many defects the target would take."""
    if defects == 0:
        return (
            f"No defect in the validation images: nothing is known about escapes, the target of {_percent(target)} "
            f"cannot be supported; at least {cases_needed(target)} defects without an escape are needed."
        )
    limit = upper_limit(groups_escaped, groups)
    counted = f"{_count(defects, 'validation defect')}: {_count(escaped, 'escape')}"
    if groups < defects:
        counted += f"; they show {_count(groups, 'independent piece')}, {groups_escaped} of which escaped at least once"
    still = f"{'' if limit <= target else 'still '}means up to {_percent(limit)} (95 % confidence, one-sided)"
    if limit <= target:
        return f"{counted}, which {still}: the target of {_percent(target)} is supported."
    return (
        f"{counted}, which {still}: the sample cannot support the target of {_percent(target)}; that takes at least "
        f"{cases_needed(target)} independent defects without an escape."
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _percent(share: float) -> str:
    """Write a share in percent with two figures that count."""
    percent = 100.0 * share
    return f"{percent:.0f} %" if percent >= 10 else f"{percent:.2g} %"

"""Tells whether one bundle is really better than another on the same images, image by image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from datasets.location import Location
from training.errors import EvaluationError
from training.intervals import difference_interval, sign_test
from training.judging import Judged, judge_images
from training.metrics import Scored, auroc
from training.statements import count_of, percent

ALPHA = 0.05
_RESAMPLES = 1000

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Paired:
    """Wrong verdicts of two bundles on the same pieces: a plain value.

    a_wrong, b_wrong: images that A and B judge wrongly. a_only, b_only: pieces that A judges wrongly on more of their
    images than B, and the other way round. p: exact McNemar test on these. low, high: 95 % interval of
    (a_only - b_only) / pieces; above 0 B is better. least: pieces on which one must be better before p can fall below
    0.05 at all.
    """

    images: int
    pieces: int
    a_wrong: int
    b_wrong: int
    a_only: int
    b_only: int
    p: float
    low: float
    high: float
    least: int


@dataclass(frozen=True, slots=True)
class AreaDifference:
    """AUROC of both, and B minus A with a 95 % interval from whole pieces drawn again: a plain value."""

    a: float
    b: float
    difference: float
    low: float
    high: float
    method: str


@dataclass(frozen=True, slots=True)
class Differing:
    """An image on which the verdicts differ: a plain value. right: 'A' or 'B'."""

    file: str
    label: str
    a_probability: float
    b_probability: float
    right: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two bundles say of the same images: a plain value."""

    a: str
    b: str
    images: int
    escape: Paired | None
    overkill: Paired | None
    area: AreaDifference | None
    differing: tuple[Differing, ...]
    statement: str

    def as_json(self) -> dict[str, object]:
        """Give what `lineward model compare --json` prints."""
        return asdict(self)


def compare_bundles(
    a: str,
    b: str,
    location: Location,
    *,
    split: str = "all",
    find_groups: bool = True,
    threads: int = 2,
) -> Comparison:
    """Score the images of a data set with both bundles, each at its card's threshold, and test the difference.

    The arguments are those of `training.judging.judge_images`; raises also EvaluationError where the bundles do not
    stand for the same images.
    """
    first, second = (
        judge_images(name, location, split=split, find_groups=find_groups, threads=threads) for name in (a, b)
    )
    if first.names != second.names or not np.array_equal(first.scored.defective, second.scored.defective):
        raise EvaluationError(
            f"{location.folder}: '{a}' and '{b}' do not stand for the same images and good class (split '{split}') — "
            "only then they can be compared image by image — leave --split out, or give images that both know"
        )
    return compare_judged(first, second)


def compare_judged(first: Judged, second: Judged) -> Comparison:
    """Compare two bundles' scores of the same images in the same order, each at its card's threshold."""
    limits = tuple(judged.bundle.card.threshold.value for judged in (first, second))
    one, two = first.scored, second.scored
    bad = one.defective
    wrong = [(scored.rejected_up_to >= limit) != bad for scored, limit in zip((one, two), limits, strict=True)]
    escape, overkill = (pair_up(one.groups, chosen, wrong[0], wrong[1]) for chosen in (bad, ~bad))
    differing = tuple(
        Differing(
            file=first.names[index],
            label=first.samples[index].label,
            a_probability=float(one.probability[index]),
            b_probability=float(two.probability[index]),
            right="B" if wrong[0][index] else "A",
        )
        for index in np.flatnonzero(wrong[0] != wrong[1]).tolist()
    )
    area = compare_areas(one, two)
    return Comparison(
        a=str(first.bundle.path),
        b=str(second.bundle.path),
        images=len(bad),
        escape=escape,
        overkill=overkill,
        area=area,
        differing=differing,
        statement=_statement(escape, overkill, area),
    )


def pair_up(groups: tuple[str, ...], chosen: Flags, a_wrong: Flags, b_wrong: Flags) -> Paired | None:
    """Count the pieces among the chosen images that one bundle judges wrongly more often than the other, and test."""
    if not chosen.any():
        return None
    ahead: dict[str, int] = {}
    for index in np.flatnonzero(chosen).tolist():
        ahead[groups[index]] = ahead.get(groups[index], 0) + int(a_wrong[index]) - int(b_wrong[index])
    a_only, b_only = sum(lead > 0 for lead in ahead.values()), sum(lead < 0 for lead in ahead.values())
    low, high = difference_interval(a_only, b_only, len(ahead))
    return Paired(
        images=int(chosen.sum()),
        pieces=len(ahead),
        a_wrong=int((chosen & a_wrong).sum()),
        b_wrong=int((chosen & b_wrong).sum()),
        a_only=a_only,
        b_only=b_only,
        p=sign_test(a_only, b_only),
        low=low,
        high=high,
        least=next(count for count in range(1, 20) if sign_test(count, 0) < ALPHA),
    )


def compare_areas(one: Scored, two: Scored, *, resamples: int = _RESAMPLES) -> AreaDifference | None:
    """Give the difference of both AUROCs; whole pieces are drawn again for both at once, with a fixed seed."""
    bad = one.defective
    if bad.all() or not bad.any():
        return None
    first, second = one.probability, two.probability
    _, place = np.unique(np.array(one.groups), return_inverse=True)
    rows = np.split(np.argsort(place, kind="stable"), np.cumsum(np.bincount(place))[:-1])
    random = np.random.default_rng(0)
    drawn = []
    for _ in range(resamples):
        taken = np.concatenate([rows[index] for index in random.integers(0, len(rows), len(rows)).tolist()])
        if bad[taken].any() and not bad[taken].all():
            drawn.append(auroc(second[taken], bad[taken]) - auroc(first[taken], bad[taken]))
    a, b = auroc(first, bad), auroc(second, bad)
    low, high = np.quantile(drawn, [0.025, 0.975]).tolist() if drawn else (-1.0, 1.0)
    method = f"paired bootstrap of whole pieces, {len(drawn)} resamples"
    return AreaDifference(a=a, b=b, difference=b - a, low=min(low, b - a), high=max(high, b - a), method=method)


def _statement(escape: Paired | None, overkill: Paired | None, area: AreaDifference | None) -> str:
    """Say in one paragraph what the sample shows, and what it could have shown."""
    kinds: Mapping[str, Paired | None] = {"escapes": escape, "overkill": overkill}
    told = [
        f"No part for {name} is in the sample." if pair is None else _pair_words(name, pair)
        for name, pair in kinds.items()
    ]
    if area is not None:
        side = "B ranks better" if area.low > 0 else "A ranks better" if area.high < 0 else "no difference is shown"
        told.append(f"AUROC {area.a:.4f} and {area.b:.4f}, B minus A {area.low:+.4f} to {area.high:+.4f}: {side}.")
    return " ".join(told)


def _pair_words(name: str, pair: Paired) -> str:
    counted = (
        f"{name.capitalize()}: A {pair.a_wrong}, B {pair.b_wrong} of {count_of(pair.images, 'image')}; of "
        f"{count_of(pair.pieces, 'piece')} B is better on {pair.a_only} and A on {pair.b_only}"
    )
    if pair.p < ALPHA:
        better = "B" if pair.a_only > pair.b_only else "A"
        return f"{counted}: {better} is better (p = {pair.p:.2g})."
    if pair.pieces < pair.least:
        return f"{counted}: so few pieces cannot show any difference; at least {pair.least} are needed."
    return (
        f"{counted} (p = {pair.p:.2g}): the sample does not show that either is better; in truth A may be wrong on up "
        f"to {percent(max(0.0, -pair.low))} fewer, or B on up to {percent(max(0.0, pair.high))} fewer."
    )

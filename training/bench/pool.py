"""From the scores of all folds to one figure each, with intervals that count independent pieces."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.card import Estimate
from training.bench.fold import SCORES, FoldResult
from training.intervals import clopper_pearson
from training.metrics import Scored, class_accuracy, confusion, measure

Figures = dict[str, object]


def read_scored(place: Path) -> Scored:
    """Return what a finished fold has scored."""
    with np.load(place / SCORES) as kept:
        types, novel = kept["types"], kept["novel"]
        return Scored(
            kept["raw"],
            kept["truth"],
            tuple(kept["groups"].tolist()),
            int(kept["good_index"]),
            types if types.size else None,
            novel if novel.size else None,
        )


def pooled(parts: Sequence[Scored]) -> Scored:
    """Join folds that judged different images, by models of the same classes."""
    several = any(part.types is not None for part in parts)
    return Scored(
        np.concatenate([part.raw for part in parts]),
        np.concatenate([part.truth for part in parts]),
        tuple(group for part in parts for group in part.groups),
        parts[0].good_index,
        np.concatenate([_types(part) for part in parts]) if several else None,
    )


def figures(scored: Scored, classes: Sequence[str], *, has_good: bool) -> Figures:
    """Give accuracy of the likeliest class, and where a class passes AUROC and average precision of good against bad.

    The scores of several folds come from as many models; each is calibrated on its own validation images.
    """
    table = confusion(scored, len(classes))
    measured = measure(scored, 0.5, classes, "test") if has_good else None
    defective = scored.defective
    return {
        "images": len(scored.truth),
        "groups": len(set(scored.groups)),
        "accuracy": _accuracy(scored, np.ones(len(scored.truth), bool)),
        "defect_type_accuracy": _accuracy(scored, defective) if has_good and len(classes) > 2 else None,
        "auroc": _estimate(measured.auroc) if measured else None,
        "ap": _estimate(measured.average_precision) if measured else None,
        "right_of_class": {
            name: f"{row[index]}/{sum(row)}" for index, (name, row) in enumerate(zip(classes, table, strict=True))
        },
    }


def at_thresholds(parts: Sequence[Scored], results: Sequence[FoldResult]) -> Figures:
    """Count escapes and overkills, each fold at the threshold and novelty that its validation images gave."""
    escaped = rejected = bad = good = 0
    for part, result in zip(parts, results, strict=True):
        stopped = part.rejected_up_to >= result.threshold
        escaped += int((part.defective & ~stopped).sum())
        rejected += int((~part.defective & stopped).sum())
        bad += int(part.defective.sum())
        good += int((~part.defective).sum())
    return {"escapes": f"{escaped}/{bad}", "overkills": f"{rejected}/{good}"}


def fold_row(scored: Scored, result: FoldResult, *, has_good: bool) -> Figures:
    """Give one line of a fold."""
    measured = measure(scored, result.threshold, result.classes, "test")
    rate = class_accuracy(measured.confusion or ())
    return {
        "images": len(scored.truth),
        "accuracy": round(rate.value, 4) if rate else None,
        "auroc": round(measured.auroc.value, 4) if has_good and measured.auroc else None,
        "train_s": result.train_s,
        "peak_own_mb": _whole(result.peak_own_mb),
        "peak_with_mapped_files_mb": _whole(result.peak_whole_mb),
    }


def _types(part: Scored) -> NDArray[np.bool_]:
    if part.types is not None:
        return part.types
    return np.asarray(np.arange(part.raw.shape[1]) == part.truth[:, np.newaxis])


def _accuracy(scored: Scored, chosen: NDArray[np.bool_]) -> Figures | None:
    """Give the share of the chosen images whose likeliest class is right, its interval counted in groups.

    Images of one piece are judged alike, so they count as one case: the share is applied to the number of groups.
    """
    if not chosen.any():
        return None
    found = scored.raw.argmax(axis=1)
    right = found == scored.truth if scored.types is None else scored.types[np.arange(len(found)), found]
    hits, total, cases = int(right[chosen].sum()), int(chosen.sum()), scored.count_groups(chosen)
    low, high = clopper_pearson(round(hits / total * cases), cases)
    value = hits / total
    return {
        "value": round(value, 4),
        "low": round(min(low, value), 4),
        "high": round(max(high, value), 4),
        "right": hits,
        "of": total,
        "method": f"Clopper-Pearson, counted in {cases} groups",
    }


def _estimate(given: Estimate | None) -> Figures | None:
    if given is None:
        return None
    return {
        "value": round(given.value, 4),
        "low": round(given.low, 4),
        "high": round(given.high, 4),
        "method": given.method,
    }


def _whole(megabytes: float | None) -> int | None:
    return None if megabytes is None else round(megabytes)

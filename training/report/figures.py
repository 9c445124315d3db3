"""The charts of a report: escape and overkill over the thresholds, scores, calibration, learning curves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from models.card import Calibration
from training.curve import Curve
from training.metrics import Scored
from training.report.svg import PROBABILITY_TICKS, SHARE_TICKS, Chart, Ticks, stretched

_BARS = 40
_SPREAD_TICKS: Ticks = tuple((stretched(share), label) for share, label in PROBABILITY_TICKS)


def operating_chart(curve: Curve, threshold: float) -> str:
    """Draw both rates over the thresholds with the band for one threshold and the one for all at once."""
    chart = Chart("Escape and overkill at every possible threshold", "threshold (defect probability)", "share of parts")
    xs = [stretched(level) for level in curve.thresholds.tolist()]
    chart.x_axis(_SPREAD_TICKS)
    chart.y_axis(SHARE_TICKS)
    for name, look, line in (("escape", "bad", curve.escape), ("overkill", "good", curve.overkill)):
        if line is None:
            continue
        chart.band(xs, line.low.tolist(), line.high.tolist(), f"band {look}", f"{name}: 95 % for one threshold")
        for edge in (line.outer_low, line.outer_high):
            chart.line(xs, edge.tolist(), f"outer {look}", f"{name}: 95 % for all thresholds at once", steps=True)
        chart.line(xs, line.share.tolist(), f"line {look}", name, steps=True)
    chart.mark(stretched(threshold), "threshold")
    return chart.render()


def score_chart(scored: Scored, threshold: float) -> str:
    """Draw how the defect probabilities of good and of bad images are spread, each as shares of its kind."""
    chart = Chart("What the model says of good and of bad images", "defect probability", "share of the images")
    places = np.array([stretched(share) for share in scored.probability.tolist()])
    kinds = [(~scored.defective, "good", "good images"), (scored.defective, "bad", "bad images")]
    counted = [(np.histogram(places[chosen], _BARS, (0.0, 1.0))[0], look, name, chosen) for chosen, look, name in kinds]
    top = max((float(bars.max()) / max(1, int(chosen.sum())) for bars, _, _, chosen in counted), default=1.0) or 1.0
    chart.x_axis(_SPREAD_TICKS)
    chart.y_axis([(step / 4, f"{100 * top * step / 4:.0f} %") for step in range(5)])
    for bars, look, name, chosen in counted:
        for index, count in enumerate(bars.tolist()):
            if count:
                chart.bar(index / _BARS, 1 / _BARS, count / int(chosen.sum()) / top, f"bars {look}", name)
    chart.mark(stretched(threshold), "threshold")
    return chart.render()


def calibration_chart(calibration: Calibration) -> str:
    """Draw what was said against what was true, a dot for each tenth with images; its area grows with their number."""
    chart = Chart("Is a probability of 30 % right in 30 of 100 images?", "defect probability said", "truly defective")
    chart.x_axis(SHARE_TICKS)
    chart.y_axis(SHARE_TICKS)
    chart.line([0, 1], [0, 1], "outer good", "as it should be")
    most = max((part.count for part in calibration.bins), default=1)
    for part in calibration.bins:
        radius = 4 + 9 * math.sqrt(part.count / most)
        chart.dot(part.mean_probability, part.defect_share, radius, "dot bad", "images with that probability")
    return chart.render()


def learning_chart(history: Sequence[Mapping[str, float | int | None]]) -> str:
    """Draw the losses over the epochs; what was not measured is left out."""
    chart = Chart("How the fitting went", "epoch", "loss (lower is better)", height=240)
    series = {"training (changed images)": "train_loss", "validation": "validation_loss"}
    read = {name: [epoch.get(key) for epoch in history] for name, key in series.items()}
    known = {name: [(i, float(v)) for i, v in enumerate(values) if v is not None] for name, values in read.items()}
    top = max((value for points in known.values() for _, value in points), default=1.0) or 1.0
    last = max(1, len(history) - 1)
    step = max(1, len(history) // 10)
    chart.x_axis([(index / last, str(index + 1)) for index in range(0, len(history), step)])
    chart.y_axis([(quarter / 4, f"{top * quarter / 4:.2g}") for quarter in range(5)])
    for (name, points), look in zip(known.items(), ("good", "bad"), strict=True):
        xs, ys = [index / last for index, _ in points], [value / top for _, value in points]
        chart.line(xs, ys, f"line {look}", name)
        for x, y in zip(xs, ys, strict=True):
            chart.dot(x, y, 2.5, f"dot {look}")
    return chart.render()

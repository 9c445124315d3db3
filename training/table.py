"""Figures for people: one table of rates with intervals, a table per class, and for scripts the same as one object."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from models.bundle import Bundle
from models.card import Estimate, Metrics, Rate
from models.checks import Parity
from training.metrics import class_accuracy
from training.placewise import all_places

JsonObject = dict[str, object]


def release_json(bundle: Bundle, parity: Parity) -> JsonObject:
    """Give what `lineward train --json` prints."""
    card = bundle.card
    return {
        "bundle": str(bundle.path),
        "digest": bundle.digest,
        "classes": list(card.classes),
        "weights": card.provenance.weights,
        "threshold": card.threshold.model_dump(mode="json"),
        "metrics": card.metrics.model_dump(mode="json"),
        "class_accuracy": _dumped(class_accuracy(card.metrics.confusion or ())),
        "place_accuracy": _dumped(all_places(card.metrics.per_place)),
        "data": card.data.model_dump(mode="json"),
        "parity": {"images": parity.images, "max_abs": parity.max_abs, "flips": parity.flips},
        "latency": _dumped(card.latency),
    }


def print_release(bundle: Bundle, parity: Parity) -> None:
    """Print what a finished training came to."""
    card = bundle.card
    console = Console(highlight=False, soft_wrap=True)
    print_metrics(console, card.metrics, card.classes)
    console.print(f"threshold {card.threshold.value:.4g}: {card.threshold.statement}", markup=False)
    console.print(f"weights: {card.provenance.weights}", markup=False)
    console.print(
        f"torch and ONNX on {parity.images} test images: largest difference {parity.max_abs:.2g} of a score, "
        f"{parity.flips} verdicts changed; batches of 1, 2, 4, 8 agree"
    )
    if card.latency is not None:
        times = ", ".join(f"batch {size} {seconds * 1000:.2f} ms" for size, seconds in card.latency.median_s.items())
        console.print(f"one thread of this CPU: {times}", markup=False)
    console.print(f"bundle: {bundle.path}", markup=False)


def print_metrics(console: Console, metrics: Metrics, classes: Sequence[str]) -> None:
    """Print the figures with their 95 % intervals, then each class and the confusion matrix."""
    table = Table(title=f"Figures on the {metrics.split} images, with 95 % intervals")
    for column in ("", "value", "interval", "counted"):
        table.add_column(column)
    accuracy = class_accuracy(metrics.confusion or ())
    for name, rate in (
        ("escape (bad passed)", metrics.escape),
        ("overkill (good rejected)", metrics.overkill),
        ("accuracy, good or bad", metrics.accuracy),
        ("accuracy, class", accuracy),
    ):
        table.add_row(name, *_rate_cells(rate))
    for name, estimate in (("AUROC", metrics.auroc), ("average precision", metrics.average_precision)):
        table.add_row(name, *_estimate_cells(estimate))
    console.print(table)
    console.print(_class_table(metrics, classes))
    if metrics.per_place:
        console.print(_place_table(metrics))
    console.print(_confusion_table(metrics, classes))


def _class_table(metrics: Metrics, classes: Sequence[str]) -> Table:
    table = Table(title="By class: good ones passed, defects rejected")
    for column in ("class", "judged rightly", "interval", "counted"):
        table.add_column(column)
    for name in classes:
        table.add_row(name, *_rate_cells(metrics.per_class.get(name)))
    return table


def _place_table(metrics: Metrics) -> Table:
    table = Table(title="By place: judged rightly at the threshold")
    for column in ("place", "judged rightly", "interval", "counted"):
        table.add_column(column)
    for name, rate in metrics.per_place.items():
        table.add_row(name, *_rate_cells(rate))
    table.add_row("all places", *_rate_cells(all_places(metrics.per_place)))
    return table


def _confusion_table(metrics: Metrics, classes: Sequence[str]) -> Table:
    table = Table(title="Confusion: rows are the truth, columns the likeliest class by its number")
    for column in ("", "class", *(str(number) for number in range(1, len(classes) + 1))):
        table.add_column(column)
    for number, (name, row) in enumerate(zip(classes, metrics.confusion or (), strict=False), start=1):
        table.add_row(str(number), name, *(str(cell) for cell in row))
    return table


def _rate_cells(rate: Rate | None) -> tuple[str, str, str]:
    if rate is None:
        return ("–", "–", "none")
    return (
        f"{100 * rate.value:.2f} %",
        f"{100 * rate.low:.2f}–{100 * rate.high:.2f} %",
        f"{rate.numerator} of {rate.denominator}",
    )


def _estimate_cells(estimate: Estimate | None) -> tuple[str, str, str]:
    if estimate is None:
        return ("–", "–", "needs good and bad parts")
    return (f"{estimate.value:.4f}", f"{estimate.low:.4f}–{estimate.high:.4f}", estimate.method)


def _dumped(section: Rate | object) -> object:
    dump = getattr(section, "model_dump", None)
    return dump(mode="json") if dump is not None else None

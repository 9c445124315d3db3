"""Figures for people: one table of rates with intervals, a table per class, and for scripts the same as one object."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from models.bundle import Bundle
from models.card import Estimate, GuardRow, Metrics, Rate, SizeRecall
from models.checks import Parity
from models.show import engine_words, picture_words
from training.metrics import class_accuracy
from training.placewise import all_places
from training.statements import size_words, smallest_words

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
        "smallest_defect_px": card.smallest_defect_px,
        "parity": {"images": parity.images, "max_abs": parity.max_abs, "flips": parity.flips},
        "engines": [row.model_dump(mode="json") for row in card.parity],
        "guards": [row.model_dump(mode="json") for row in card.guards],
        "quality": _dumped(card.quality),
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
        f"{parity.flips} verdicts changed; batches of 1, 2, 4, 8, 16 agree"
    )
    for engine, told in engine_words(card):
        console.print(f"{engine}: {told}", markup=False)
    if card.quality is not None and card.quality.learned is not None:
        console.print(f"pictures: {picture_words(card.quality.learned)}", markup=False)
    if card.guards:
        console.print(guard_table(card.guards))
    if card.smallest_defect_px is not None:
        console.print(smallest_words(card), markup=False)
    if card.latency is not None:
        times = ", ".join(f"batch {size} {seconds * 1000:.2f} ms" for size, seconds in card.latency.median_s.items())
        console.print(f"one thread of this CPU: {times}", markup=False)
    console.print(f"bundle: {bundle.path}", markup=False)


def guard_table(rows: Sequence[GuardRow]) -> Table:
    """Lay out the guarded sets, before → now, with the p of each test that it is no worse."""
    table = Table(title="Guarded sets: the bundle in use → this one")
    for column in ("set", "images", "escapes", "p", "found before, lost", "p", "overkill", "p", ""):
        table.add_column(column)
    for row in rows:
        p_escape, p_lost, p_overkill = (
            "–" if p is None else f"{p:.2g}" for p in (row.p_escape, row.p_lost, row.p_overkill)
        )
        table.add_row(
            Text(row.name),
            str(row.images),
            f"{row.escapes_before} → {row.escapes}",
            p_escape,
            f"{row.found_before}, {row.lost}",
            p_lost,
            f"{row.overkills_before} → {row.overkills}",
            p_overkill,
            "no worse" if row.passed else "worse",
        )
    return table


def print_metrics(console: Console, metrics: Metrics, classes: Sequence[str]) -> None:
    """Print the figures with their 95 % intervals, then each class and the confusion matrix."""
    which = "all" if metrics.split == "all" else f"the {metrics.split}"
    table = Table(title=f"Figures on {which} images, with 95 % intervals")
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
    if metrics.shown_on_good is not None:
        table.add_row("map: good images with a spot", *_rate_cells(metrics.shown_on_good))
    for name, estimate in (("map: AUROC", metrics.map_auroc), ("map: average pr.", metrics.map_average_precision)):
        if estimate is not None:
            table.add_row(name, *_estimate_cells(estimate))
    console.print(table)
    if metrics.recall_by_size:
        console.print(_size_table(metrics.recall_by_size))
    console.print(_class_table(metrics, classes))
    if metrics.per_place:
        console.print(_place_table(metrics))
    console.print(_confusion_table(metrics, classes))


def _size_table(bins: Sequence[SizeRecall]) -> Table:
    table = Table(title="By size of the defect in pixels at the input: shown by the map, rejected with its part")
    for column in ("pixels", "shown", "interval", "rejected", "interval", "counted"):
        table.add_column(column)
    for found in bins:
        shown, rejected = _rate_cells(found.shown), _rate_cells(found.rejected)
        table.add_row(size_words(found), *shown[:2], *rejected[:2], str(found.shown.denominator))
    return table


def _class_table(metrics: Metrics, classes: Sequence[str]) -> Table:
    table = Table(title="By class: good ones passed, defects rejected")
    for column in ("class", "judged rightly", "interval", "counted"):
        table.add_column(column)
    for name in classes:
        table.add_row(Text(name), *_rate_cells(metrics.per_class.get(name)))
    return table


def _place_table(metrics: Metrics) -> Table:
    table = Table(title="By place: judged rightly at the threshold")
    for column in ("place", "judged rightly", "interval", "counted"):
        table.add_column(column)
    for name, rate in metrics.per_place.items():
        table.add_row(Text(name), *_rate_cells(rate))
    table.add_row("all places", *_rate_cells(all_places(metrics.per_place)))
    return table


def _confusion_table(metrics: Metrics, classes: Sequence[str]) -> Table:
    table = Table(title="Confusion: rows are the truth, columns the likeliest class by its number")
    for column in ("", "class", *(str(number) for number in range(1, len(classes) + 1))):
        table.add_column(column)
    for number, (name, row) in enumerate(zip(classes, metrics.confusion or (), strict=False), start=1):
        table.add_row(str(number), Text(name), *(str(cell) for cell in row))
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

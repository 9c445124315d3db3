"""The tables of a report: figures with intervals, confusion, data, origin."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from models.card import Card, Estimate, Metrics, Rate
from training.inputtold import ENOUGH_PX
from training.placewise import all_places

Row = tuple[str, ...]


def figures_table(metrics: Metrics) -> str:
    """Give escape, overkill and the rest with their 95 % intervals, and each class."""
    rates: list[tuple[str, Rate | None]] = [
        ("Escape: bad images that would pass", metrics.escape),
        ("Overkill: good images that would be rejected", metrics.overkill),
        ("Accuracy: images judged rightly", metrics.accuracy),
    ]
    rows = [(name, *rate_cells(rate)) for name, rate in rates]
    for name, estimate in (("AUROC (1 is perfect, 0.5 is chance)", metrics.auroc),
                           ("Average precision", metrics.average_precision)):  # fmt: skip
        rows.append((name, *estimate_cells(estimate)))
    rows += [(f"Judged rightly: {name}", *rate_cells(rate)) for name, rate in metrics.per_class.items()]
    rows += [(f"Place judged rightly: {name}", *rate_cells(rate)) for name, rate in metrics.per_place.items()]
    if metrics.per_place:
        rows.append(("All places judged rightly", *rate_cells(all_places(metrics.per_place))))
    return table(("", "value", "95 % interval", "counted"), rows)


def confusion_table(confusion: Sequence[Sequence[int]], classes: Sequence[str]) -> str:
    """Give the confusion matrix; the shade of a cell is its share of the true class."""
    head = "".join(f"<th>{escape(name)}</th>" for name in classes)
    body = []
    for name, row in zip(classes, confusion, strict=True):
        total = max(1, sum(row))
        cells = "".join(
            f'<td class="cell" style="background: color-mix(in srgb, var(--good) {70 * cell // total}%, transparent)">'
            f"{cell}</td>"
            for cell in row
        )
        body.append(f"<tr><th>{escape(name)}</th>{cells}</tr>")
    return f"<table><tr><th>truth ↓ / likeliest class →</th>{head}</tr>{''.join(body)}</table>"


def data_table(card: Card) -> str:
    """Give how many images of each class the model was made from, part by part."""
    parts = list(card.data.counts)
    rows = [(name, *(str(card.data.counts[part].get(name, 0)) for part in parts)) for name in card.classes]
    return table(("class", *parts), rows)


def origin_table(card: Card, digest: str) -> str:
    """Give what it takes to make the model again: network, weights, seed, settings, versions, digests."""
    origin = card.provenance
    rows = [
        ("made", f"{origin.created_wall:%Y-%m-%d %H:%M} {origin.created_wall.tzname()} by {origin.tool}"),
        *((("command", origin.command),) if origin.command else ()),
        ("task and network", f"{card.task}, {origin.network}"),
        ("weights it started from", origin.weights),
        ("input", f"{card.input.width} × {card.input.height} pixels, {card.input.pixel_format}"),
        *_cut_rows(card),
        ("seed", str(origin.seed)),
        ("settings", ", ".join(f"{key} = {value}" for key, value in origin.settings.items() if value is not None)),
        ("versions", ", ".join(f"{key} {value}" for key, value in origin.versions.items())),
        ("training images", f"{card.data.name}, sha256 {card.data.digest}"),
        ("model", f"{card.name}, sha256 of the card {digest}"),
    ]
    return table(("", ""), rows)


def _cut_rows(card: Card) -> list[Row]:
    """Tell what the graph looks at, and how many pixels the smallest outlined defect has there."""
    rows: list[Row] = []
    if card.places:
        names = ", ".join(place.name for place in card.places)
        rows.append(("places", f"{len(card.places)}, the worst one decides: {names}"))
    if card.tile is not None:
        rows.append(("tiles", f"{card.tile} × {card.tile} pixels, the worst one decides"))
    smallest = card.smallest_defect_px
    if smallest is not None:
        few = f": fewer than {ENOUGH_PX:.0f}, it can hardly be seen" if smallest < ENOUGH_PX else ""
        rows.append(("smallest outlined defect", f"{smallest:.1f} pixels where the network sees it{few}"))
    return rows


def table(head: Row, rows: Sequence[Row]) -> str:
    """Give a plain table; all cells are escaped."""
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head) if any(head) else ""
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{top}</tr>{body}</table>" if top else f"<table>{body}</table>"


def rate_cells(rate: Rate | None) -> Row:
    """Give a share, its interval and what was counted."""
    if rate is None:
        return ("–", "–", "no such image")
    return (
        f"{100 * rate.value:.2f}\u00a0%",
        f"{100 * rate.low:.2f}\u00a0to\u00a0{100 * rate.high:.2f}\u00a0%",
        f"{rate.numerator} of {rate.denominator}",
    )


def estimate_cells(estimate: Estimate | None) -> Row:
    """Give a figure, its interval and how that was made."""
    if estimate is None:
        return ("–", "–", "needs good and bad images")
    return (f"{estimate.value:.4f}", f"{estimate.low:.4f} to {estimate.high:.4f}", estimate.method)

"""The part of a report that tells which sizes of defects are found, and where on the part the map is right."""

from __future__ import annotations

from html import escape

from models.card import Card, Metrics, SizeRecall
from training.report.svg import SHARE_TICKS, Chart
from training.report.tables import estimate_cells, rate_cells, table
from training.statements import SMALLEST_PX, size_words, smallest_words


def size_section(metrics: Metrics, card: Card) -> str:
    """Give recall by size as chart and table, the map's own figures, and the smallest defect; '' without any of it."""
    told = []
    if metrics.recall_by_size:
        told.append(
            f"{_chart(metrics.recall_by_size)}{_sizes(metrics.recall_by_size)}"
            '<p class="soft">Each connected defect counts once, its size in pixels of the picture as the network sees '
            "it. Shown: the map reaches 50 % on it or right beside it. Rejected: its part is rejected at the "
            "threshold, for whatever reason.</p>"
        )
    rows = []
    if metrics.shown_on_good is not None:
        rows.append(("Good images on which the map reaches 50 % anywhere", *rate_cells(metrics.shown_on_good)))
    rows += [
        (name, *estimate_cells(estimate))
        for name, estimate in (
            ("AUROC of the map's cells", metrics.map_auroc),
            ("Average precision of the map's cells", metrics.map_average_precision),
        )
        if estimate is not None
    ]
    told += [table(("", "value", "95 % interval", "counted"), rows)] if rows else []
    if card.smallest_defect_px is not None:
        kind = "box warn" if card.smallest_defect_px < SMALLEST_PX else "soft"
        told.append(f'<p class="{kind}">{escape(smallest_words(card).capitalize())}</p>')
    return f"<h2>Which sizes of defects are found</h2>{''.join(told)}" if told else ""


def _chart(bins: tuple[SizeRecall, ...]) -> str:
    """Draw both shares with their intervals, one place for each bin."""
    chart = Chart("Defects found, by their size", "pixels of the defect at the input", "share of the defects")
    places = [(index + 0.5) / len(bins) for index in range(len(bins))]
    chart.x_axis([(place, size_words(found)) for place, found in zip(places, bins, strict=True)])
    chart.y_axis(SHARE_TICKS)
    for aside, look, name in ((-0.012, "good", "shown by the map"), (0.012, "bad", "rejected with its part")):
        for place, found in zip(places, bins, strict=True):
            rate = found.shown if look == "good" else found.rejected
            chart.line([place + aside] * 2, [rate.low, rate.high], f"line {look}", name)
            chart.dot(place + aside, rate.value, 5, f"dot {look}")
    return chart.render()


def _sizes(bins: tuple[SizeRecall, ...]) -> str:
    rows = []
    for found in bins:
        shown, rejected = rate_cells(found.shown), rate_cells(found.rejected)
        rows.append((size_words(found), *shown[:2], *rejected[:2], str(found.shown.denominator)))
    return table(("pixels", "shown", "95 % interval", "rejected", "95 % interval", "counted"), rows)

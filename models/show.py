"""How a card and a list of checks look on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from models.bundle import Bundle
from models.card import Card, Estimate, NoveltySpec, ParityRow, PicturesLearned, Rate
from models.checks import Check
from models.optimise import Choice

Row = tuple[str, str]


def card_view(bundle: Bundle) -> RenderableType:
    """Lay out a card for people: one table of facts, one of figures."""
    card = bundle.card
    facts = Table(show_header=False, box=None, pad_edge=False)
    facts.add_column(style="bold", no_wrap=True)
    facts.add_column(overflow="fold")
    for name, value in [("bundle", str(bundle.path)), ("digest", bundle.digest), *_facts(card)]:
        facts.add_row(name, Text(value))
    return Group(Text(f"{card.name}: {card.task}", style="bold"), facts, Text(), _figures(card))


def checks_view(path: Path, checks: Sequence[Check]) -> RenderableType:
    """Lay out checks, one a line with ✓ or ✗, and the sum of it."""
    lines = [Text.assemble(("✓ ", "green") if check.passed else ("✗ ", "bold red"), check.detail) for check in checks]
    failed = sum(not check.passed for check in checks)
    verdict = f"{path}: {failed} check(s) failed" if failed else f"{path}: all {len(checks)} checks passed"
    return Group(*lines, Text(verdict, style="bold red" if failed else "bold"))


def choice_view(choice: Choice, kept: Path | None) -> RenderableType:
    """Lay out what `optimise` measured, one engine a line, what it chose, and where that is kept."""
    table = Table("engine", "runs on", "images/s", "one call, ms", box=None, pad_edge=False, header_style="bold")
    for row in choice.measured:
        if row.refused:
            table.add_row(row.engine, Text(f"refused: {row.refused}", style="red"), "", "")
        else:
            table.add_row(row.engine, row.provider, f"{row.images_per_s:.1f}", f"{row.call_ms:.2f}")
    where = "not kept" if kept is None else f"kept in {kept}"
    return Group(table, Text(f"{choice.engine} on {choice.machine}: {where}", style="bold"))


def _facts(card: Card) -> list[Row]:
    size, threshold, origin = card.input, card.threshold, card.provenance
    met = "met" if threshold.target_met else "not shown by the sample"
    targets = [("escape", threshold.target_escape), ("overkill", threshold.target_overkill)]
    asked = ", ".join(f"{name} ≤ {share:.3%}" for name, share in targets if share is not None)
    rows = [
        ("classes", ", ".join(f"{name} (good)" if name == card.good_class else name for name in card.classes)),
        ("input", f"{size.height}×{size.width}×{size.channels} {size.pixel_format}, resized by {size.resize}"),
        *_looked_at(card),
        ("threshold", f"defect probability ≥ {threshold.value:.6g} is NOT_OK"),
        ("target", f"{asked}: {met}" if asked else "lowest cost"),
        ("", threshold.statement),
        ("data", f"{card.data.name}, sha256 {card.data.digest}"),
        ("images", "; ".join(f"{split}: {_counts(counts)}" for split, counts in card.data.counts.items())),
        ("network", f"{origin.network}, from {origin.weights}, seed {origin.seed}"),
        ("made", f"{origin.created_wall:%Y-%m-%d %H:%M} {origin.created_wall.tzname()} by {origin.tool}"),
        ("tolerance", f"|Δ score| ≤ {card.tolerance.score_abs:g}"),
    ]
    if card.calibration is not None:
        fit = card.calibration
        rows.append(
            (
                "calibration",
                f"temperature {fit.temperature:.3g}, error {fit.expected_calibration_error:.3g} ({fit.split})",
            )
        )
    if card.latency is not None:
        times = ", ".join(f"batch {size}: {seconds * 1e3:.2f} ms" for size, seconds in card.latency.median_s.items())
        threads = card.latency.intra_op_threads
        rows.append(("latency", f"{times} ({card.latency.provider}, {threads} thread(s), {card.latency.processor})"))
    rows += [
        ("engine" if place == 0 else "", f"{name}: {told}") for place, (name, told) in enumerate(engine_words(card))
    ]
    if card.quality is not None and card.quality.learned is not None:
        rows.append(("pictures", picture_words(card.quality.learned)))
    if card.novelty is not None:
        rows.append(("novelty", novelty_words(card.novelty)))
    if origin.made_from is not None:
        rows.append(("made from", f"bundle {origin.made_from}"))
    rows += [
        ("guarded", f"{row.name}: {'no worse' if row.passed else 'worse'} on {row.images} images")
        for row in card.guards
    ]
    return rows


def engine_words(card: Card) -> list[Row]:
    """Say of each engine how far it lay from the model itself where the bundle was made, or why it is refused."""
    told: dict[str, list[ParityRow]] = {}
    for row in card.parity:
        told.setdefault(row.engine, []).append(row)
    return [(name, _engine_words(rows)) for name, rows in told.items()]


def _engine_words(rows: Sequence[ParityRow]) -> str:
    refused = next((row.why for row in rows if not row.usable), None)
    if refused is not None:
        return f"refused: {refused}"
    furthest = max(row.max_abs or 0.0 for row in rows)
    images = [row.images for row in rows]
    several = f"{max(images)}" if min(images) == max(images) else f"{min(images)} to {max(images)}"
    sizes = ", ".join(str(size) for size in sorted({row.batch for row in rows}))
    threads = ", ".join(str(count) for count in sorted({row.threads for row in rows}))
    return (
        f"|Δ score| ≤ {furthest:.2g}, no other verdict on {several} of {rows[0].test_images} test images, batches of "
        f"{sizes}, {threads} thread(s) ({rows[0].provider})"
    )


def picture_words(learned: PicturesLearned) -> str:
    """Say what the limits of pictures come from and cost."""
    return (
        f"limits from {learned.pieces} good parts, which stop at most {learned.stopped_at_most:.2%} of further ones "
        f"(before they were put {learned.widened:g} times as far off); of {learned.tested} good test images "
        f"{learned.tested_outside}"
    )


def novelty_words(spec: NoveltySpec) -> str:
    """Say what the limit of novelty comes from and costs."""
    tested = [
        f"{rate.numerator} of {rate.denominator} {kind}"
        for kind, rate in (("good", spec.good_beyond), ("defective", spec.defects_beyond))
        if rate is not None
    ]
    return (
        f"beyond {spec.limit:.4g} a picture is unlike those of the training and rejected, whatever its score; the "
        f"limit comes from {spec.pieces} held-out parts and stops at most {spec.bound:.2%} of further parts like these "
        f"(before it was put {spec.widened:g} times as far off); of the test images {', '.join(tested) or 'none'}"
    )


def _looked_at(card: Card) -> list[Row]:
    rows = []
    if card.places:
        rows.append(("places", ", ".join(f"{place.name} {place.width}×{place.height}" for place in card.places)))
    if card.tile is not None:
        rows.append(("tiles", f"{card.tile}×{card.tile}, the worst one decides"))
    if card.smallest_defect_px is not None:
        rows.append(("smallest", f"an outlined defect of {card.smallest_defect_px:.1f} pixels at the network's input"))
    return rows


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())


def _figures(card: Card) -> RenderableType:
    metrics = card.metrics
    table = Table(title=f"Figures on the {metrics.split} split", title_justify="left")
    for heading in ("figure", "value", "interval", "of"):
        table.add_column(heading)
    rates: list[tuple[str, Rate | None]] = [
        ("escape", metrics.escape),
        ("overkill", metrics.overkill),
        ("accuracy", metrics.accuracy),
        *((f"found: {name}", rate) for name, rate in metrics.per_class.items()),
        *((f"right at: {name}", rate) for name, rate in metrics.per_place.items()),
    ]
    for name, rate in rates:
        table.add_row(Text(name), *_rate_cells(rate))
    for name, estimate in [("AUROC", metrics.auroc), ("average precision", metrics.average_precision)]:
        table.add_row(name, *_estimate_cells(estimate))
    for found in metrics.recall_by_size:
        size = f"{found.low_px:g} px and more" if found.high_px is None else f"{found.low_px:g} to {found.high_px:g} px"
        table.add_row(Text(f"rejected: defects of {size}"), *_rate_cells(found.rejected))
    return table


def _rate_cells(rate: Rate | None) -> tuple[str, str, str]:
    if rate is None:
        return ("–", "–", "no images")
    interval = f"{rate.low:.2%} – {rate.high:.2%} ({rate.confidence:.0%})"
    return (f"{rate.value:.2%}", interval, f"{rate.numerator} of {rate.denominator}")


def _estimate_cells(estimate: Estimate | None) -> tuple[str, str, str]:
    if estimate is None:
        return ("–", "–", "not computed")
    interval = f"{estimate.low:.4f} – {estimate.high:.4f} ({estimate.confidence:.0%})"
    return (f"{estimate.value:.4f}", interval, estimate.method)

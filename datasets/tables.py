"""A check's report as tables for a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from datasets.check import Report, listed
from datasets.suspects import Suspicion

_SHOWN = 10  # rows of a list before "… and N more"


def print_report(report: Report, console: Console) -> None:
    """Print what a data set holds, what repeats in it, and what to do about it."""
    good = escape(report.good) or "[red]unknown[/red]"
    console.print(f"[bold]{escape(report.root)}[/bold]  {report.layout}, good class: {good}")
    console.print(_classes(report))
    console.print(f"Sizes: {_sizes(report)}")
    console.print(f"Equal content: {len(report.exact)} groups.")
    images = sum(len(names) for names in report.repeated)
    console.print(
        f"Same piece (found by look, threshold {report.threshold:.2f}): {report.near_pairs} pairs, "
        f"{len(report.repeated)} groups of {images} images in all."
    )
    for names in report.exact[:_SHOWN]:
        console.print(f"  equal: {escape(listed(names))}")
    _more(console, len(report.exact))
    if report.agreement is not None:
        of = report.agreement
        console.print(
            f"Against the groups file: precision {of.precision:.3f}, recall {of.recall:.3f} "
            f"({of.common} pairs in common, {of.found} found, {of.stated} stated)."
        )
    if report.straddling:
        console.print(_straddling(report))
        _more(console, len(report.straddling))
    _print_suspects(report.suspects, console)
    for text in report.warnings():
        console.print(f"[yellow]warning:[/yellow] {escape(text)}")
    for text in report.errors():
        console.print(f"[red]error:[/red] {escape(text)}")


def _classes(report: Report) -> Table:
    table = Table()
    table.add_column("class")
    for name in ("images", *report.split_counts):
        table.add_column(name, justify="right")
    for label, number in report.counts.items():
        table.add_row(escape(label), str(number), *(str(part[label]) for part in report.split_counts.values()))
    totals = (sum(part.values()) for part in report.split_counts.values())
    table.add_row("all", str(sum(report.counts.values())), *map(str, totals), style="bold")
    return table


def _sizes(report: Report) -> str:
    if len(report.sizes) <= 4:
        return ", ".join(f"{width}×{height} ({number})" for width, height, number in report.sizes)
    widths, heights = [size[0] for size in report.sizes], [size[1] for size in report.sizes]
    return f"{len(report.sizes)} different, {min(widths)}…{max(widths)} wide, {min(heights)}…{max(heights)} high"


def _straddling(report: Report) -> Table:
    table = Table(title=f"{len(report.straddling)} pairs of one piece straddle the split (seed {report.seed})")
    for name in ("first", "second", "parts", "likeness"):
        table.add_column(name)
    for pair in report.straddling[:_SHOWN]:
        table.add_row(escape(pair.first), escape(pair.second), " | ".join(pair.parts), f"{pair.score:.2f}")
    return table


def _print_suspects(suspects: Suspicion | None, console: Console) -> None:
    if suspects is None:
        console.print("Suspect labels: not looked for; a pretrained network is needed: --weights FILE or download.")
        return
    console.print(
        f"Suspect labels: {len(suspects.found)} of {suspects.images} images, judged in {suspects.folds} folds by a "
        f"classifier that gives {100 * suspects.agreement:.1f} % of the labels itself ({escape(suspects.told)})."
    )
    for label, why in suspects.left_out.items():
        console.print(f"  {escape(label)}: left out, {why}")
    if not suspects.found:
        return
    table = Table()
    for name in ("image", "label", "suggested"):
        table.add_column(name, overflow="fold")
    for name in ("sure of label", "sure of suggestion"):
        table.add_column(name, justify="right")
    for one in suspects.found[:_SHOWN]:
        sure = (f"{100 * one.given_probability:.0f} %", f"{100 * one.suggested_probability:.0f} %")
        table.add_row(escape(one.file), escape(one.given), escape(one.suggested), *sure)
    console.print(table)
    _more(console, len(suspects.found))


def _more(console: Console, number: int) -> None:
    if number > _SHOWN:
        console.print(f"  … and {number - _SHOWN} more (--json lists all)")

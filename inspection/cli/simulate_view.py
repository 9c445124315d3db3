"""What `lineward simulate` prints: each promise and whether it was kept, faults, alarms, speed and memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inspection.simulation.virtual.ledger import Account
    from inspection.simulation.virtual.meter import Figures
    from inspection.simulation.virtual.plan import Plan


def print_account(account: Account, figures: Figures, plan: Plan) -> None:
    """Print one table, and three lines below it."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("promise")
    table.add_column("count", justify="right")
    table.add_column("")
    for name, count, note in [*_promises(account), *_costs(account)]:
        table.add_row(name, f"{count:,}", note)
    for what, counted in (("fault", account.faults), ("alarm", account.alarms)):
        for kind, count in sorted(counted.items()):
            table.add_row(f"{what}: {kind}", f"{count:,}", "")
    console = Console(highlight=False)
    console.print(table)
    console.print(_speed(account, figures, plan))
    console.print(_memory(figures))
    console.print(f"{account.virtual_s:,.0f} s of virtual time, seed {plan.seed}, digest {account.digest[:16]}")
    console.print("every promise was kept" if account.kept else f"[red]BROKEN[/red], seed {plan.seed}", markup=True)


def _promises(account: Account) -> list[tuple[str, int, str]]:
    return [
        ("triggers", account.triggers, ""),
        ("1 one trigger, one verdict: records", account.records, _verdict(account.records == account.triggers)),
        ("  doubled or missing", account.record_faults, _verdict(not account.record_faults)),
        (
            "2 the default is reject: escapes by the system",
            account.system_escapes,
            _verdict(not account.system_escapes),
        ),
        ("  verdicts that came too late", account.late, "each rejected"),
        ("3 the right part: wrong pulses", account.wrong_pulses, _verdict(not account.wrong_pulses)),
        ("  passed parts hit by a pulse counted as a fault", account.fault_hits, "told by an alarm"),
        ("4 silence is safe: stops of the belt", account.belt_stops, f"{account.cleared} parts cleared by hand"),
        ("5 what was counted stays counted: recovered", account.recovered, "from the journal"),
    ]


def _costs(account: Account) -> list[tuple[str, int, str]]:
    rows = [
        ("good parts that the faults cost", account.fault_overkill, "overkill"),
        ("the model's own escapes and overkill", account.model_escapes, f"and {account.model_overkill}"),
    ]
    if account.touching:
        note = f"{account.touching_unseen} of them passed with it: no promise"
        rows.append(("parts against the one before them", account.touching, note))
    return rows


def _speed(account: Account, figures: Figures, plan: Plan) -> str:
    cameras = f"{plan.cameras} camera{'s' if plan.cameras > 1 else ''}"
    return (
        f"through one station with {cameras}: {figures.line_parts_per_s:,.1f} parts/s and "
        f"{figures.line_frames_per_s:,.1f} frames/s of virtual time, {account.late} late; simulated in "
        f"{figures.took_s:,.0f} s, at {figures.parts_per_s:,.0f} parts/s and {figures.frames_per_s:,.0f} frames/s"
    )


def _memory(figures: Figures) -> str:
    peaks = " ".join(f"{peak:.0f}" for peak in figures.peaks_mb)
    return f"memory, highest in each tenth: {peaks} MB; from the second to the last {figures.growth_mb:+.1f} MB"


def _verdict(kept: bool) -> str:
    return "kept" if kept else "[red]BROKEN[/red]"

"""`lineward simulate`: a whole line in virtual time, with its faults, and whether each promise was kept."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from inspection.simulation.virtual.plan import Wiring
from inspection.tracking.fusion import FusionRule

if TYPE_CHECKING:
    from inspection.simulation.virtual.ledger import Account
    from inspection.simulation.virtual.plan import Plan


def simulate(
    parts: Annotated[int, typer.Option(min=1, help="How many parts go by.")] = 10_000,
    faults: Annotated[str, typer.Option(help="all, none, or kinds with commas between them.")] = "all",
    fault_rate: Annotated[float, typer.Option(min=0, max=1, help="Faults a part.")] = 0.002,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, another story; the same seed, the very same.")] = 1,
    cameras: Annotated[int, typer.Option(min=1, max=8)] = 1,
    rate: Annotated[float, typer.Option(min=0.5, max=100, help="Parts a second.")] = 20.0,
    encoder: Annotated[bool, typer.Option("--encoder/--time", help="What the station follows the belt by.")] = True,
    wiring: Annotated[Wiring, typer.Option(help="How ejector and belt are wired.")] = Wiring.RELAY,
    views_rule: Annotated[FusionRule, typer.Option(help="How several views become one verdict.")] = FusionRule.ANY,
    trace: Annotated[int | None, typer.Option(min=1, help="Print the life of this part.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")] = False,
) -> None:
    """Run the station's own code in a simulated line; exit 1 when a promise of the design was broken."""
    from inspection.simulation.virtual.faults import FAULTS
    from inspection.simulation.virtual.plan import Plan

    if trace is not None and (as_json or trace > parts):
        raise typer.BadParameter(f"--trace is for one of the {parts} parts, and prints text: leave --json out")
    named = tuple(kind.strip() for kind in faults.split(","))
    kinds = {"all": tuple(FAULTS), "none": ()}.get(faults, named)
    unknown = [repr(kind) for kind in kinds if kind not in FAULTS]
    if unknown:
        raise typer.BadParameter(f"no fault is called {', '.join(unknown)}; there are all, none, {', '.join(FAULTS)}")
    plan = Plan(
        parts=parts,
        seed=seed,
        faults=kinds,
        fault_rate=fault_rate,
        cameras=cameras,
        rate=rate,
        encoder=encoder,
        wiring=wiring,
        rule=views_rule,
        workers=max(2, round(cameras * rate * 0.012)),
        trace=trace,
    )
    without = [kind for kind in kinds if not FAULTS[kind].needs(plan)]
    if without and faults != "all":
        raise typer.BadParameter(
            f"this line has no {', '.join(without)}; choose another --wiring, --encoder or --time (docs/simulator.md)"
        )
    account, history = _run(plan, quiet=as_json)
    if as_json:
        print(json.dumps(account.as_json()))
    else:
        _print(account, plan)
    if trace is not None:
        print("\n".join(history))
    elif not account.kept and not as_json:
        _print_story(account, plan)
    raise typer.Exit(0 if account.kept else 1)


def _run(plan: Plan, *, quiet: bool) -> tuple[Account, list[str]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    from inspection.simulation.virtual.faults import simulated

    line = simulated(plan)
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=quiet, transient=True) as bar:
        task = bar.add_task("", total=plan.parts)
        account = line.run(lambda done: bar.update(task, completed=done))
    return account, [] if line.story is None else line.story.lines


def _print(account: Account, plan: Plan) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("promise")
    table.add_column("count", justify="right")
    table.add_column("")
    rows: list[tuple[str, int, str]] = [
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
        ("4 silence is safe: stops by the watchdog", account.belt_stops, f"{account.cleared} parts cleared by hand"),
        ("5 what was counted stays counted: recovered", account.recovered, "from the journal"),
        ("good parts that the faults cost", account.fault_overkill, "overkill"),
        ("the model's own escapes and overkill", account.model_escapes, f"and {account.model_overkill}"),
    ]
    for name, count, note in rows:
        table.add_row(name, f"{count:,}", note)
    for kind, count in sorted(account.faults.items()):
        table.add_row(f"fault: {kind}", f"{count:,}", "")
    console = Console(highlight=False)
    console.print(table)
    console.print(f"{account.virtual_s:,.0f} s of virtual time, seed {plan.seed}, digest {account.digest[:16]}")
    console.print("every promise was kept" if account.kept else f"[red]BROKEN[/red], seed {plan.seed}", markup=True)


def _verdict(kept: bool) -> str:
    return "kept" if kept else "[red]BROKEN[/red]"


def _print_story(account: Account, plan: Plan) -> None:
    """Run it once more, with the life of the first part that broke a promise written down."""
    from dataclasses import replace

    print(account.first_broken)
    if account.first_part is None:
        return
    _, history = _run(replace(plan, trace=account.first_part), quiet=True)
    print("\n".join(history))

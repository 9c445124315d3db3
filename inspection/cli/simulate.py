"""`lineward simulate`: a whole line in virtual time, with its faults, and whether each promise was kept."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Annotated

import typer

from inspection.cli.simulate_view import print_account
from inspection.simulation.virtual.plan import EjectorKind, Wiring
from inspection.tracking.fusion import FusionRule

if TYPE_CHECKING:
    from inspection.simulation.virtual.ledger import Account
    from inspection.simulation.virtual.meter import Figures
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
    ejector: Annotated[
        EjectorKind, typer.Option(help="What times the rejects: a process with a relay board, or a controller.")
    ] = EjectorKind.RELAY,
    confirm: Annotated[bool, typer.Option("--confirm", help="A sensor sees each rejected part.")] = False,
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
        ejector=ejector,
        confirm=confirm,
        rule=views_rule,
        workers=max(2, round(cameras * rate * 0.012)),
        trace=trace,
    )
    without = [kind for kind in kinds if not FAULTS[kind].needs(plan)]
    if without and faults != "all":
        raise typer.BadParameter(
            f"this line has no {', '.join(without)}; choose another --wiring or --ejector, --confirm, --encoder or "
            "--time (docs/simulator.md)"
        )
    if confirm and ejector is EjectorKind.RELAY and rate > Plan.HIGHEST_POLLED_RATE:
        raise typer.BadParameter(
            f"a relay board's inputs are polled too rarely to tell {rate:g} parts a second apart; with --confirm, "
            f"--rate is at most {Plan.HIGHEST_POLLED_RATE:g}, or choose --ejector controller"
        )
    if ejector is EjectorKind.CONTROLLER and rate > Plan.HIGHEST_FOLLOWED_RATE:
        raise typer.BadParameter(
            f"a controller follows 128 parts at once, and here they are on their way for 2 s; {rate:g} a second are "
            f"too many: with --ejector controller, --rate is at most {Plan.HIGHEST_FOLLOWED_RATE:g}"
        )
    account, figures, history = _run(plan, quiet=as_json)
    if as_json:
        print(json.dumps(account.as_json() | {"machine": figures.as_json()}))
    else:
        print_account(account, figures, plan)
    if trace is not None:
        print("\n".join(history))
    elif not account.kept and not as_json:
        _print_story(account, plan)
    raise typer.Exit(0 if account.kept else 1)


def _run(plan: Plan, *, quiet: bool) -> tuple[Account, Figures, list[str]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    from inspection.simulation.virtual.faults import simulated
    from inspection.simulation.virtual.meter import Meter

    logging.getLogger("inspection.alarm_board").setLevel(logging.ERROR)  # the operator confirms alarms all the time
    line, meter = simulated(plan), Meter(plan.parts)
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=quiet, transient=True) as bar:
        task = bar.add_task("", total=plan.parts)

        def look(done: int) -> None:
            meter.progress(done)
            bar.update(task, completed=done)

        account = line.run(look)
    return account, meter.figures(account), [] if line.story is None else line.story.lines


def _print_story(account: Account, plan: Plan) -> None:
    """Run it once more, with the life of the first part that broke a promise written down."""
    from dataclasses import replace

    print(account.first_broken)
    if account.first_part is None:
        return
    _, _, history = _run(replace(plan, trace=account.first_part), quiet=True)
    print("\n".join(history))

"""`lineward simulate`: a whole line in virtual time, with its faults, and whether each promise was kept."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Annotated

import typer

from inspection.cli.json_option import JsonOption
from inspection.cli.simulate_view import print_account
from inspection.simulation.virtual.plan import EjectorKind, Plan, Wiring
from inspection.tracking.fusion import FusionRule

if TYPE_CHECKING:
    from inspection.simulation.virtual.ledger import Account
    from inspection.simulation.virtual.meter import Figures


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
    as_json: JsonOption = False,
) -> None:
    """Run the station's own code in a simulated line; exit 1 when a promise of the design was broken."""
    if trace is not None and (as_json or trace > parts):
        raise typer.BadParameter(f"--trace is for one of the {parts} parts, and prints text: leave --json out")
    plan = Plan(
        parts=parts,
        seed=seed,
        faults=_kinds(faults),
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
    _check(plan, are_all=faults == "all")
    account, figures, history = _run(plan, quiet=as_json)
    _tell(plan, account, figures, history, as_json)
    raise typer.Exit(0 if account.kept else 1)


def _kinds(faults: str) -> tuple[str, ...]:
    """Return the kinds of faults that are asked for. Raises BadParameter."""
    from inspection.simulation.virtual.faults import FAULTS

    named = tuple(kind.strip() for kind in faults.split(","))
    kinds = {"all": tuple(FAULTS), "none": ()}.get(faults, named)
    unknown = [repr(kind) for kind in kinds if kind not in FAULTS]
    if unknown:
        raise typer.BadParameter(f"no fault is called {', '.join(unknown)}; there are all, none, {', '.join(FAULTS)}")
    return kinds


def _check(plan: Plan, *, are_all: bool) -> None:
    """Raise BadParameter for a line that cannot have what is asked for. are_all: whatever does not fit is left out."""
    from inspection.simulation.virtual.faults import FAULTS

    without = [kind for kind in plan.faults if not FAULTS[kind].needs(plan)]
    if without and not are_all:
        raise typer.BadParameter(
            f"this line has no {', '.join(without)}; choose another --wiring or --ejector, --confirm, --encoder or "
            "--time (docs/simulator.md)"
        )
    if plan.confirm and plan.ejector is EjectorKind.RELAY and plan.rate > plan.HIGHEST_POLLED_RATE:
        raise typer.BadParameter(
            f"a relay board's inputs are polled too rarely to tell {plan.rate:g} parts a second apart; with --confirm, "
            f"--rate is at most {plan.HIGHEST_POLLED_RATE:g}, or choose --ejector controller"
        )
    if plan.ejector is EjectorKind.CONTROLLER and plan.rate > plan.HIGHEST_FOLLOWED_RATE:
        raise typer.BadParameter(
            f"a controller follows 128 parts at once, and here they are on their way for 2 s; {plan.rate:g} a second "
            f"are too many: with --ejector controller, --rate is at most {plan.HIGHEST_FOLLOWED_RATE:g}"
        )


def _tell(plan: Plan, account: Account, figures: Figures, history: list[str], as_json: bool) -> None:
    if as_json:
        print(json.dumps(account.as_json() | {"machine": figures.as_json()}))
    else:
        print_account(account, figures, plan)
    if plan.trace is not None:
        print("\n".join(history))
    elif not account.kept and not as_json:
        _print_story(account, plan)


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

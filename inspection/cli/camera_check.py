"""`lineward cameras check`: does a connected camera keep what every driver promises?"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from inspection.cli.camera_choice import CameraArgument, OptionOption, choose_camera
from inspection.cli.json_option import JsonOption

if TYPE_CHECKING:
    from camera.contract.connected import Outcome


def check(
    camera: CameraArgument,
    option: OptionOption = None,
    frames: Annotated[int, typer.Option(min=3, max=1000, help="Frames that a check looks at.")] = 12,
    timeout: Annotated[float, typer.Option(min=0.5, max=600, help="Seconds that a frame may take to come.")] = 10.0,
    as_json: JsonOption = False,
) -> None:
    """Run the contract that every driver is tested with against this camera; exit 1 if a promise does not hold.

    The camera is opened and closed many times. It has to send frames by itself, to take triggers from software, or to
    be triggered meanwhile. Pictures that are lost on their way are the link's fault, not the driver's, if the driver
    tells of them: no promise is broken by that, but the exit code is 1. No picture is judged: `lineward cameras verify`
    does that.
    """
    from camera.contract.connected import row_of, run_checks

    choice = choose_camera(camera, option or ())
    row = row_of(choice.backend, choice.name, choice.options, choice.scene(), frames, timeout)
    outcomes = []
    console = Console()
    for outcome in run_checks(row):
        outcomes.append(outcome)
        if not as_json:
            _show(console, outcome)
    broken = sum(bool(outcome.problem) for outcome in outcomes)
    losses = sum(len(outcome.lost) for outcome in outcomes)
    if as_json:
        found: dict[str, Any] = {"ok": not broken and not losses, "camera": choice.name, "backend": choice.backend}
        listed = [{"holds": outcome.holds, **asdict(outcome)} for outcome in outcomes]
        print(json.dumps({**found, "takes_software_trigger": row.commanded is not None, "checks": listed}))
    else:
        _sum_up(choice.name, outcomes, broken, losses)
    raise typer.Exit(1 if broken or losses else 0)


def _sum_up(camera: str, outcomes: list[Outcome], broken: int, losses: int) -> None:
    not_tried = sum(bool(outcome.not_tried) for outcome in outcomes)
    tried = len(outcomes) - not_tried
    told = f"; {not_tried} could not be tried" if not_tried else ""
    print(f"{camera}: {tried - broken} of {tried} promises hold{told}")
    if losses:
        print(
            f"{camera}: pictures were lost on their way {losses} times, and the driver told of each: that is "
            "no broken promise, but no part of such a picture can pass; `lineward doctor cameras` says what to mend"
        )


def _show(console: Console, outcome: Outcome) -> None:
    missing = "[bold red]BROKEN[/]" if outcome.problem else "[yellow]not tried[/]"
    word = "[green]holds[/]" if outcome.holds else missing
    console.print(f"{word}  {escape(outcome.promise)} ({outcome.seconds:.1f} s)", highlight=False, soft_wrap=True)
    for said in (*outcome.lost, outcome.problem or outcome.not_tried):
        if said:
            console.print(f"        {said}", markup=False, highlight=False, soft_wrap=True)

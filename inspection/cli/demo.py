"""`lineward demo`: the simulated line, with its page, its API and its reject pulses on a real serial port."""

from __future__ import annotations

import json
import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inspection.cli.ending import told_to_end
from inspection.errors import ConfigError

if TYPE_CHECKING:
    from inspection.simulation.account import Account
    from inspection.simulation.demo_line import MakeConfig
    from inspection.simulation.far_ends import ControllerFarEnd, RelayFarEnd


def demo(
    parts: Annotated[int | None, typer.Option(min=1, help="End after this many parts; endless when left out.")] = None,
    rate_hz: Annotated[float, typer.Option("--rate", min=0.1, max=200, help="Parts a second.")] = 8.0,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Another seed, other parts.")] = 10_000,
    defect_rate: Annotated[float, typer.Option(min=0, max=1, help="Share of parts with a defect.")] = 0.15,
    lost_frame_rate: Annotated[float, typer.Option(min=0, max=1, help="Share of frames that get lost.")] = 0.01,
    ejector: Annotated[
        str, typer.Option(help="What rejects: a relay board, or the controller that times by itself (needs C++).")
    ] = "relay",
    folder: Annotated[
        Path | None, typer.Option("--dir", help="Keep the records here; a temporary folder else.")
    ] = None,
    page: Annotated[bool, typer.Option(help="Serve the operator page.")] = True,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port of the page; 0: any free one.")] = 8080,
    api_port: Annotated[int, typer.Option(min=0, max=65_535, help="Port of the API; 0: any free one.")] = 50051,
    language: Annotated[str, typer.Option(help="Language of the page: en or ko.")] = "en",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")] = False,
) -> None:
    """Run the simulated line; exit 1 when a promise of the design was broken."""
    from inspection.simulation.demo_line import demo_config

    far_end = _far_end(ejector)
    _check_language(language)
    with ExitStack() as stack:
        place = folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lineward-demo-")))
        make_config = partial(
            demo_config,
            place,
            parts=parts,
            rate_hz=rate_hz,
            seed=seed,
            defect_rate=defect_rate,
            lost_frame_rate=lost_frame_rate,
            page=page,
            page_port=port,
            api_port=api_port,
            language=language,
        )
        account = _run(far_end, make_config, quiet=as_json)
    _report(account, as_json)
    raise typer.Exit(1 if account.promises_broken else 0)


def _run(far_end: type[RelayFarEnd | ControllerFarEnd], make_config: MakeConfig, *, quiet: bool) -> Account:
    from inspection.cli.status_view import StatusView
    from inspection.simulation.demo_line import DemoLine

    over = told_to_end()
    view = StatusView(as_json=False, quiet=quiet)
    with DemoLine(far_end(), make_config) as line:
        view.opened(line.service)
        with view:
            line.wait(over, view.show)
        return line.account()


def _far_end(ejector: str) -> type[RelayFarEnd | ControllerFarEnd]:
    from inspection.simulation.far_ends import ControllerFarEnd, RelayFarEnd

    far_ends: dict[str, type[RelayFarEnd | ControllerFarEnd]] = {"relay": RelayFarEnd, "controller": ControllerFarEnd}
    if ejector not in far_ends:
        raise ConfigError(f"--ejector {ejector}: does not exist — there are: {', '.join(far_ends)} — choose one")
    return far_ends[ejector]


def _check_language(language: str) -> None:
    from inspection.texts import LANGUAGES

    if language not in LANGUAGES:
        raise ConfigError(f"--language {language}: does not exist — there are: {', '.join(LANGUAGES)} — choose one")


def _report(account: Account, as_json: bool) -> None:
    if as_json:
        print(json.dumps(account.as_json()))
        return
    print(
        f"{account.triggers} triggers, {account.records} records: {account.passed} passed, {account.rejected} "
        "rejected\n"
        f"{account.pulses} pulses at the far end of the serial line, {account.wrong_pulses} wrong"
        + (" (each counted as a fault in its record)" if account.wrong_pulses and not account.promises_broken else "")
    )
    print(f"against the truth: {account.escaped} escaped, {account.overkill} good parts rejected (overkill)")
    for promise in account.promises_broken:
        print(f"PROMISE BROKEN: {promise}")
    if not account.promises_broken:
        print("every promise was kept")

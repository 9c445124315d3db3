"""`lineward cameras set`: features written, read back and compared; kept by the device or brought from a file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from camera.errors import CameraOptionsError, NodeError
from inspection.cli.camera_choice import CameraArgument, Choice, OptionOption, choose_camera
from inspection.cli.feature_words import allowed, nodes_of, plain, read_or_none
from inspection.cli.json_option import JsonOption

if TYPE_CHECKING:
    from camera.genicam.nodes import Node, Nodes, Value

_TRUE, _FALSE = ("true", "on", "yes", "1"), ("false", "off", "no", "0")


@dataclass(frozen=True, slots=True)
class Change:
    """A feature before and after it was written. problem: '' where the device has now what was wanted."""

    name: str
    before: Value | None
    wanted: Value
    after: Value | None
    problem: str = ""


def set_features(
    camera: CameraArgument,
    changes: Annotated[
        list[str] | None, typer.Argument(metavar="NAME=VALUE…", help="A feature and its value; a command by its name.")
    ] = None,
    option: OptionOption = None,
    source: Annotated[
        Path | None, typer.Option("--from", metavar="FILE.TOML", help="Settings that `show --save-to` wrote, first.")
    ] = None,
    save: Annotated[str, typer.Option(metavar="USERSET", help="The device keeps them: UserSet1, UserSet2 …")] = "",
    as_json: JsonOption = False,
) -> None:
    """Write features and read them back; exit 1 when the device has another value than was wanted."""
    from camera.genicam.saved import read_saved, restore_features
    from camera.genicam.settings import save_user_set

    if not changes and source is None and not save:
        raise typer.BadParameter("nothing to do: give NAME=VALUE, --from FILE.TOML or --save USERSET")
    choice = choose_camera(camera, option or ())
    kept = None if source is None else read_saved(source)
    with choice.make(leave_as_is=True) as opened:
        nodes = nodes_of(opened, choice)
        wanted = _wanted(nodes, changes or (), choice)
        restored = () if kept is None else restore_features(nodes, kept, choice.name)
        written = _write_all(nodes, wanted)
        failed = [change for change in written if change.problem]
        if save and not failed:
            save_user_set(nodes, save, choice.name)
    commands = [name for name, value in wanted if value is None]
    if as_json:
        done = {"restored": len(restored), "changes": [asdict(one) for one in written], "executed": commands}
        print(json.dumps({"ok": not failed, **done, "saved": save if not failed else ""}))
    else:
        if kept is not None:
            print(f"{source}: {len(restored)} settings stand as they were saved")
        _print_changes(written, commands, save, failed)
    raise typer.Exit(1 if failed else 0)


def _write_all(nodes: Nodes, wanted: Sequence[tuple[str, Value | None]]) -> list[Change]:
    """Write the features and give the commands in their order; return what was written."""
    written = []
    for name, value in wanted:
        if value is None:
            nodes.execute(name)
        else:
            written.append(_write(nodes, name, value))
    return written


def _wanted(nodes: Nodes, changes: Sequence[str], choice: Choice) -> list[tuple[str, Value | None]]:
    """Return each feature with its value, None for a command. Raises CameraOptionsError with all problems together."""
    wanted: list[tuple[str, Value | None]] = []
    problems = []
    for change in changes:
        name, equals, text = change.partition("=")
        try:
            wanted.append((name, _wanted_value(nodes, name, text if equals else None)))
        except ValueError as error:
            problems.append(str(error))
    if problems:
        listed = "\n  ".join(problems)
        raise CameraOptionsError(
            f"camera '{choice.name}': nothing was written; {len(problems)} problem(s):\n  {listed}"
        )
    return wanted


def _wanted_value(nodes: Nodes, name: str, text: str | None) -> Value | None:
    if not nodes.has(name):
        close = get_close_matches(name, list(nodes.names()), n=1)
        meant = f"did you mean {close[0]}?" if close else "`lineward cameras show` with --all lists what there is"
        raise ValueError(f"{name}: the camera has no such feature; {meant}")
    node = nodes.node(name)
    if node.kind == "command":
        if text is not None:
            raise ValueError(f"{name}={text}: it is a command; write {name} alone to execute it")
        return None
    if text is None:
        raise ValueError(f"{name}: has no value; write {name}=VALUE{allowed(node)}")
    return _typed(node, text)


def _typed(node: Node, text: str) -> Value:
    try:
        if node.kind == "boolean":
            return _boolean(text)
        if node.kind == "integer":
            return int(text, 0)
        if node.kind == "float":
            return float(text)
    except ValueError:
        raise ValueError(f"{node.name}={text}: is no {node.kind}{allowed(node)}; write it as such") from None
    if node.entries and text not in node.entries:
        raise ValueError(f"{node.name}={text}: is no entry{allowed(node)}; choose one of them")
    return text


def _boolean(text: str) -> bool:
    if text.casefold() not in _TRUE + _FALSE:
        raise ValueError(text)
    return text.casefold() in _TRUE


def _write(nodes: Nodes, name: str, wanted: Value) -> Change:
    from camera.genicam.writing import agrees

    before, problem = read_or_none(nodes, name), ""
    try:
        nodes.set(name, wanted)
    except NodeError as error:
        problem = str(error)
    node = nodes.node(name)
    if not problem and node.value is not None and not agrees(node, wanted, node.value):
        problem = f"the device did not take it{allowed(node)}"
    return Change(name, before, wanted, node.value, problem)


def _print_changes(written: list[Change], commands: list[str], save: str, failed: list[Change]) -> None:
    console = Console(highlight=False)
    for one in written:
        before = "?" if one.before is None else plain(one.before)
        after = "?" if one.after is None else plain(one.after)
        problem = f"   [red]wanted {escape(plain(one.wanted))}: {escape(one.problem)}[/]" if one.problem else ""
        console.print(f"{one.name}: {escape(before)} → {escape(after)}{problem}", soft_wrap=True)
    for name in commands:
        console.print(f"{name}: executed")
    if save:
        console.print(f"not saved to {save}" if failed else f"saved to {save}: the device keeps it over a power cycle")

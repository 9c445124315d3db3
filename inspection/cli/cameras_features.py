"""`lineward cameras show` and `set`: the features of a camera, read, written and read back, kept in a file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from camera.errors import CameraOptionsError, NodeError
from inspection.cli.camera_choice import CameraArgument, Choice, OptionOption, choose_camera

if TYPE_CHECKING:
    from camera.genicam.nodes import Node, Nodes, Value
    from camera.interface import Camera

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")]
_TEMPERATURES = ("DeviceTemperature", "DeviceTemperatureInCelsius", "TemperatureAbs")
_TRUE, _FALSE = ("true", "on", "yes", "1"), ("false", "off", "no", "0")


@dataclass(frozen=True, slots=True)
class Change:
    """A feature before and after it was written. problem: '' where the device has now what was wanted."""

    name: str
    before: Value | None
    wanted: Value
    after: Value | None
    problem: str = ""


def show(
    camera: CameraArgument,
    option: OptionOption = None,
    everything: Annotated[bool, typer.Option("--all", help="Those for experts and gurus, too.")] = False,
    text: Annotated[str, typer.Option("--filter", metavar="TEXT", help="Only features with this in the name.")] = "",
    save_to: Annotated[
        Path | None,
        typer.Option(metavar="FILE.TOML", help="Write all settings of the device to a file, for set --from."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show the features of a camera: value, range, unit, entries. Nobody else may hold it; it is left as it is."""
    from camera.genicam.saved import save_features, write_saved

    choice = choose_camera(camera, option or ())
    with choice.make(leave_as_is=choice.as_is) as opened:
        found = [] if opened.nodes is None else _features(opened.nodes, text, everything=everything)
        state = _state(opened, choice)
        if save_to is not None:
            write_saved(save_features(_nodes_of(opened, choice)), save_to)
    if as_json:
        print(json.dumps({**state, "features": [asdict(node) for node in found]}))
        return
    console = Console()
    for key, value in state.items():
        if value not in (None, {}, ""):
            console.print(f"{key}: {_plain(value)}", markup=False, highlight=False)
    if found:
        console.print(_table(found))
    elif state["has_features"]:
        print("no feature is shown; --all shows those for experts, and --filter TEXT looks for a part of a name")
    if save_to is not None:
        print(f"settings written to {save_to}; `lineward cameras set` with --from brings them back")


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
    as_json: Json = False,
) -> None:
    """Write features and read them back; exit 1 when the device has another value than was wanted."""
    from camera.genicam.saved import read_saved, restore_features
    from camera.genicam.settings import save_user_set

    if not changes and source is None and not save:
        raise typer.BadParameter("nothing to do: give NAME=VALUE, --from FILE.TOML or --save USERSET")
    choice = choose_camera(camera, option or ())
    kept = None if source is None else read_saved(source)
    with choice.make(leave_as_is=choice.as_is) as opened:
        nodes = _nodes_of(opened, choice)
        wanted = _wanted(nodes, changes or (), choice)
        restored = () if kept is None else restore_features(nodes, kept, choice.name)
        written = []
        for name, value in wanted:
            if value is None:
                nodes.execute(name)
            else:
                written.append(_write(nodes, name, value))
        failed = [change for change in written if change.problem]
        if save and not failed:
            save_user_set(nodes, save, choice.name)
    commands = [name for name, value in wanted if value is None]
    if as_json:
        done = {"restored": len(restored), "changes": [asdict(one) for one in written], "executed": commands}
        print(json.dumps({"ok": not failed, **done, "saved": save if not failed else ""}))
    else:
        if restored:
            print(f"{source}: {len(restored)} settings stand as they were saved")
        _print_changes(written, commands, save, failed)
    raise typer.Exit(1 if failed else 0)


def _nodes_of(camera: Camera, choice: Choice) -> Nodes:
    if camera.nodes is None:
        raise CameraOptionsError(
            f"camera '{choice.name}': backend '{choice.backend}' has no features; its settings are options: write them "
            "in the station's file, or as --option key=value"
        )
    return camera.nodes


def _state(camera: Camera, choice: Choice) -> dict[str, Any]:
    nodes = camera.nodes
    state = {
        "camera": choice.name,
        "backend": choice.backend,
        "state": "can be used",
        "has_features": nodes is not None,
    }
    for key, name in (
        ("vendor", "DeviceVendorName"),
        ("model", "DeviceModelName"),
        ("firmware", "DeviceFirmwareVersion"),
    ):
        state[key] = _value(nodes, (name,))
    state["temperature_c"] = _value(nodes, _TEMPERATURES)
    size = camera.picture_size
    state["picture"] = None if size is None else f"{size[0]}×{size[1]}"
    state["counters"] = dict(camera.counters())
    return state


def _value(nodes: Nodes | None, names: Sequence[str]) -> Value | None:
    there = (name for name in names if nodes is not None and nodes.has(name))
    return next((_read(nodes, name) for name in there if nodes is not None), None)


def _features(nodes: Nodes, text: str, *, everything: bool) -> list[Node]:
    shown = ("beginner", "expert", "guru") if everything else ("beginner",)
    found = []
    for name in nodes.names():
        if text.casefold() in name.casefold() and nodes.has(name):
            try:
                node = nodes.node(name)
            except NodeError:
                continue  # it is not there in the present state of the device
            if node.visibility in shown or (text and everything) or text == name:
                found.append(node)
    return found


def _table(found: list[Node]) -> Table:
    table = Table("feature", "value", "range or entries", "access")
    for node in found:
        value = "" if node.value is None else f"{_plain(node.value)} {node.unit}".strip()
        access = "command" if node.kind == "command" else f"{'r' * node.readable}{'w' * node.writable}" or "none"
        table.add_row(*map(escape, (node.name, value, _range(node), access)))
    return table


def _range(node: Node) -> str:
    if node.kind == "enumeration":
        return ", ".join(node.entries)
    if node.minimum is None or node.maximum is None:
        return ""
    step = f", steps of {_plain(node.increment)}" if node.increment not in (None, 0, 1) else ""
    return f"{_plain(node.minimum)} … {_plain(node.maximum)}{step}"


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {count}" for key, count in value.items())
    return f"{value:.10g}" if isinstance(value, float) else str(value)


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
        raise ValueError(f"{name}: has no value; write {name}=VALUE{_allowed(node)}")
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
        raise ValueError(f"{node.name}={text}: is no {node.kind}{_allowed(node)}; write it as such") from None
    if node.entries and text not in node.entries:
        raise ValueError(f"{node.name}={text}: is no entry{_allowed(node)}; choose one of them")
    return text


def _boolean(text: str) -> bool:
    if text.casefold() not in _TRUE + _FALSE:
        raise ValueError(text)
    return text.casefold() in _TRUE


def _allowed(node: Node) -> str:
    allowed = "true or false" if node.kind == "boolean" else _range(node)
    return f" ({allowed}{f' {node.unit}' if node.unit else ''})" if allowed else ""


def _write(nodes: Nodes, name: str, wanted: Value) -> Change:
    from camera.genicam.writing import agrees

    before, problem = _read(nodes, name), ""
    try:
        nodes.set(name, wanted)
    except NodeError as error:
        problem = str(error)
    node = nodes.node(name)
    if not problem and node.value is not None and not agrees(node, wanted, node.value):
        problem = f"the device did not take it{_allowed(node)}"
    return Change(name, before, wanted, node.value, problem)


def _read(nodes: Nodes, name: str) -> Value | None:
    try:
        return nodes.get(name)
    except NodeError:
        return None


def _print_changes(written: list[Change], commands: list[str], save: str, failed: list[Change]) -> None:
    console = Console(highlight=False)
    for one in written:
        before = "?" if one.before is None else _plain(one.before)
        after = "?" if one.after is None else _plain(one.after)
        problem = f"   [red]wanted {escape(_plain(one.wanted))}: {escape(one.problem)}[/]" if one.problem else ""
        console.print(f"{one.name}: {escape(before)} → {escape(after)}{problem}", soft_wrap=True)
    for name in commands:
        console.print(f"{name}: executed")
    if save:
        console.print(f"not saved to {save}" if failed else f"saved to {save}: the device keeps it over a power cycle")

"""`lineward cameras show` and `set`: the features of a camera, read, written and read back, kept in a file."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
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
    from camera.genicam.saved_features import Change
    from camera.interface import Camera

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")]
_TEMPERATURES = ("DeviceTemperature", "DeviceTemperatureInCelsius", "TemperatureAbs")
_TRUE, _FALSE = ("true", "on", "yes", "1"), ("false", "off", "no", "0")


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
    choice = choose_camera(camera, option or ())
    with choice.make(leave_as_is=choice.as_is) as opened:
        found = [] if opened.nodes is None else _features(opened.nodes, text, everything=everything)
        state = _state(opened, choice)
        if save_to is not None:
            _save(_nodes_of(opened, choice), save_to, choice)
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
    from camera.genicam.saved_features import restore_features, write_feature
    from camera.genicam.settings import save_user_set

    if not changes and source is None and not save:
        raise typer.BadParameter("nothing to do: give NAME=VALUE, --from FILE.TOML or --save USERSET")
    choice = choose_camera(camera, option or ())
    kept = {} if source is None else _read_settings(source)
    with choice.make(leave_as_is=choice.as_is) as opened:
        nodes = _nodes_of(opened, choice)
        wanted = _wanted(nodes, changes or (), choice)
        written = restore_features(nodes, kept)
        for name, value in wanted:
            if value is None:
                nodes.execute(name)
            else:
                written.append(write_feature(nodes, name, value))
        failed = [change for change in written if change.problem]
        if save and not failed:
            save_user_set(nodes, save, choice.name)
    commands = [name for name, value in wanted if value is None]
    if as_json:
        done = {"changes": [asdict(one) for one in written], "executed": commands}
        print(json.dumps({"ok": not failed, **done, "saved": save if not failed else ""}))
    else:
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
    from camera.genicam.saved_features import read_or_none

    there = (name for name in names if nodes is not None and nodes.has(name))
    return next((read_or_none(nodes, name) for name in there if nodes is not None), None)


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


def _save(nodes: Nodes, file: Path, choice: Choice) -> None:
    from camera.genicam.saved_features import save_features

    lines = [f"# The settings of camera {choice.name}, written by `lineward cameras show`.", "[features]"]
    lines += [f"{name} = {_toml(value)}" for name, value in save_features(nodes).items()]
    file.write_text("\n".join(lines) + "\n", "utf-8")


def _toml(value: Value) -> str:
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")  # its texts and numbers are TOML's, too


def _read_settings(file: Path) -> dict[str, Value]:
    try:
        features = tomllib.loads(file.read_text("utf-8")).get("features")
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CameraOptionsError(
            f"{file}: cannot be read as TOML ({error}); `show --save-to` writes such a file"
        ) from None
    plain = isinstance(features, dict) and all(isinstance(one, bool | int | float | str) for one in features.values())
    if not isinstance(features, dict) or not features or not plain:
        raise CameraOptionsError(
            f"{file}: has no [features] with a plain value each; `show --save-to` writes such a file"
        )
    return features


def _print_changes(written: list[Change], commands: list[str], save: str, failed: list[Change]) -> None:
    console = Console(highlight=False)
    for one in written:
        before = "?" if one.before is None else _plain(one.before)
        after = "?" if one.after is None else _plain(one.after)
        problem = f"   [red]wanted {escape(_plain(one.wanted))}: {escape(one.problem)}[/]" if one.problem else ""
        console.print(f"{one.name}: {escape(before)} → {escape(after)}{problem}", soft_wrap=True)
    for name in commands:
        console.print(f"{name}: executed")
    if not written and not commands:
        console.print("everything stands already as it is wanted")
    if save:
        console.print(f"not saved to {save}" if failed else f"saved to {save}: the device keeps it over a power cycle")

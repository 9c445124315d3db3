"""What the command line says is what was written: a word in brackets is never taken for a colour."""

from __future__ import annotations

import dataclasses
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import typer
from rich.console import Console
from searched_store import a_part
from typer.testing import CliRunner

from inspection.cli import status_view
from inspection.cli.main import app
from inspection.cli.plain_help import say_as_written
from inspection.config.load import parse_config
from inspection.records.record import Run
from inspection.records.store import RecordStore, make_row
from inspection.service import Service

STATION = """
[camera]
backend = "simulated"
[geometry]
travel_time_s = 1.0
[ejector]
driver = "simulated"
"""
_IN_BRACKETS = re.compile(r"\[[^\[\]]+\]")


def _commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, command
    if hasattr(command, "list_commands"):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from _commands(command.get_command(context, name), (*path, name))


def test_no_help_of_any_command_loses_a_word_in_brackets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the whole command line; that there are some to lose is counted, too."""
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setenv("TERMINAL_WIDTH", "300")
    found, groups = 0, 0
    for path, command in _commands(typer.main.get_command(app)):
        texts = [command.help or "", *((getattr(one, "help", None) or "") for one in command.params)]
        wanted = [word for text in texts for word in _IN_BRACKETS.findall(text.replace("\\[", "["))]
        groups += hasattr(command, "list_commands")
        if wanted:
            run = CliRunner().invoke(app, [*path, "--help"])
            assert run.exit_code == 0, path
            assert [word for word in wanted if word not in run.output] == [], path
            found += len(wanted)
    assert found >= 8
    assert groups >= 8


def test_a_group_is_escaped_down_to_its_options() -> None:
    """Once and whole: a word, a colour's name and a closing tag come out as they were written."""
    group, inside = typer.Typer(help="Of [plant]."), typer.Typer()

    @inside.command()
    def one(many: str = typer.Option("", help="See [red] and [/] of [api].")) -> None:
        """Do [all] of it."""
        del many

    inside.command("other")(lambda: None)
    group.add_typer(inside, name="inside", help="In [inside].")
    command = typer.main.get_command(group)
    say_as_written(command)
    shown = Console(width=200, file=None)
    with shown.capture() as captured:
        for path, found in _commands(command):
            del path
            for text in (found.help or "", *((getattr(one, "help", None) or "") for one in found.params)):
                shown.print(text)
    for word in ("[plant]", "[inside]", "[all]", "[red] and [/] of [api]"):
        assert word in captured.get()


def test_addresses_are_said_whole(capsys: pytest.CaptureFixture[str]) -> None:
    """An IPv6 address looks like a tag."""
    service = Service(parse_config(STATION, "station.toml"))
    service.page_url, service.metrics_url = "http://[fe80::1]:8080/", "http://[fe80::1]:9090/metrics"
    service.api_address = "[fe80::1]:8081"
    status_view.StatusView(as_json=False).opened(service)
    told = capsys.readouterr().err
    for word in (service.page_url, service.api_address, service.metrics_url):
        assert word in told


def test_a_type_of_defect_is_listed_by_its_whole_name(tmp_path: Path) -> None:
    """Whatever somebody called a class."""
    store = RecordStore(tmp_path)
    run = store.begin_run(Run("r0", "s", "m", "", "", 1, 0))
    part = a_part(0, 1, random.Random(1))
    decision = dataclasses.replace(part.decision, defect_class="dent [deep]")
    store.append([make_row(dataclasses.replace(part, decision=decision), run)])
    store.close()
    assert "dent [deep]" in CliRunner().invoke(app, ["records", "list", "--dir", str(tmp_path)]).output

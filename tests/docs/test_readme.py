"""What the documents tell people to type does exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from inspection.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMANDS = sorted(
    {
        (document.name, command.strip())
        for document in DOCUMENTS
        for command in re.findall(r"^\$ (lineward [^#\n]+)", document.read_text("utf-8"), re.MULTILINE)
        + re.findall(r"`(lineward [^`\n]+)`", document.read_text("utf-8"))
    }
)
TARGETS = sorted(
    {
        (document.name, target)
        for document in DOCUMENTS
        for target in re.findall(r"`make ([a-z-]+)`|^\$ make ([a-z-]+)", document.read_text("utf-8"), re.MULTILINE)
        for target in target
        if target
    }
)


def _resolve(words: list[str]) -> tuple[Any, list[str]]:
    """Walk from the root to the command that the words name; return it with what is left."""
    command: Any = typer.main.get_command(app)
    while words and hasattr(command, "get_command"):
        following = command.get_command(None, words[0])
        if following is None:
            break
        command, words = following, words[1:]
    return command, words


@pytest.mark.parametrize(("document", "line"), COMMANDS)
def test_each_command_exists_with_its_options(document: str, line: str) -> None:
    """The command resolves to the end, and each option is one that it has."""
    words = shlex.split(line.replace("…", ""))[1:]
    command, rest = _resolve(words)
    assert not hasattr(command, "get_command") or all(word.startswith("-") for word in rest), line
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    for word in rest:
        if word.startswith("--"):
            assert word in known | {"--help", "--install-completion"}, f"{document}: {line}: no option {word}"


@pytest.mark.parametrize(("document", "target"), TARGETS)
def test_each_make_target_exists(document: str, target: str) -> None:
    """`make x` in a document is a target of the Makefile."""
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE), f"{document}: {target}"


def test_every_picture_and_page_that_is_linked_exists() -> None:
    """No document links to a file that is not there."""
    for document in DOCUMENTS:
        for link in re.findall(r"\]\(([^)#:]+)\)", document.read_text("utf-8")):
            assert (document.parent / link).exists(), f"{document.name} links to {link}"


def test_the_table_of_commands_is_complete() -> None:
    """Every command answers to --help with a sentence."""
    root: Any = typer.main.get_command(app)
    for name in root.list_commands(None):
        assert root.get_command(None, name).get_short_help_str(), name

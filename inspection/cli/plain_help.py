"""The help of a command says what is written in the code: a `[word]` in brackets is no colour there."""

from __future__ import annotations

from typing import Any

from rich.markup import escape


def say_as_written(command: Any) -> None:
    """Escape every help text of a command, or of a group and all in it, once; Typer reads them as rich's markup."""
    for one in (command, *getattr(command, "params", ())):
        for name in ("help", "short_help", "epilog"):
            if text := getattr(one, name, None):
                setattr(one, name, escape(text))
    for inside in getattr(command, "commands", {}).values():
        say_as_written(inside)

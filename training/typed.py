"""The command line as a person typed it, for the card."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path


def typed_command(arguments: Sequence[str]) -> str:
    """Give a command line for the card as it was typed, the shell's expansion of ~ taken back.

    Whatever else names a place on this machine was typed by a person, who may have meant it to be known.
    """
    home = str(Path.home())
    words = (f"~{word[len(home) :]}" if word == home or word.startswith(home + "/") else word for word in arguments[1:])
    return " ".join(("lineward", *map(_quoted, words)))


def _quoted(word: str) -> str:
    return (
        "~" + (shlex.quote(word[1:]) if word[1:] else "") if word.startswith("~/") or word == "~" else shlex.quote(word)
    )

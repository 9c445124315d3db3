"""`lineward cameras` in the test's own process: what it said, and with which exit code."""

from __future__ import annotations

import json
from typing import Any

from typer.testing import CliRunner

from inspection.cli.cameras import app


def cameras(*words: object) -> tuple[int, str]:
    """Run a command; return its exit code and what it said, an error's text included."""
    result = CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "200", "NO_COLOR": "1"})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        code = getattr(result.exception, "exit_code", None)
        assert isinstance(code, int), repr(result.exception)
        return code, str(result.exception)
    return result.exit_code, result.output


def as_json(*words: object) -> dict[str, Any]:
    """Run a command that must succeed; return its object."""
    code, text = cameras(*words, "--json")
    assert code == 0, text
    found: dict[str, Any] = json.loads(text)
    return found

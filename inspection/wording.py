"""What the validator found, in our words: the value, what is allowed, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic_core import ErrorDetails

_OWN = ("value_error", "assertion_error")  # our validators' texts: they are as they should be
_LONGEST = 60

_BOUNDS = {
    "greater_than": ("more than {gt} is allowed", "raise it"),
    "greater_than_equal": ("at least {ge} is allowed", "raise it"),
    "less_than": ("less than {lt} is allowed", "lower it"),
    "less_than_equal": ("at most {le} is allowed", "lower it"),
    "finite_number": ("a finite number is needed", "write one"),
    "literal_error": ("allowed is {expected}", "choose one"),
    "enum": ("allowed is {expected}", "choose one"),
    "string_too_short": ("at least {min_length} characters are needed", "write some"),
    "string_too_long": ("at most {max_length} characters are allowed", "shorten it"),
    "too_short": ("at least {min_length} are needed", "add some"),
    "too_long": ("at most {max_length} are allowed", "leave some out"),
}
_KINDS = {
    "int": ("a whole number is needed", "write it without quotes and without a fraction"),
    "float": ("a number is needed", "write it without quotes"),
    "bool": ("true or false is needed", "write it without quotes"),
    "string": ("text is needed", "put it in quotes"),
    "path": ("a path is needed", "put it in quotes"),
    "tuple": ("a list is needed", "put it in [brackets]"),
    "list": ("a list is needed", "put it in [brackets]"),
    "dict": ("a table is needed", "write its keys below its [name], or as {key = value}"),
    "model": ("a table is needed", "write its keys below its [name], or as {key = value}"),
}


def wording(detail: ErrorDetails, description: str | None = None) -> str:
    """Return one finding as `is VALUE — what is allowed — what to do`.

    description: of the key, which says what a text must be where the validator only knows a pattern.
    """
    kind, value = detail["type"], detail["input"]
    context: Mapping[str, Any] = detail.get("ctx", {})
    if kind in _BOUNDS:
        allowed, step = _BOUNDS[kind]
        limits = {name: f"{limit:g}" if isinstance(limit, float) else limit for name, limit in context.items()}
        return _sentence(value, allowed.format(**limits), step)
    if kind == "extra_forbidden":
        return "is an unknown key — leave it out, or mend its spelling"
    if kind == "missing":
        return "is missing — give it a value"
    if kind == "string_pattern_mismatch":
        return _sentence(value, description or f"the pattern is {context['pattern']}", "write it in that form")
    known = _KINDS.get(kind.partition("_")[0])
    if known is not None:
        return _sentence(value, *known)
    if kind in _OWN or "Input should" not in detail["msg"]:
        return detail["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return _sentence(value, detail["msg"].removeprefix("Input ").replace("should be", "allowed is"), "mend it")


def _sentence(value: Any, allowed: str, step: str) -> str:
    shown = repr(value)
    if isinstance(value, Mapping):
        shown = "a table"
    elif len(shown) > _LONGEST:
        shown = f"{shown[:_LONGEST]}…"
    return f"is {shown} — {allowed} — {step}"

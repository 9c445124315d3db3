"""An entry of the book in one line of words, for who reads the book; the whole content is in its JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from inspection.plain_text import printable
from inspection.records.entries import Entry, EntryKind

_LONGEST = 240


def entry_words(entry: Entry) -> str:
    """Return what an entry says, printable and in bounded length; content of another form is told as it is."""
    try:
        text = _WORDS.get(entry.kind, _as_it_is)(entry.content)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):
        text = _as_it_is(entry.content)
    shown = printable(text)
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"


def _as_it_is(content: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{key} {value if isinstance(value, str) else json.dumps(value)}" for key, value in content.items()
    )


def _audit(content: Mapping[str, Any]) -> str:
    phase = str(content["phase"])
    told = {key: value for key, value in dict(content.get("request") or {}).items() if key != "request_id"}
    request = f" ({_as_it_is(told)})" if told else ""
    if phase == "refused":
        return f"refused: {content['code']} {content['reason']}, from {content['peer']}"
    if phase == "done":
        outcome = content["outcome"]
        return f"done: {outcome['code']}, {content['before']} → {content['after']}{request}, from {content['peer']}"
    return f"{phase}{request}, from {content['peer']}"


def _recipe(content: Mapping[str, Any]) -> str:
    caller = f", {content['caller']}" if content.get("caller") else ""
    step = f"version {content['version']} {str(content['change']).lower()}, sha256 {content['sha256'][:12]}…"
    if "before" not in content:
        return f"{step}{caller}"
    return f"{step}; newest before: {_version(content['before'])}, now: {_version(content['after'])}{caller}"


def _version(told: Mapping[str, Any] | None) -> str:
    return "none" if told is None else f"version {told['version']}"


def _review(content: Mapping[str, Any]) -> str:
    defect = f" {content['defect_class']}" if content.get("defect_class") else ""
    comment = f": {content['comment']}" if content.get("comment") else ""
    return f"{content['verdict']}{defect} (the machine: {content['machine']}){comment}"


def _hold(content: Mapping[str, Any]) -> str:
    rest = {key: value for key, value in content.items() if key not in ("step", "reason")}
    return f"{str(content['step']).lower()}: {content['reason']}{f' ({_as_it_is(rest)})' if rest else ''}"


def _removal(content: Mapping[str, Any]) -> str:
    numbers = content["records"]
    span = f"record {numbers[0]}" if len(numbers) == 1 else f"records {numbers[0]} to {numbers[-1]}"
    images = "1 image" if len(numbers) == 1 else f"{len(numbers)} images"
    return f"{images}, {content['bytes']} bytes, {span}: {content['why']}"


def _signature(content: Mapping[str, Any]) -> str:
    heads = content["heads"]
    return f"signed: records to {heads['records'][0]}, entries to {heads['entries'][0]}"


_WORDS: Mapping[EntryKind, Callable[[Mapping[str, Any]], str]] = {
    EntryKind.AUDIT: _audit,
    EntryKind.RECIPE: _recipe,
    EntryKind.REVIEW: _review,
    EntryKind.HOLD: _hold,
    EntryKind.REMOVAL: _removal,
    EntryKind.SIGNATURE: _signature,
}

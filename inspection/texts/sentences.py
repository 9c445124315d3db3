"""What a driver says of its trouble, made fit to stand between two sentences of a catalogue."""

from __future__ import annotations

import re

_ADVICE = re.compile(r"(?:;| —) check (?:its|the) (?:cable|power)[^;—]*$")
_ENDS = (".", "!", "?", "。", "…", "”")


def ended(text: str) -> str:
    """Return a text with a full stop behind it, where it has no end."""
    return text if not text or text.endswith(_ENDS) else f"{text}."


def without_advice(trouble: str) -> str:
    """Return what happened, without the closing `check its cable …`, which the remedy says in its language."""
    return _ADVICE.sub("", trouble)

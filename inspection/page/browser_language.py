"""Which of our languages a browser asks for, by its Accept-Language header (RFC 9110, 12.5.4)."""

from __future__ import annotations

import re
from collections.abc import Collection

_RANGE = re.compile(r"\s*([A-Za-z]{1,8})(?:-[A-Za-z0-9-]*)?\s*(?:;\s*q=([01](?:\.\d{0,3})?)\s*)?")
_LONGEST = 500


def browser_language(accepted: str, known: Collection[str], otherwise: str) -> str:
    """Return the known language that is asked for most, of two alike the one that is named first."""
    best, best_weight = otherwise, 0.0
    for one in accepted[:_LONGEST].split(","):
        found = _RANGE.fullmatch(one)
        weight = float(found[2] or 1) if found else 0.0
        if found and found[1].lower() in known and weight > best_weight:
            best, best_weight = found[1].lower(), weight
    return best

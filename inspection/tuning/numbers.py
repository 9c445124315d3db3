"""What somebody types into the page, as numbers."""

from __future__ import annotations


def whole_numbers(text: str) -> tuple[int, int, int, int] | None:
    """Return four whole numbers that are apart by commas or blanks; None where it is something else."""
    parts = text.replace(",", " ").split()
    if len(parts) != 4 or not all(part.isdecimal() for part in parts):
        return None
    x, y, width, height = map(int, parts)
    return x, y, width, height


def real_number(text: str) -> float | None:
    """Return a number, also one with a decimal comma; None where it is none."""
    try:
        number = float(text.strip().replace(",", "."))
    except ValueError:
        return None
    return number if abs(number) < float("inf") else None

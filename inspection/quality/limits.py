"""The limits of one view's figures, what lies outside them, and how much of the way to one is used up."""

from __future__ import annotations

from typing import Any

from camera.picture_limits import LIMITS as LIMITS
from camera.picture_limits import Limit as Limit
from camera.picture_limits import outside as outside
from inspection.quality.options import QualitySection


def held(section: QualitySection) -> list[tuple[Limit, float]]:
    """Return the limits that a section holds, with their values."""
    return [(limit, value) for limit in LIMITS if (value := getattr(section, limit.key)) is not None]


def used_up(limit: Limit, value: float, usual: float, figure: float) -> float:
    """Return how much of the way from the usual value to the limit a figure has gone: 0 there, 1 at the limit."""
    room = usual - value if limit.is_lower else value - usual
    gone = usual - figure if limit.is_lower else figure - usual
    if room <= 0.0:
        return 1.0 if gone >= 0.0 else 0.0
    return gone / room


def trouble_of(keys: tuple[str, ...] | list[str]) -> str:
    """Return the name of what is wrong, by the first limit that is broken; '' for none."""
    return next((limit.trouble for limit in LIMITS if limit.key in keys), "")


def joined_values(*sections: QualitySection | None) -> dict[str, Any]:
    """Return what the sections say, key by key, an earlier one first."""
    values: dict[str, Any] = {}
    for section in reversed(sections):
        if section is not None:
            values |= section.model_dump(exclude_unset=True)
    return values


def joined(*sections: QualitySection | None) -> QualitySection | None:
    """Return the sections as one, key by key, an earlier one first; None where no limit is held.

    Raises ValueError where they contradict each other, or lack the map that a limit is held against.
    """
    one = QualitySection.model_validate(joined_values(*sections))
    for limit, reference in (("uneven_max", "light"), ("dirt_max", "light"), ("smear_max", "detail")):
        if getattr(one, limit) is not None and getattr(one, reference) is None:
            raise ValueError(
                f"{limit} is held against {reference}, which is missing; let `lineward quality learn` write both"
            )
    return one if held(one) else None

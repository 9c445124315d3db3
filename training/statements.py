"""In plain words what a sample can and cannot show about a threshold."""

from __future__ import annotations

from dataclasses import dataclass

from models.card import Card, Costs, SizeRecall
from training.intervals import cases_needed, total_needed

SMALLEST_PX = 4.0  # pixels of a defect at the input below which it is about one point to the network


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted at a threshold, in images and in independent pieces: a plain value; limits are one-sided."""

    escapes: int
    defects: int
    overkills: int
    goods: int
    pieces_escaped: int
    defect_pieces: int
    pieces_rejected: int
    good_pieces: int
    escape_limit: float | None
    overkill_limit: float | None
    confidence: float
    sample: str = "validation"


def state_threshold(
    counted: Counted, rule: str, escape: float | None, overkill: float | None, costs: Costs | None
) -> str:
    """Say what was counted, what it still allows, what the targets would take, and how the threshold was chosen."""
    told = [_escape_words(counted, escape)]
    if rule == "good parts alone" or overkill is not None:
        told.append(_overkill_words(counted, overkill))
    if costs is not None and rule == "cost":
        told.append(_cost_words(counted, costs))
    return " ".join(part for part in told if part)


def more_defects_words(escapes: int, pieces: int, target: float, confidence: float = 0.95) -> str:
    """Answer how many more independent defects it takes to claim an escape target in 0..1, after what was counted."""
    needed = total_needed(escapes, target, confidence)
    if needed <= pieces:
        return f"{count_of(pieces, 'independent defect')} are enough to claim at most {percent(target)} escapes."
    allowed = "without an escape" if escapes == 0 else f"with no more than {count_of(escapes, 'escape')}"
    return (
        f"To claim that at most {percent(target)} of the defects escape, {needed} independent defects {allowed} "
        f"are needed: {needed - pieces} more than the {pieces} in this sample."
    )


def count_of(number: int, noun: str) -> str:
    """Write a number with its noun."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def percent(share: float) -> str:
    """Write a share in percent with two figures that count."""
    value = 100.0 * share
    return f"{value:.0f} %" if value >= 10 else f"{value:.2g} %"


def size_words(found: SizeRecall) -> str:
    """Name a bin of defect sizes."""
    if found.high_px is None:
        return f"{found.low_px:g} and more"
    return f"below {found.high_px:g}" if found.low_px == 0 else f"{found.low_px:g} to {found.high_px:g}"


def smallest_words(card: Card) -> str:
    """Say how many pixels the smallest marked training defect has at the network's input; warn below 4."""
    pixels, size = card.smallest_defect_px, f"{card.input.width}×{card.input.height}"
    if pixels is None:
        return ""
    told = f"smallest marked training defect: {pixels:.2g} pixels at the input of {size}"
    if pixels >= SMALLEST_PX:
        return told + "."
    return f"{told}; below {SMALLEST_PX:g} a defect is hardly seen: train with a larger --size, or cut to the part."


def _escape_words(counted: Counted, target: float | None) -> str:
    if counted.defects == 0:
        known = f"No defect in the {counted.sample} images: nothing is known about escapes"
        if target is None:
            return known + "."
        return (
            f"{known}, the target of {percent(target)} cannot be supported; at least "
            f"{cases_needed(target, counted.confidence)} defects without an escape are needed."
        )
    limit = counted.escape_limit if counted.escape_limit is not None else 1.0
    text = f"{count_of(counted.defects, f'{counted.sample} defect')}: {count_of(counted.escapes, 'escape')}"
    if counted.defect_pieces < counted.defects:
        text += f"; they show {count_of(counted.defect_pieces, 'independent piece')}, {counted.pieces_escaped} of which"
        text += " escaped at least once"
    supported = target is not None and limit <= target
    text += f", which {'' if supported or target is None else 'still '}means up to {percent(limit)} "
    text += f"({percent(counted.confidence)} confidence, one-sided)"
    if target is None:
        return text + "."
    if supported:
        return f"{text}: the target of {percent(target)} is supported."
    needed = total_needed(counted.pieces_escaped, target, counted.confidence)
    without = "without an escape" if counted.pieces_escaped == 0 else f"with {counted.pieces_escaped} escapes at most"
    return (
        f"{text}: the sample cannot support the target of {percent(target)}; that takes at least {needed} independent "
        f"defects {without}, {needed - counted.defect_pieces} more."
    )


def _overkill_words(counted: Counted, target: float | None) -> str:
    if counted.overkill_limit is None:
        return f"No good part in the {counted.sample} images: nothing is known about overkill."
    pieces = count_of(counted.good_pieces, "good piece")
    text = (
        f"{pieces}, {counted.pieces_rejected} above the threshold: at most {percent(counted.overkill_limit)} of good "
        f"parts will be rejected ({percent(counted.confidence)} confidence, from the rank alone, however the scores "
        "are distributed)"
    )
    if target is None or counted.overkill_limit <= target:
        return text + "."
    needed = total_needed(counted.pieces_rejected, target, counted.confidence)
    return f"{text}; {percent(target)} takes at least {needed} good pieces with no more rejected."


def _cost_words(counted: Counted, costs: Costs) -> str:
    escape = counted.escapes / max(1, counted.defects) * costs.escape * costs.defect_share
    overkill = counted.overkills / max(1, counted.goods) * costs.overkill * (1 - costs.defect_share)
    return (
        f"The threshold costs least on these images: {1000 * (escape + overkill):.3g} per 1000 parts when "
        f"{percent(costs.defect_share)} of them are bad ({costs.escape:g} an escape, {costs.overkill:g} an overkill); "
        "it was searched on the images that it is counted on, so other parts may cost more."
    )

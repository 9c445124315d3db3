"""What the recipe may choose for each fault, and which reaction each alarm has then."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

from inspection.alarms import Reaction
from inspection.faults.row import Fault
from inspection.faults.table import FAULTS


def choosable() -> Mapping[str, Fault]:
    """Return the faults whose reaction the recipe may choose, by name."""
    return {fault.name: fault for fault in FAULTS if fault.allowed}


def problems(chosen: Mapping[str, Reaction]) -> list[str]:
    """Return one sentence for each choice that the table does not allow."""
    return [text for name, reaction in chosen.items() if (text := _problem(name, reaction))]


def _problem(name: str, reaction: Reaction) -> str:
    known = choosable()
    if name in known:
        allowed = known[name].allowed
        return "" if reaction in allowed else f"{name} is {reaction}, {_one_of(allowed)} {_are(allowed)} allowed"
    fault = next((fault for fault in FAULTS if fault.name == name), None)
    if fault is not None and fault.goes_with:
        return f"{name} goes with {fault.goes_with}; choose the reaction there"
    if fault is not None:
        return f"{name} leaves nothing to choose: the station cannot react to it any more, or need not"
    close = get_close_matches(name, known, n=1)
    hint = f"did you mean '{close[0]}'?" if close else f"known: {', '.join(sorted(known))}"
    return f"{name} is no fault; {hint}"


def _one_of(allowed: tuple[Reaction, ...]) -> str:
    return " or ".join(filter(None, (", ".join(allowed[:-1]), allowed[-1])))


def _are(allowed: tuple[Reaction, ...]) -> str:
    return "is" if len(allowed) == 1 else "are"


def reactions_of_alarms(chosen: Mapping[str, Reaction], *, belt_can_be_stopped: bool) -> dict[str, Reaction]:
    """Return the reaction of each alarm: the recipe's choice, else the table's default.

    Where nothing can stop the belt, a default of `stop_line` is `hold` (a choice of it is refused, see the
    configuration): to stop inspecting while the belt runs on would let parts pass.
    """
    found: dict[str, Reaction] = {}
    for fault in FAULTS:
        if not fault.alarm or fault.default is None:
            continue
        reaction = chosen.get(fault.name, fault.default)
        if reaction is Reaction.STOP_LINE and not belt_can_be_stopped:
            reaction = Reaction.HOLD
        found[fault.alarm] = reaction
    return found

"""What the recipe may choose for each fault, and which reaction each alarm has then."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

from inspection.alarms import Reaction
from inspection.faults.row import Fault, Wiring
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


def reactions_of_faults(
    chosen: Mapping[str, Reaction], wiring: Wiring, *, belt_can_be_stopped: bool
) -> dict[str, Reaction]:
    """Return the reaction of each fault that has one of its own: the recipe's choice, else the default on that wiring.

    A choice of `stop_line` where nothing can stop the belt is refused by the configuration: to stop inspecting while
    the belt runs on would let parts pass.
    """
    found: dict[str, Reaction] = {}
    for name, fault in choosable().items():
        default = fault.default_on(wiring, belt_can_be_stopped=belt_can_be_stopped)
        assert default is not None
        found[name] = chosen.get(name, default)
    return found


def reactions_of_alarms(
    chosen: Mapping[str, Reaction], wiring: Wiring, *, belt_can_be_stopped: bool
) -> dict[str, Reaction]:
    """Return the same by alarm."""
    of_faults = reactions_of_faults(chosen, wiring, belt_can_be_stopped=belt_can_be_stopped)
    return {choosable()[name].alarm: reaction for name, reaction in of_faults.items()}


def less_than_stopping(
    chosen: Mapping[str, Reaction], wiring: Wiring, *, belt_can_be_stopped: bool
) -> dict[str, Reaction]:
    """Return the faults for which the recipe chose less than to stop the line although a part may have passed."""
    known = choosable()
    return {
        name: reaction
        for name, reaction in chosen.items()
        if reaction is not Reaction.STOP_LINE and belt_can_be_stopped and wiring in known[name].lets_by
    }

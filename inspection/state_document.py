"""Writes `docs/states.md` from the tables of states: `python -m inspection.state_document docs/states.md`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from inspection.api import v1 as pb
from inspection.lots.states import lot_document
from inspection.page.words import banner
from inspection.state_machine import State, document
from inspection.texts import LANGUAGES, load_catalogue

_HEAD = """# States of the station and of lots

This page is generated from `inspection/state_machine.py`, `inspection/lots/states.py` and the words of the page by
`python -m inspection.state_document docs/states.md`; a test holds them together.

## The station

The states are those of OPC 40100-1; INITIALIZED, READY, SINGLE_EXECUTION and CONTINUOUS_EXECUTION are its
*Operational*. The state is computed from what is wanted and what is broken: a fault is ERROR whatever is wanted,
and when it has been mended the station is where it is wanted to be. Every change is kept with its cause and time,
and can be waited for. Commands are in capitals, events in italics. A command in any other state is refused; the
text names the state, what is allowed, and what to do first.

"""
_RULES = """
A single execution inspects the next part; what else triggers is rejected (SYSTEM). A stop begins no further part, waits
for the frames of those that have triggered, then takes the cameras down and lets the parts in flight end; a frame that
does not come rejects its part. An abort waits for no frame and lets no part get a pass from that moment on; a pass that
the ejector was told before stands, since no ejector can take one back.

## What the operator page calls them

The page says a state in a word that is read from two metres. On the telephone with an operator, these are the words:
"""
_LOTS = """
NO CONTACT is no state of the station: the page gets no answer from it. The words of a challenge are those of
`docs/challenge.md`. Of a halted station the page also says the `cause` that came with Halt.

## Lots

The states are those of ISA-95 job control. At most one lot is RUNNING; each part that triggers then carries its id.
A step is durable before it is answered.

"""

_SHOWN: Sequence[tuple[State, Mapping[str, Mapping[str, str]]]] = (
    *((state, {}) for state in State),
    (State.CONTINUOUS_EXECUTION, {"CHALLENGE_DUE": {}}),
    (State.CONTINUOUS_EXECUTION, {"CHALLENGE_RUNNING": {"ejected": "1", "missed": "0", "parts": "3"}}),
)


def page() -> str:
    """Return the page."""
    return _HEAD + document() + _RULES + _words_of_the_page() + _LOTS + lot_document()


def _words_of_the_page() -> str:
    """Return the table of what the page shows for each state, in each language."""
    catalogues = [load_catalogue(code) for code in LANGUAGES]
    lines = [
        "",
        f"| API (`State`) | {' | '.join(f'page, {own_name}' for own_name in LANGUAGES.values())} | it says |",
        "|---" * (len(LANGUAGES) + 2) + "|",
    ]
    for state, notes in _SHOWN:
        status = pb.GetStatusResponse(state=pb.State.Value(f"STATE_{state}"))
        status.alarms.extend(pb.Alarm(name=name, values=values) for name, values in notes.items())
        said = [banner(status, texts) for texts in catalogues]
        of_api = f"{state}{''.join(f', alarm {name}' for name in notes)}"
        lines.append("| " + " | ".join([of_api, *(one.word for one in said), said[0].detail]) + " |")
    no_contact = [texts.text("state.NO_CONTACT") for texts in catalogues]
    lines.append("| – | " + " | ".join([*no_contact, catalogues[0].text("state_detail.NO_CONTACT")]) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")

"""Writes `docs/states.md` from the tables of states: `python -m inspection.state_document docs/states.md`."""

from __future__ import annotations

import sys
from pathlib import Path

from inspection.lots.states import lot_document
from inspection.state_machine import document

_HEAD = """# States of the station and of lots

This page is generated from `inspection/state_machine.py` and `inspection/lots/states.py` by `python -m
inspection.state_document docs/states.md`; a test holds the two together.

## The station

The states are those of OPC 40100-1; INITIALIZED, READY, SINGLE_EXECUTION and CONTINUOUS_EXECUTION are its
*Operational*. The state is computed from what is wanted and what is broken: a fault is ERROR whatever is wanted,
and when it has been mended the station is where it is wanted to be. Every change is kept with its cause and time,
and can be waited for. Commands are in capitals, events in italics. A command in any other state is refused; the
text names the state, what is allowed, and what to do first.

"""
_BETWEEN = """
A single execution inspects the next part; what else triggers is rejected (SYSTEM). An abort lets no part get a pass
from that moment on; a pass that the ejector was told before stands, since no ejector can take one back.

## Lots

The states are those of ISA-95 job control. At most one lot is RUNNING; each part that triggers then carries its id.
A step is durable before it is answered.

"""


def page() -> str:
    """Return the page."""
    return _HEAD + document() + _BETWEEN + lot_document()


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")

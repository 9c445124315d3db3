"""What the ejector's side does by itself, where several rows say the same."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from inspection.faults.row import Wiring

REJECTS: Mapping[Wiring, str] = MappingProxyType(
    {
        Wiring.BARE: "fires the reject of every part that was armed at its trigger",
        Wiring.WATCHDOG: "fires the reject of every part; the heartbeat goes on",
        Wiring.POSITIVE: "no release pulse comes: the gate diverts every part",
        Wiring.CONTROLLER: "gets no PASS in time and rejects every tag",
    }
)
SILENT: Mapping[Wiring, str] = MappingProxyType(
    {
        Wiring.BARE: "nothing: parts that were not armed pass (`config check` says so)",
        Wiring.WATCHDOG: "the heartbeat stops and the watchdog relay or the PLC stops the belt",
        Wiring.POSITIVE: "the gate diverts every part",
        Wiring.CONTROLLER: "rejects every tag by itself",
    }
)
NOTHING = "nothing changes: the other parts are released and rejected as ever"
ONE_PART = "fires the reject of this part; the others are released and rejected as ever"

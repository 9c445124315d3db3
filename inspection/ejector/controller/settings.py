"""What the driver of the reject controller is told at its start: plain values."""

from __future__ import annotations

from dataclasses import dataclass

from inspection.ejector.controller.wire import Config


@dataclass(frozen=True, slots=True)
class ControllerSettings:
    """The validated options of one controller. Never changed while it runs.

    verdict_lead_ns: how long before a part is at the ejector its verdict must be there.
    """

    port: str
    config: Config
    baud: int = 115200
    alive_timeout_s: float = 0.5
    verdict_lead_ns: int = 0
    write_timeout_s: float = 0.2
    reopen_s: float = 0.2

"""What the scheduler's process is told at its start: plain values, so that it needs no validation library."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True, slots=True)
class Settings:
    """The validated options of one ejector, as they cross to its process. Never changed while it runs."""

    driver: str
    port: str
    channel: int = 1
    mode: str = "reject_pulse"  # or "positive_release"
    overlap: str = "merge"  # or "queue"
    motion: str = "clock"  # or "encoder"
    margin_ms: float = 0.0
    pulse_ms: float = 30.0
    pause_ms: float = 5.0
    window_ms: float = 5.0
    actuator_delay_ms: float = 0.0
    heartbeat_channel: int | None = None
    heartbeat_ms: float = 250.0
    alive_timeout_ms: float = 500.0
    write_timeout_ms: float = 100.0
    spin_us: float = 0.0
    encoder_timeout_ms: float = 45.0
    bin_full_input: int | None = None
    confirm_input: int | None = None
    confirm_within_ms: float = 500.0
    board: Mapping[str, object] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the settings as one JSON object."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Settings:
        """Read what `to_json` wrote."""
        return cls(**json.loads(text))


def nanoseconds(milliseconds: float) -> int:
    """Return milliseconds as whole nanoseconds."""
    return round(milliseconds * 1_000_000)

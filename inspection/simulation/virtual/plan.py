"""What is simulated: the line's figures, all of them following from a few options."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from inspection.alarms import Reaction
from inspection.ejector.rules import SLACK_NS, Rules
from inspection.faults import Wiring as FaultWiring
from inspection.faults import reactions_of_alarms
from inspection.tracking.fusion import Fusion, FusionRule
from inspection.tracking.geometry import Geometry

MS = 1_000_000
SECOND = 1_000_000_000


class Wiring(StrEnum):
    """What happens to the belt and the ejector when nobody speaks to them."""

    RELAY = "relay"  # a relay board that is pulsed to reject, and a watchdog relay on its heartbeat that stops the belt
    RELEASE = "release"  # a gate that diverts every part unless a pulse, ended by the board itself, releases it
    BARE = "bare"  # a relay board that is pulsed to reject, and nothing else


@dataclass(frozen=True, slots=True)
class Plan:
    """One simulation. rate: parts a second. fault_rate: faults a part. encoder: the belt is followed by counts."""

    parts: int = 10_000
    seed: int = 1
    faults: tuple[str, ...] = ()
    fault_rate: float = 0.005
    cameras: int = 1
    rate: float = 20.0
    encoder: bool = True
    wiring: Wiring = Wiring.RELAY
    rule: FusionRule = FusionRule.ANY
    workers: int = 2
    max_batch: int = 4
    queue_capacity: int = 64
    batch_ms: float = 6.0  # the model's time for one image; each further one of a batch costs 80 % of it
    defect_rate: float = 0.05
    model_escape_rate: float = 0.01  # bad parts that the model itself takes for good ones
    model_overkill_rate: float = 0.005
    trace: int | None = None

    SPEED = 20_000  # counts a second: 1 m/s at 20 counts a mm
    TRAVEL_NS = 2 * SECOND  # photo-eye to ejector at full speed
    RUN_OUT_NS = 3 * SECOND  # ejector to good bin: the belt stands before a part that was not hit gets there
    LEAD_NS = 2 * MS
    MARGIN_NS = 5 * MS
    WATCHDOG_NS = 600 * MS  # without an edge for this long the belt is stopped
    BRAKE_NS = 200 * MS
    THRESHOLD = 0.5

    @property
    def pitch_ns(self) -> int:
        """Return the usual time between two parts."""
        return round(SECOND / self.rate)

    @property
    def pulse_ns(self) -> int:
        """Return how long a pulse lasts: as long as the pitch allows, 30 ms at most."""
        return min(30 * MS, self.pitch_ns * 3 // 10)

    @property
    def window_ns(self) -> int:
        """Return how far from its moment a pulse still hits its part."""
        return min(5 * MS, self.pitch_ns // 10)

    @property
    def sample_ns(self) -> int:
        """Return the time between two encoder samples: short enough for the window while the belt brakes.

        A speed that is taken from the last 40 ms is wrong by a · 30 ms on a belt that brakes with a.
        """
        return 20 * MS if self.window_ns >= 4 * MS else 10 * MS if self.window_ns >= 2 * MS else 5 * MS

    def counts(self, time_ns: int) -> int:
        """Return how far the belt moves in a time at full speed, in encoder counts."""
        return time_ns * self.SPEED // SECOND

    def length(self, time_ns: int) -> int:
        """Return the same in the unit of the station's motion."""
        return self.counts(time_ns) if self.encoder else time_ns

    def camera_at_ns(self, camera: int) -> int:
        """Return where a camera stands: the belt's time from the photo-eye at full speed."""
        return camera * 80 * MS

    def geometry(self) -> Geometry:
        """Return what the tracker goes by."""
        reaches = self.wiring is not Wiring.RELEASE
        behind_ns = self.pulse_ns + 2 * self.window_ns
        return Geometry(
            travel=self.length(self.TRAVEL_NS),
            lead_ns=self.LEAD_NS + self.MARGIN_NS,
            takes_behind=self.length(behind_ns) if reaches else 0,
            takes_ahead=self.length(self.window_ns) if reaches else 0,
        )

    def rules(self) -> Rules:
        """Return what the ejector's scheduler goes by."""
        return Rules(
            lead_ns=self.LEAD_NS,
            guard_ns=self.LEAD_NS + SLACK_NS,
            pulse_ns=self.pulse_ns,
            window_ns=self.window_ns,
            margin_ns=self.MARGIN_NS,
            pause_ns=self.LEAD_NS,
            positive_release=self.wiring is Wiring.RELEASE,
            ends_itself=self.wiring is Wiring.RELEASE,
            encoder_timeout_ns=self.sample_ns * 5 // 2 if self.encoder else None,
            heartbeat_channel=2 if self.wiring is Wiring.RELAY else None,
        )

    def reactions(self) -> dict[str, Reaction]:
        """Return what the station does at each alarm: the recipe chooses nothing."""
        wirings = {
            Wiring.RELAY: FaultWiring.WATCHDOG,
            Wiring.RELEASE: FaultWiring.POSITIVE,
            Wiring.BARE: FaultWiring.BARE,
        }
        return reactions_of_alarms({}, wirings[self.wiring], belt_can_be_stopped=self.wiring is Wiring.RELAY)

    def fusion(self) -> Fusion:
        """Return the recipe's rule over the views."""
        return Fusion(self.rule, (1.0,) * self.cameras, self.THRESHOLD)

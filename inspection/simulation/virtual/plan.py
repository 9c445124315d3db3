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

    RELAY = "relay"  # an ejector that is pulsed to reject, and a watchdog or a run output that stops the belt
    RELEASE = "release"  # a gate that diverts every part unless a pulse, ended by the board itself, releases it
    BARE = "bare"  # an ejector that is pulsed to reject, and nothing else


class EjectorKind(StrEnum):
    """What times the rejects."""

    RELAY = "relay"  # the ejector's own process, through a relay board
    CONTROLLER = "controller"  # a controller at the trigger and the ejector that rejects whatever is not passed


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
    ejector: EjectorKind = EjectorKind.RELAY
    confirm: bool = False  # a sensor behind the ejector sees each part that it has hit
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
    SENSOR_NS = 100 * MS  # from leaving the ejector to the confirming sensor
    CONFIRM_NS = 400 * MS
    REJECTS_IN_A_ROW = 100
    HIGHEST_FOLLOWED_RATE = 60.0  # parts a second: a controller has room for 128 parts on their way
    HIGHEST_POLLED_RATE = 10.0  # parts a second: a relay board's inputs are asked for every 20 ms
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
        return min(5 * MS, self.pitch_ns * 3 // 20)

    @property
    def sample_ns(self) -> int:
        """Return the time between two encoder samples: short enough for the window while the belt brakes.

        A speed that is taken from the last 40 ms is wrong by a · 30 ms on a belt that brakes with a.
        """
        return 20 * MS if self.window_ns >= 4 * MS else 10 * MS if self.window_ns >= 2 * MS else 5 * MS

    @property
    def is_timed_by_controller(self) -> bool:
        """Return whether a controller tags the triggers and times the rejects."""
        return self.ejector is EjectorKind.CONTROLLER

    @property
    def first_matched_view(self) -> int:
        """Return the first view whose camera does not give the triggers."""
        return 0 if self.is_timed_by_controller else 1

    @property
    def belt_is_wired(self) -> bool:
        """Return whether the belt and the ejector's air are cut when nobody can be relied upon."""
        return self.wiring is Wiring.RELAY

    @property
    def confirms(self) -> bool:
        """Return whether a sensor sees the rejected parts; a gate has no pulses to confirm."""
        return self.confirm and self.wiring is not Wiring.RELEASE

    @property
    def headway_ns(self) -> int:
        """Return how long the belt stays empty before the first part: until it runs, and until nothing is held."""
        return self.TRAVEL_NS + SECOND if self.is_timed_by_controller else SECOND // 2

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
            lead_ns=self.LEAD_NS + self.MARGIN_NS + (2 * self.MARGIN_NS if self.is_timed_by_controller else 0),
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
            heartbeat_channel=2 if self.belt_is_wired else None,
            confirm_input=1 if self.confirms else None,
            confirm_ns=self.CONFIRM_NS,
        )

    def reactions(self) -> dict[str, Reaction]:
        """Return what the station does at each alarm: the recipe chooses nothing."""
        wirings = {
            Wiring.RELAY: FaultWiring.WATCHDOG,
            Wiring.RELEASE: FaultWiring.POSITIVE,
            Wiring.BARE: FaultWiring.BARE,
        }
        wiring = FaultWiring.CONTROLLER if self.is_timed_by_controller else wirings[self.wiring]
        return reactions_of_alarms({}, wiring, belt_can_be_stopped=self.belt_is_wired)

    def fusion(self) -> Fusion:
        """Return the recipe's rule over the views."""
        return Fusion(self.rule, (1.0,) * self.cameras, self.THRESHOLD)

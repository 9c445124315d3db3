"""The virtual line with the device-timed controller: its firmware and its driver keep every promise."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from controller_world import needs_compiler
from hypothesis import given, settings
from hypothesis import strategies as st

from inspection.ejector.controller.frame import FrameReader, encode
from inspection.ejector.controller.wire import PASS, Type
from inspection.simulation.virtual.controller import VirtualController
from inspection.simulation.virtual.faults import FAULTS, simulated
from inspection.simulation.virtual.ledger import Account
from inspection.simulation.virtual.line import VirtualLine
from inspection.simulation.virtual.plan import EjectorKind, Plan, Wiring
from inspection.simulation.virtual.station import VirtualStation

pytestmark = needs_compiler
ALL = tuple(FAULTS)
CONTROLLER = EjectorKind.CONTROLLER
KINDS = [kind for kind in ALL if any(FAULTS[kind].needs(Plan(ejector=CONTROLLER, wiring=wiring)) for wiring in Wiring)]


def told(account: Account) -> str:
    """Return what a failing test must say: how to replay it."""
    return f"seed {account.seed}, part {account.first_part}: {account.first_broken}"


@pytest.mark.parametrize("wiring", Wiring)
@pytest.mark.parametrize("encoder", [True, False])
def test_without_faults_only_the_model_rejects(wiring: Wiring, encoder: bool) -> None:
    """No fault: all but the first two parts (until the camera's clock has settled) are judged, and none is late."""
    account = simulated(Plan(parts=150, seed=4, wiring=wiring, encoder=encoder, ejector=CONTROLLER)).run()
    assert account.kept, told(account)
    assert account.triggers == account.records == account.parts == 150
    assert account.late == account.belt_stops == account.recovered == 0
    assert account.fault_overkill <= 2
    assert account.pulses == account.passed if wiring is Wiring.RELEASE else account.pulses == 150 - account.passed


@pytest.mark.parametrize("kind", KINDS)
def test_each_fault_alone_breaks_no_promise(kind: str) -> None:
    """Some of one fault among 100 parts, without a watchdog: a controller needs none to be safe."""
    wirings = [Wiring.BARE, Wiring.RELEASE, Wiring.RELAY]
    plan = Plan(parts=100, seed=11, faults=(kind,), fault_rate=0.06, ejector=CONTROLLER)
    plan = next(it for it in (replace(plan, wiring=wiring) for wiring in wirings) if FAULTS[kind].needs(it))
    account = simulated(plan).run()
    assert account.kept, told(account)
    assert account.faults[kind] > 1


def test_a_reset_and_a_lost_line_are_told() -> None:
    """What happens to the controller comes up on the board, and its parts are recorded all the same."""
    kinds = ("controller_reset", "port_gone", "bytes_damaged")
    account = simulated(Plan(parts=300, seed=2, faults=kinds, fault_rate=0.04, ejector=CONTROLLER)).run()
    assert account.kept, told(account)
    assert account.alarms["CONTROLLER_RESET"] > 0
    assert account.alarms["EJECTOR_LOST"] > 0
    assert account.rejected_by_reason["SYSTEM"] + account.rejected_by_reason["LATE"] > 20


@given(
    seed=st.integers(0, 2**31),
    cameras=st.integers(1, 4),
    rate=st.sampled_from([2.0, 8.0, 20.0, 50.0]),
    encoder=st.booleans(),
    wiring=st.sampled_from(Wiring),
    confirm=st.booleans(),
    fault_rate=st.sampled_from([0.01, 0.05]),
)
@settings(max_examples=5, deadline=None)
def test_any_line_keeps_its_promises(seed: int, fault_rate: float, **figures: object) -> None:
    """Whatever the line looks like, and whatever happens to it."""
    plan = Plan(parts=80, seed=seed, faults=ALL, fault_rate=fault_rate, ejector=CONTROLLER, **figures)  # type: ignore[arg-type]
    account = simulated(plan).run()
    assert account.kept, told(account)


def test_one_seed_is_one_story() -> None:
    """The firmware, its bytes and the damage to them replay exactly."""
    plan = Plan(parts=120, seed=9, faults=ALL, fault_rate=0.03, ejector=CONTROLLER)
    assert simulated(plan).run() == simulated(plan).run()


class PassingController(VirtualController):
    """A controller that hears a pass in every verdict."""

    def receive(self, data: bytes) -> None:
        """Turn each verdict into a pass."""
        frames = [
            replace(frame, payload=frame.payload[:4] + bytes((PASS,))) if frame.type == Type.VERDICT else frame
            for frame in FrameReader().feed(data)
        ]
        super().receive(b"".join(map(encode, frames)))


class MixedUpStation(VirtualStation):
    """A station that tells the verdict on each part as its neighbour's."""

    def make_flow(self) -> Any:
        """Return a flow whose words go astray."""
        decide = self.ejector.decide
        self.ejector.decide = lambda part, verdict: decide(part ^ 1, verdict)  # type: ignore[method-assign]
        return super().make_flow()


@pytest.mark.parametrize("broken", [{"CONTROLLER": PassingController}, {"STATION": MixedUpStation}])
def test_what_is_broken_on_purpose_is_found_out(broken: dict[str, Any]) -> None:
    """A line with one broken rule does not pass, and the account names a part to look at."""
    plan = Plan(parts=200, seed=3, ejector=CONTROLLER)
    account = simulated(plan, type("BrokenLine", (VirtualLine,), broken)).run()
    assert account.system_escapes > 0
    assert account.first_broken

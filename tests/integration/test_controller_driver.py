"""The driver against the controller's firmware on a real pty: whatever dies or goes, the controller rejects."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from controller_world import needs_compiler

from camera.frame import Trigger
from inspection.ejector.child import package_environment
from inspection.ejector.controller.core import EJECT
from inspection.ejector.controller.driver import ControllerEjector
from inspection.ejector.controller.errors import ControllerRefusedError
from inspection.ejector.controller.factory import make_controller
from inspection.ejector.controller.options import ControllerOptions
from inspection.ejector.controller.settings import ControllerSettings
from inspection.ejector.controller.simulated import SimulatedController, SimulatedControllerEjector
from inspection.ejector.controller.wire import BinFull, Config, State, Stranger
from inspection.ejector.errors import EjectorError, EjectorOpenError
from inspection.ejector.interface import EjectorHealth
from inspection.part import Actuation, EjectorAction, Verdict

pytestmark = needs_compiler
BOUND_S = 30.0
# A busy machine may keep a verdict for long: what is to be passed gets about a second.
OPTIONS = ControllerOptions(delay="1000 ms", pulse="20 ms", heartbeat_timeout_ms=1000, alive_timeout_ms=1500)
PATIENT = ControllerOptions(delay="2500 ms", pulse="20 ms", heartbeat_timeout_ms=1000, alive_timeout_ms=2000)


class Station:
    """What a station does with an ejector: it judges parts by their number and keeps alive."""

    def __init__(self, ejector: ControllerEjector, verdict: Callable[[int], Verdict | None]) -> None:
        self.ejector, self.verdict = ejector, verdict
        self.told = threading.Condition()
        self.triggers: list[Trigger] = []
        self.actuations: list[Actuation] = []
        self.healths: list[EjectorHealth] = []

    def open(self) -> None:
        self.ejector.open(self.actuation, self.health, self.trigger)

    def trigger(self, trigger: Trigger) -> None:
        word = self.verdict(trigger.number)
        if word is not None:
            self.ejector.decide(trigger.number, word)
        with self.told:
            self.triggers.append(trigger)
            self.told.notify_all()

    def actuation(self, actuation: Actuation) -> None:
        with self.told:
            self.actuations.append(actuation)
            self.told.notify_all()

    def health(self, health: EjectorHealth) -> None:
        with self.told:
            self.healths.append(health)
            self.told.notify_all()

    def wait(self, holds: Callable[[], bool], alive: bool = True) -> None:
        """Wait until something holds, alive all the while."""
        end_s = time.monotonic() + BOUND_S
        with self.told:
            while not holds():
                assert time.monotonic() < end_s, (self.actuations, self.healths[-1:])
                if alive:
                    self.ejector.alive()
                self.told.wait(0.05)

    def armed(self) -> None:
        self.wait(lambda: self.ejector.health().heartbeat_running)

    def reports(self, count: int) -> dict[int, Actuation]:
        """Wait for that many reports; each part has one."""
        self.wait(lambda: len(self.actuations) >= count)
        assert len({one.part for one in self.actuations}) == len(self.actuations) == count
        return {one.part: one for one in self.actuations}


def thirds(number: int) -> Verdict | None:
    """Every third part is rejected, every third gets no answer."""
    return {0: Verdict.REJECT, 1: Verdict.PASS}.get(number % 3)


def always(_number: int) -> Verdict:
    return Verdict.PASS


def first(number: int) -> Verdict | None:
    """The first part is passed; nobody looks at the others."""
    return Verdict.PASS if number == 1 else None


@pytest.fixture
def station(request: pytest.FixtureRequest) -> Iterator[Station]:
    options, verdict = getattr(request, "param", (OPTIONS, thirds))
    ejector = make_controller(options)
    station = Station(ejector, verdict)
    station.open()
    station.armed()
    yield station
    ejector.close()


def board(station: Station) -> SimulatedController:
    assert isinstance(station.ejector, SimulatedControllerEjector)
    return station.ejector.board


def test_every_part_gets_what_was_decided(station: Station) -> None:
    """PASS releases, REJECT fires, silence fires by default; numbers, times and pulses agree."""
    before = len(board(station).pulses())
    board(station).belt(9, 60_000)
    told = station.reports(9)
    assert [trigger.number for trigger in station.triggers] == list(range(1, 10))
    for number, actuation in told.items():
        assert actuation.action is (EjectorAction.RELEASED if number % 3 == 1 else EjectorAction.FIRED)
        assert actuation.by_default == (number % 3 == 2)
        assert actuation.due_host_ns is not None
    pulses = board(station).pulses()[before:]
    fired = [told[number] for number in sorted(told) if told[number].action is EjectorAction.FIRED]
    assert len(pulses) == len(fired) == 6
    for (on_ns, _), actuation in zip(pulses, fired, strict=True):
        assert actuation.written_host_ns is not None
        assert actuation.written_host_ns >= on_ns - 2_000_000  # what arrives is never older than it says
    times = [trigger.host_ns for trigger in station.triggers]
    assert times == sorted(times)


@pytest.mark.parametrize("station", [(PATIENT, first)], indirect=True)
def test_a_pulled_cable_leaves_the_parts_to_the_controller(station: Station) -> None:
    """Parts on their way are UNCONFIRMED at once; those that come meanwhile are learned of later, each once."""
    board(station).trigger()
    station.wait(lambda: len(station.triggers) == 1)
    board(station).unplug()
    assert station.reports(1)[1].action is EjectorAction.UNCONFIRMED
    assert "has gone" in [health for health in station.healths if not health.connected][-1].detail
    board(station).belt(3, 30_000)
    assert board(station).wait(BOUND_S, triggers=4)
    board(station).replug()
    station.wait(lambda: station.ejector.health().connected)
    told = station.reports(4)
    assert {told[number].action for number in (2, 3, 4)} == {EjectorAction.FIRED}
    assert station.ejector.health().reconnects == 1
    assert station.ejector.health().counters["lost_triggers"] == 3


@pytest.mark.parametrize("station", [(PATIENT, always)], indirect=True)
def test_a_reset_of_the_controller_is_noticed(station: Station) -> None:
    """What was on its way is UNCONFIRMED, the output is held, numbers go on, and then all is well again."""
    board(station).belt(2, 30_000)
    station.wait(lambda: len(station.triggers) == 2)
    board(station).reset()
    told = station.reports(2)
    assert {one.action for one in told.values()} == {EjectorAction.UNCONFIRMED}
    assert board(station).edges(EJECT)[-1].active
    station.armed()
    station.wait(lambda: not board(station).edges(EJECT)[-1].active)
    board(station).trigger()
    assert station.reports(3)[3].action is EjectorAction.RELEASED
    assert station.ejector.health().counters["controller_resets"] == 1


def test_a_station_that_is_silent_lets_nothing_pass(station: Station) -> None:
    """Without signs of life the controller goes to its safe state, and comes back with them."""
    station.wait(lambda: not station.ejector.health().heartbeat_running, alive=False)
    assert not board(station).running()
    board(station).trigger()
    station.wait(lambda: len(station.actuations) == 1, alive=False)
    assert station.actuations[0].action is EjectorAction.FIRED
    assert station.actuations[0].by_default
    station.armed()
    assert board(station).controller_state() is State.ARMED


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGSTOP])
def test_a_host_that_dies_or_freezes_rejects(blow: signal.Signals) -> None:
    """The controller notices by itself: the belt is stopped, and even parts that were passed are rejected."""
    with SimulatedController() as far_end:
        host = subprocess.Popen(
            [sys.executable, __file__, far_end.port],
            env=package_environment() | {"PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert host.stdout is not None
            assert host.stdout.readline() == "armed\n"
            before = len(far_end.pulses())
            far_end.trigger()
            assert host.stdout.readline() == "passed\n"
            host.send_signal(blow)
            assert far_end.wait(BOUND_S, state=int(State.SAFE))
            assert not far_end.running()
            assert far_end.wait(BOUND_S, switchings=far_end.state()["switchings"] + 2)
            assert len(far_end.pulses()) == before + 1
        finally:
            host.kill()
            host.wait(10.0)


def test_sensors_are_reported() -> None:
    """Strangers, a full bin and the encoder's samples reach their callbacks."""
    told: list[object] = []
    moves: list[tuple[int, int]] = []
    options = ControllerOptions(
        mode="encoder", delay="400 mm", deadline="10 mm", window="5 mm", pulse="20 mm", counts_per_mm=20,
        presence_at="300 mm", presence_window="10 mm", bin_sensor=True,
    )  # fmt: skip
    ejector = make_controller(options, on_motion=lambda ns, count: moves.append((ns, count)), on_event=told.append)
    station = Station(ejector, always)
    station.open()
    try:
        station.armed()
        board(station).set_speed(10_000)
        board(station).plan([(0, "presence"), (0, "bin_full")])
        station.wait(lambda: len(told) >= 2 and len(moves) >= 10 and moves[-1][1] > 0)
        assert isinstance(told[0], Stranger)
        assert isinstance(told[1], BinFull)
        assert moves == sorted(moves)
        assert moves[-1][1] > moves[0][1]
        station.wait(lambda: station.ejector.health().counters["bin_full"] == 1)
    finally:
        ejector.close()


def test_a_port_without_a_controller_is_refused_in_words() -> None:
    """No port, nobody behind it, or a controller that cannot do it: `open` says which."""
    nobody = Station(make_controller(ControllerOptions(port="/dev/no-such-port")), always)
    with pytest.raises(EjectorOpenError, match="'/dev/no-such-port' does not exist"):
        nobody.open()
    master, slave = os.openpty()
    try:
        with pytest.raises(EjectorOpenError, match="no reject controller answers"):
            Station(make_controller(ControllerOptions(port=os.ttyname(slave))), always).open()
    finally:
        os.close(master)
        os.close(slave)
    with SimulatedController() as far_end:
        bad = ControllerEjector(ControllerSettings(far_end.port, Config(0, 300_000, 10_000, 0, 5_000)))
        with pytest.raises(ControllerRefusedError, match="width is 0"):
            Station(bad, always).open()


def test_it_opens_once(station: Station) -> None:
    """A second `open` is refused; `close` may be called twice."""
    with pytest.raises(EjectorError, match="open already"):
        station.open()
    station.ejector.close()
    station.ejector.close()
    assert not station.ejector.health().connected


def _host(port: str) -> None:
    """Be a station that passes one part and then waits for its end."""
    ejector = make_controller(PATIENT.model_copy(update={"port": port, "heartbeat_timeout_ms": 1000}))
    station = Station(ejector, always)
    station.open()
    station.armed()
    print("armed", flush=True)
    station.wait(lambda: bool(station.triggers))
    # Answered: the controller has the PASS.
    station.wait(lambda: not ejector._talk.session.unanswered and ejector.health().counters["triggers"] == 1)
    print("passed", flush=True)
    station.wait(lambda: False)


if __name__ == "__main__":
    _host(sys.argv[1])

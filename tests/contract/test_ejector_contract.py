"""What an ejector does for each part, seen at the far end of its serial line."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest
import serial
from ejector_reports import Reports

from inspection.ejector.errors import EjectorError, EjectorOpenError
from inspection.ejector.options import EjectorOptions, make_ejector
from inspection.ejector.simulated import SimulatedBoard, SimulatedEjector
from inspection.part import Actuation, EjectorAction, Verdict

BOUND_S = 30.0
MS = 1_000_000
FAR_MS = 60_000  # further away than any test lasts: decided long before
FIRED = {EjectorAction.FIRED, EjectorAction.FIRED_LATE}  # how punctual it was depends on the machine


@pytest.fixture
def reports() -> Reports:
    return Reports()


MARGIN_MS = 20


@pytest.fixture(params=["lcus", "modbus_rtu", "numato"])
def ejector(request: pytest.FixtureRequest, reports: Reports) -> Iterator[SimulatedEjector]:
    options = EjectorOptions(
        heartbeat_channel=2,
        heartbeat_ms=60,
        pulse_ms=5,
        window_ms=500,
        alive_timeout_ms=300,
        board={"protocol": request.param},
    )
    ejector = make_ejector(options, margin_ms=MARGIN_MS)
    assert isinstance(ejector, SimulatedEjector)
    ejector.open(reports.actuation, reports.health)
    yield ejector
    ejector.close()


def soon(milliseconds: float) -> int:
    return time.monotonic_ns() + round(milliseconds * MS)


def arm(ejector: SimulatedEjector, part: int, due_ms: float) -> int:
    due_ns = soon(due_ms)
    ejector.expect(part, due_ns)
    return due_ns


def test_it_opens_connected(ejector: SimulatedEjector, reports: Reports) -> None:
    """After `open` the health says connected, and was told."""
    assert reports.healths[0].connected
    assert ejector.health().connected
    with pytest.raises(EjectorError, match="open already"):
        ejector.open(reports.actuation, reports.health)


def test_silence_rejects(ejector: SimulatedEjector, reports: Reports) -> None:
    """A part without a verdict is rejected by default, by one pulse that is never early and ends."""
    due_ns = arm(ejector, 1, 100)
    told = reports.wait(1)[1]
    assert told.action in FIRED
    assert told.by_default
    assert told.written_host_ns is not None
    assert told.lateness_us is not None
    assert 0 <= told.lateness_us - (told.written_host_ns - due_ns + ejector.lead_ns) // 1000 + 1 <= 2
    assert told.written_host_ns >= due_ns - ejector.lead_ns
    ejector.close()
    (pulse,) = ejector.board.pulses()
    assert pulse.on_host_ns >= due_ns - ejector.lead_ns
    assert pulse.off_host_ns is not None
    assert pulse.off_host_ns - pulse.on_host_ns > 0
    assert not ejector.board.level(1)


def test_a_pass_in_time_releases(ejector: SimulatedEjector, reports: Reports) -> None:
    """A PASS before the deadline is reported at once, and nothing is ever fired."""
    due_ns = arm(ejector, 7, FAR_MS)
    ejector.decide(7, Verdict.PASS)
    assert reports.wait(1)[7] == Actuation(7, EjectorAction.RELEASED, False, None, None, due_ns)
    ejector.close()
    assert ejector.board.pulses() == []


def test_a_reject_fires_once(ejector: SimulatedEjector, reports: Reports) -> None:
    """A confirmed reject fires exactly once, however often it is told."""
    arm(ejector, 1, 100)
    for _ in range(3):
        ejector.decide(1, Verdict.REJECT)
    assert reports.wait(1)[1].action in FIRED
    ejector.close()
    assert len(ejector.board.pulses()) == 1


def test_a_late_pass_is_ignored(ejector: SimulatedEjector, reports: Reports) -> None:
    """A PASS that comes within the margin leaves the default reject standing and is counted."""
    arm(ejector, 1, ejector.lead_ns / MS + MARGIN_MS - 1)
    ejector.decide(1, Verdict.PASS)
    told = reports.wait(1)[1]
    assert told.action in FIRED
    assert told.by_default
    assert reports.wait_health(lambda health: health.counters["ignored_verdicts"] == 1).pulses == 1


def test_parts_fire_in_the_order_of_their_due_times(ejector: SimulatedEjector, reports: Reports) -> None:
    """Parts may be told in any order: each fires at its own due time."""
    for part, due_ms in ((1, 400), (2, 200), (3, 300)):
        arm(ejector, part, due_ms)
    told = reports.wait(3)
    assert [actuation.part for actuation in reports.actuations] == [2, 3, 1]
    ejector.close()
    pulses = ejector.board.pulses()
    written = [told[part].written_host_ns for part in (2, 3, 1)]
    assert len(pulses) == 3
    assert written == sorted(written, key=lambda at_ns: at_ns or 0)


def test_a_part_that_is_told_twice_fires_once(ejector: SimulatedEjector, reports: Reports) -> None:
    """The first arming of a part stands; the second is counted."""
    arm(ejector, 1, 100)
    arm(ejector, 1, 150)
    reports.wait(1)
    arm(ejector, 2, 50)
    reports.wait(2)
    ejector.close()
    assert len(ejector.board.pulses()) == 2
    assert reports.wait_health(lambda health: health.counters["duplicate_parts"] == 1)


def test_overlapping_pulses_merge(reports: Reports) -> None:
    """Parts closer together than a pulse each get their ON at their own time, and one common OFF after the last."""
    ejector = make_ejector(EjectorOptions(pulse_ms=1000, window_ms=1000, board={"channels": 1}))
    assert isinstance(ejector, SimulatedEjector)
    ejector.open(reports.actuation, reports.health)
    for part, due_ms in ((1, 50), (2, 80), (3, 110)):
        arm(ejector, part, due_ms)
    reports.wait(3)
    ejector.close()
    pulses = ejector.board.pulses()
    assert len(pulses) == 3
    assert len({pulse.off_host_ns for pulse in pulses}) == 1
    assert reports.wait_health(lambda health: health.counters["merges"] == 2)


def test_a_part_that_is_due_already_fires_at_once(ejector: SimulatedEjector, reports: Reports) -> None:
    """A part whose moment has passed is not forgotten: it fires as long as the pulse may still hit it."""
    due_ns = arm(ejector, 1, 0)
    told = reports.wait(1)[1]
    assert told.action in FIRED
    assert told.due_host_ns == due_ns
    assert told.written_host_ns is not None
    assert told.written_host_ns >= due_ns - ejector.lead_ns


def test_a_part_that_has_passed_is_failed_and_nothing_is_fired(ejector: SimulatedEjector, reports: Reports) -> None:
    """A pulse that could only hit another part is not written: the part is FAILED and counted."""
    due_ns = arm(ejector, 1, -2000)
    assert reports.wait(1)[1] == Actuation(1, EjectorAction.FAILED, True, None, None, due_ns)
    assert reports.wait_health(lambda health: health.counters["missed_parts"] == 1).pulses == 0
    ejector.close()
    assert ejector.board.pulses() == []


def test_the_heartbeat_follows_the_sign_of_life(ejector: SimulatedEjector, reports: Reports) -> None:
    """The heartbeat channel toggles while the station is alive, and falls silent when it is not."""
    seen = 0
    end_s = time.monotonic() + BOUND_S
    while seen < 4 and time.monotonic() < end_s:
        ejector.alive()
        commands = ejector.board.counts()["commands"]
        ejector.board.wait_commands(commands + 1, 0.1)
        seen = len(ejector.board.edges(2)) - 1
    assert seen >= 4
    reports.wait_health(lambda health: not health.heartbeat_running)
    assert any(health.heartbeat_running for health in reports.healths)
    levels = [edge.on for edge in ejector.board.edges(2)[1:]]
    assert levels == [index % 2 == 0 for index in range(len(levels))]
    assert not ejector.board.wait_commands(ejector.board.counts()["commands"] + 1, 0.2)


def test_closing_lets_armed_rejects_fire(ejector: SimulatedEjector, reports: Reports) -> None:
    """`close` waits for the rejects that are due in its few seconds, and fails those far away; every channel is off."""
    arm(ejector, 1, 300)
    arm(ejector, 2, FAR_MS)
    ejector.close()
    told = reports.wait(2)
    assert told[1].action in FIRED
    assert told[2].action is EjectorAction.FAILED
    assert len(ejector.board.pulses()) == 1
    assert not any(ejector.board.level(channel) for channel in range(1, 5))
    ejector.close()


def test_a_pulled_cable_fails_parts_until_it_is_back(ejector: SimulatedEjector, reports: Reports) -> None:
    """While the port is gone the health says so, due parts are FAILED and PASSes still release; then all is well."""
    ejector.board.unplug()
    assert "has gone" in reports.wait_health(lambda health: not health.connected).detail
    due_ns = arm(ejector, 1, 10)
    arm(ejector, 2, FAR_MS)
    ejector.decide(2, Verdict.PASS)
    told = reports.wait(2)
    assert told[1] == Actuation(1, EjectorAction.FAILED, True, None, None, due_ns)
    assert told[2].action is EjectorAction.RELEASED
    ejector.board.replug()
    assert reports.wait_health(lambda health: health.connected).reconnects == 1
    arm(ejector, 3, 50)
    assert reports.wait(3)[3].action in FIRED
    ejector.close()
    assert len(ejector.board.pulses()) == 1


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGSTOP])
def test_an_ejector_process_that_dies_or_hangs_is_replaced(
    ejector: SimulatedEjector, reports: Reports, blow: signal.Signals
) -> None:
    """Parts armed in a dead or hung process are FAILED once each, the health says why, and a new process goes on."""
    pid = ejector.pid
    assert pid is not None
    arm(ejector, 1, FAR_MS)
    arm(ejector, 2, FAR_MS)
    os.kill(pid, blow)
    told = reports.wait(2)
    assert {actuation.action for actuation in told.values()} == {EjectorAction.FAILED}
    assert any("the ejector's process" in health.detail for health in reports.healths if not health.connected)
    assert reports.wait_health(lambda health: health.connected).counters["restarts"] == 1
    arm(ejector, 3, 50)
    assert reports.wait(3)[3].action in FIRED
    ejector.close()
    assert len(ejector.board.pulses()) == 1


def test_a_port_that_cannot_be_opened_is_refused_in_words(reports: Reports) -> None:
    """A missing and a taken port end `open` with the board's own clear text, and leave nothing behind."""
    with pytest.raises(EjectorOpenError, match="'/dev/no-such-port' does not exist"):
        make_ejector(EjectorOptions(driver="lcus", port="/dev/no-such-port")).open(reports.actuation, reports.health)
    board = SimulatedBoard("lcus", 4)
    ejector = make_ejector(EjectorOptions(driver="lcus", port=board.port))
    with serial.Serial(board.port, exclusive=True), pytest.raises(EjectorOpenError, match="held exclusively"):
        ejector.open(reports.actuation, reports.health)
    ejector.open(reports.actuation, reports.health)
    ejector.close()
    board.close()
    assert reports.actuations == []

"""The handshake by itself: what the PLC sees after each event, and what it must never see."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from inspection.plc.handshake import Handshake, StationLook, Timing
from inspection.plc.map import (
    NO_SCORE,
    STATION_SILENT,
    Command,
    Control,
    InputRegister,
    ResultCode,
    Status,
)

MS = 1_000_000
WINDOW, PLC_TIMEOUT, BEAT, STATION_TIMEOUT, CAPACITY = 1000, 500, 100, 400, 4
RUNS = StationLook(up=True, running=True, blocked=False, fault_code=0)
STOPPED = StationLook(up=True, running=False, blocked=False, fault_code=0)
BROKEN = StationLook(up=True, running=True, blocked=True, fault_code=11)
HELD = StationLook(up=True, running=True, blocked=True, fault_code=19, challenged=True)
DOWN = StationLook(up=False, running=False, blocked=False, fault_code=0)
BUFFERED = Control.TRIGGER_ENABLE | Control.BUFFER_RESULTS_ENABLE


class Ends:
    """Both ends of one handshake, with a clock in milliseconds."""

    def __init__(self) -> None:
        timing = Timing(
            WINDOW * MS, PLC_TIMEOUT * MS, BEAT * MS, STATION_TIMEOUT * MS, CAPACITY, 50, bundle_id=0xABCD1234
        )
        self.now = 10_000
        self.shake = Handshake(timing, self.now * MS)
        self.beats = 0

    def pass_time(self, ms: int) -> None:
        self.now += ms

    def station(self, look: StationLook = RUNS) -> None:
        self.shake.station(look, self.now * MS)

    def beat(self) -> None:
        self.beats = self.beats + 1 & 0xFFFF
        self.shake.write_registers({2: self.beats}, self.now * MS)

    def live(self, ms: int = 0, look: StationLook = RUNS) -> None:
        """Let time pass while both give signs of life."""
        for _ in range(ms // 100):
            self.pass_time(100)
            self.station(look)
            self.beat()
        self.station(look)
        self.beat()

    def control(self, bits: Control) -> None:
        self.shake.write_control(int(bits), self.now * MS)

    def trigger(self, part: int) -> None:
        self.shake.triggered(part, self.now * MS, self.now * MS)

    def result(self, part: int, passed: bool = True) -> None:
        code = ResultCode.PASSED if passed else ResultCode.MODEL
        self.shake.result(part, passed, code, 123, 0 if passed else 2, self.now * MS)

    def look(self) -> list[int]:
        return self.shake.inputs(self.now * MS)

    def status(self) -> Status:
        return Status(self.look()[InputRegister.STATUS])

    def read(self) -> tuple[Status, int, int]:
        """Read as the PLC: status, part, code."""
        registers = self.look()
        self.shake.read()
        part = registers[InputRegister.PART_HIGH] << 16 | registers[InputRegister.PART_LOW]
        return Status(registers[InputRegister.STATUS]), part, registers[InputRegister.RESULT_CODE]

    def acknowledge(self) -> None:
        self.control(self.shake.control | Control.RESULTS_ACK)
        self.control(self.shake.control & ~Control.RESULTS_ACK)


@pytest.fixture
def ends() -> Ends:
    """A station that runs and a PLC that beats and buffers."""
    both = Ends()
    both.live()
    both.control(BUFFERED)
    return both


def test_before_the_plc_beats_nothing_is_ready() -> None:
    """A PLC that has only connected is not there yet; after its first beat the station is Ready."""
    both = Ends()
    both.station()
    both.control(BUFFERED)
    assert both.status() == Status.ONLINE | Status.PLC_SILENT
    both.beat()
    assert both.status() == Status.ONLINE | Status.READY


def test_a_result_comes_in_one_step_and_goes_with_its_acknowledgement(ends: Ends) -> None:
    """Pass, part, code and score appear together, and vanish together when the PLC has read and acknowledged."""
    ends.trigger(0x12345)
    assert Status.INSPECTING in ends.status()
    ends.result(0x12345)
    status, part, code = ends.read()
    assert status & (Status.PASS | Status.FAIL | Status.RESULTS_VALID | Status.INSPECTING) == (
        Status.PASS | Status.RESULTS_VALID
    )
    assert (part, code) == (0x12345, ResultCode.PASSED)
    registers = ends.look()
    assert registers[InputRegister.RESULT_ID] == registers[InputRegister.ACQUISITION_ID] == 0x2345
    assert registers[InputRegister.SCORE_PER_MILLE] == 123
    ends.control(BUFFERED | Control.RESULTS_ACK)
    assert ends.look()[InputRegister.RESULT_ID : InputRegister.RESULTS_WAITING] == [0] * 6
    assert not ends.status() & (Status.PASS | Status.FAIL | Status.RESULTS_VALID)


def test_the_next_result_waits_until_the_acknowledgement_falls(ends: Ends) -> None:
    """With ResultsAck still set nothing is shown, so no part can be acknowledged by the ack of the one before."""
    for part in (1, 2):
        ends.trigger(part)
        ends.result(part)
    assert ends.read()[1] == 1
    ends.control(BUFFERED | Control.RESULTS_ACK)
    assert ends.read()[1] == 0
    ends.control(BUFFERED)
    assert ends.read()[1] == 2


def test_an_acknowledgement_of_what_was_not_read_retires_nothing(ends: Ends) -> None:
    """A PLC that acknowledges blindly gets the same result again."""
    ends.trigger(1)
    ends.result(1, passed=False)
    ends.acknowledge()
    assert ends.shake.results.stray_acks == 1
    assert ends.read()[1] == 1
    ends.trigger(2)
    ends.result(2)
    ends.acknowledge()
    ends.acknowledge()  # of part 2, which nobody has read yet
    assert ends.read()[1] == 2


def test_no_result_in_the_window_is_a_fail_for_good(ends: Ends) -> None:
    """After the window the part is shown as LATE by itself, and the verdict that comes then is ignored."""
    ends.trigger(7)
    ends.live(WINDOW)
    assert not Status.RESULTS_VALID & ends.status()
    ends.pass_time(1)
    status, part, code = ends.read()
    assert Status.FAIL in status
    assert (part, code) == (7, ResultCode.LATE)
    ends.result(7, passed=True)
    assert ends.shake.answers_ignored == 1
    assert ends.read() == (status, 7, ResultCode.LATE)
    ends.acknowledge()
    assert ends.read()[1] == 0


def test_a_pass_that_is_read_too_late_is_a_fail(ends: Ends) -> None:
    """A pass that waited behind others, or that nobody read, does not stay one beyond its window."""
    for part in (1, 2):
        ends.trigger(part)
        ends.result(part)
    assert ends.read()[1:] == (1, ResultCode.PASSED)
    ends.live(WINDOW + 100)
    assert ends.read()[1:] == (1, ResultCode.PASSED)  # it was read in time and has not changed since
    ends.acknowledge()
    assert ends.read()[1:] == (2, ResultCode.LATE)


def test_a_fault_turns_the_pass_that_is_shown(ends: Ends) -> None:
    """While nothing may pass, Pass is 0; the part that was shown stays a Fail afterwards."""
    ends.trigger(1)
    ends.result(1)
    assert Status.PASS in ends.read()[0]
    ends.station(BROKEN)
    status, part, code = ends.read()
    assert status & (Status.PASS | Status.READY | Status.ONLINE | Status.FAULT) == Status.FAULT
    assert (part, code) == (1, ResultCode.SYSTEM)
    assert ends.look()[InputRegister.FAULT_CODE] == 11
    ends.station(RUNS)
    assert ends.read()[1:] == (1, ResultCode.SYSTEM)


@pytest.mark.parametrize("who", ["plc", "station"])
def test_silence_withdraws_everything(ends: Ends, who: str) -> None:
    """Whichever end falls silent: no Ready, no result; when it is back, the result is shown again."""
    ends.trigger(1)
    ends.result(1, passed=False)
    ends.read()
    for _ in range(6):
        ends.pass_time(100)
        if who == "plc":
            ends.station()
        else:
            ends.beat()
    assert not ends.status() & (Status.READY | Status.PASS | Status.FAIL | Status.RESULTS_VALID)
    assert (Status.PLC_SILENT in ends.status()) == (who == "plc") == ends.shake.plc_is_silent(ends.now * MS)
    assert (Status.FAULT in ends.status()) == (who == "station")
    assert (ends.look()[InputRegister.FAULT_CODE] == STATION_SILENT) == (who == "station")
    ends.live()
    assert ends.read()[1] == 1


def test_the_station_heartbeat_is_the_stations(ends: Ends) -> None:
    """It counts while the station gives signs of life, and stands still when only the port lives on."""
    before = ends.look()[InputRegister.HEARTBEAT]
    ends.live(1000)
    counted = ends.look()[InputRegister.HEARTBEAT]
    assert counted >= before + 9
    for _ in range(10):
        ends.pass_time(100)
        ends.beat()
        ends.look()
    still = ends.look()[InputRegister.HEARTBEAT]
    assert still <= counted + STATION_TIMEOUT // BEAT
    ends.pass_time(1000)
    assert ends.look()[InputRegister.HEARTBEAT] == still
    ends.station(DOWN)
    ends.pass_time(100)
    assert ends.look()[InputRegister.HEARTBEAT] == still


def test_a_full_buffer_loses_the_newest_and_says_so(ends: Ends) -> None:
    """What is shown and what waits stays; the overrun is visible until it is confirmed, the count for good."""
    for part in range(1, CAPACITY + 3):
        ends.trigger(part)
        ends.result(part)
    assert Status.RESULTS_BUFFER_OVERRUN in ends.status()
    assert ends.look()[InputRegister.RESULTS_LOST] == 2
    assert ends.look()[InputRegister.RESULTS_WAITING] == CAPACITY
    seen = []
    for _ in range(CAPACITY):
        seen.append(ends.read()[1])
        ends.acknowledge()
    assert seen == [1, 2, 3, 4]
    assert ends.read()[1] == 0
    assert Status.RESULTS_BUFFER_OVERRUN in ends.status()
    ends.shake.write_registers({0: int(BUFFERED | Control.EXECUTE_COMMAND), 1: Command.CONFIRM_ALARMS}, ends.now * MS)
    assert Status.RESULTS_BUFFER_OVERRUN not in ends.status()
    assert ends.look()[InputRegister.RESULTS_LOST] == 2


def test_without_buffering_none_waits(ends: Ends) -> None:
    """BufferResultsEnable 0: a second result before the acknowledgement is lost, and seen to be."""
    ends.control(Control.TRIGGER_ENABLE)
    for part in (1, 2):
        ends.trigger(part)
        ends.result(part)
    assert Status.RESULTS_BUFFER_OVERRUN in ends.status()
    assert ends.read()[1] == 1
    ends.acknowledge()
    assert ends.read()[1] == 0


@pytest.mark.parametrize("taken", [True, False])
def test_a_trigger_is_taken_or_missed(ends: Ends, taken: bool) -> None:
    """Busy until the camera answers; then TriggerAck until Trigger falls, or MissedAcq until one is taken."""
    ends.control(BUFFERED | Control.TRIGGER)
    assert ends.status() & (Status.BUSY | Status.READY) == Status.BUSY
    assert ends.shake.take_trigger()
    assert not ends.shake.take_trigger()
    ends.shake.trigger_done(taken)
    assert ends.status() & (Status.TRIGGER_ACK | Status.MISSED_ACQ | Status.BUSY | Status.READY) == (
        Status.TRIGGER_ACK if taken else Status.MISSED_ACQ
    )
    ends.control(BUFFERED)
    assert ends.status() & (Status.TRIGGER_ACK | Status.READY) == Status.READY
    ends.control(BUFFERED | Control.TRIGGER)
    ends.shake.trigger_done(True)
    assert Status.MISSED_ACQ not in ends.status()
    assert ends.look()[InputRegister.TRIGGERS_MISSED] == (not taken)


@pytest.mark.parametrize("look", [STOPPED, BROKEN, DOWN])
def test_a_trigger_without_ready_is_missed(ends: Ends, look: StationLook) -> None:
    """The camera is not even asked."""
    ends.station(look)
    ends.control(BUFFERED | Control.TRIGGER)
    assert not ends.shake.take_trigger()
    assert Status.MISSED_ACQ in ends.status()
    assert ends.look()[InputRegister.TRIGGERS_MISSED] == 1


def test_challenge_parts_are_triggered_while_nothing_passes(ends: Ends) -> None:
    """Held for a challenge alone: Fault, not Online, but Ready, and a Trigger is taken; a stopped line is not Ready."""
    ends.station(HELD)
    ends.control(BUFFERED)
    assert ends.status() & (Status.READY | Status.ONLINE | Status.FAULT) == Status.READY | Status.FAULT
    ends.control(BUFFERED | Control.TRIGGER)
    assert ends.shake.take_trigger()
    ends.shake.trigger_done(True)
    ends.trigger(1)
    ends.result(1)
    assert ends.status() & (Status.PASS | Status.FAIL) == Status.FAIL
    ends.control(BUFFERED)
    ends.station(replace(HELD, running=False))
    assert Status.READY not in ends.status()


@pytest.mark.parametrize("succeeded", [True, False])
def test_a_command_is_carried_out_once(ends: Ends, succeeded: bool) -> None:
    """Executing, then Complete or Failed, until ExecuteCommand falls; command and bit may come in one request."""
    ends.shake.write_registers({0: int(BUFFERED | Control.EXECUTE_COMMAND), 1: Command.STOP_LINE}, ends.now * MS)
    assert ends.shake.take_command() is Command.STOP_LINE
    assert ends.shake.take_command() is None
    assert Status.COMMAND_EXECUTING in ends.status()
    ends.shake.command_done(succeeded)
    bits = Status.COMMAND_EXECUTING | Status.COMMAND_COMPLETE | Status.COMMAND_FAILED
    assert ends.status() & bits == (Status.COMMAND_COMPLETE if succeeded else Status.COMMAND_FAILED)
    ends.control(BUFFERED)
    assert not ends.status() & bits


def test_a_command_that_does_not_exist_fails(ends: Ends) -> None:
    """An unknown number is refused without asking anybody."""
    ends.shake.write_registers({0: int(BUFFERED | Control.EXECUTE_COMMAND), 1: 77}, ends.now * MS)
    assert ends.shake.take_command() is None
    assert Status.COMMAND_FAILED in ends.status()


def test_bits_without_a_name_stay_0(ends: Ends) -> None:
    """What the map does not know is not kept."""
    ends.control(Control(0xFFFF))
    assert ends.shake.holding()[0] == int(BUFFERED | Control.TRIGGER | Control.RESULTS_ACK | Control.EXECUTE_COMMAND)


def test_too_many_parts_in_flight_give_up_the_oldest() -> None:
    """A station whose results never come does not grow: the oldest part is LATE before its time."""
    both = Ends()
    both.live()
    both.control(BUFFERED)
    for part in range(1, 52):
        both.trigger(part)
    assert both.shake.in_flight == 50
    assert both.read()[1:] == (1, ResultCode.LATE)


class PlcAndStation(RuleBasedStateMachine):
    """A station, a PLC and time, in any order; the model knows only what each of them did."""

    @initialize()
    def begin(self) -> None:
        self.ends = Ends()
        self.triggered_at: dict[int, int] = {}
        self.verdicts: dict[int, bool] = {}
        self.told_at: dict[int, int] = {}
        self.failed: set[int] = set()
        self.first_pass_read: dict[int, int] = {}
        self.acknowledged: list[int] = []
        self.last_read = 0
        self.heard: int | None = None
        self.station_heard = self.ends.now
        self.look = DOWN

    @rule(ms=st.sampled_from([1, 30, 90, 240, 390, 510, 1100]))
    def time_passes(self, ms: int) -> None:
        self.ends.pass_time(ms)

    @rule(look=st.sampled_from([RUNS, RUNS, RUNS, STOPPED, BROKEN, DOWN]))
    def station_speaks(self, look: StationLook) -> None:
        self.look, self.station_heard = look, self.ends.now
        self.ends.station(look)

    @rule()
    def plc_beats(self) -> None:
        self.heard = self.ends.now
        self.ends.beat()

    @rule()
    def both_are_well(self) -> None:
        self.station_speaks(RUNS)
        self.plc_beats()

    @rule()
    def part_triggers(self) -> None:
        part = len(self.triggered_at) + 1
        self.triggered_at[part] = self.ends.now
        self.ends.trigger(part)

    @rule(passed=st.booleans())
    def part_goes_through(self, passed: bool) -> None:
        self.part_triggers()
        part = len(self.triggered_at)
        self.verdicts[part], self.told_at[part] = passed, self.ends.now
        self.ends.result(part, passed)

    @rule()
    def plc_takes_one(self) -> None:
        self.plc_reads()
        self.plc_acknowledges(True)
        self.plc_acknowledges(False)

    @precondition(lambda self: len(self.triggered_at) > len(self.verdicts))
    @rule(data=st.data(), passed=st.booleans())
    def verdict_comes(self, data: st.DataObject, passed: bool) -> None:
        part = data.draw(st.sampled_from([part for part in self.triggered_at if part not in self.verdicts]))
        self.verdicts[part] = passed
        self.told_at[part] = self.ends.now
        self.ends.result(part, passed)

    @precondition(lambda self: self.verdicts)
    @rule(data=st.data())
    def verdict_comes_twice(self, data: st.DataObject) -> None:
        self.ends.result(data.draw(st.sampled_from(list(self.verdicts))), passed=True)

    @rule(bits=st.sampled_from([Control(0), Control.BUFFER_RESULTS_ENABLE]))
    def plc_chooses_buffering(self, bits: Control) -> None:
        keep = self.ends.shake.control & ~Control.BUFFER_RESULTS_ENABLE
        self.ends.control(keep | bits)

    @rule()
    def plc_reads(self) -> None:
        status, part, _ = self.ends.read()
        if part:
            assert part not in self.acknowledged, "a result that was acknowledged came again"
            self.last_read = part
            if Status.PASS in status:
                self.first_pass_read.setdefault(part, self.ends.now)
                assert self.first_pass_read[part] <= self.triggered_at[part] + WINDOW
            else:
                self.failed.add(part)

    @rule(level=st.booleans())
    def plc_acknowledges(self, level: bool) -> None:
        rises = level and Control.RESULTS_ACK not in self.ends.shake.control
        keep = self.ends.shake.control & ~Control.RESULTS_ACK
        before = self.ends.shake.results.acknowledged
        self.ends.control(keep | Control.RESULTS_ACK if level else keep)
        if self.ends.shake.results.acknowledged > before:
            assert rises
            assert self.last_read, "a result was retired that the PLC had not read"
            self.acknowledged.append(self.last_read)
            self.last_read = 0
        elif rises:
            assert not self.last_read, "the PLC read a result and acknowledged it in vain"

    @invariant()
    def what_is_shown_is_true(self) -> None:
        if not hasattr(self, "ends"):
            return
        registers = self.ends.look()
        status = Status(registers[InputRegister.STATUS])
        part = registers[InputRegister.PART_HIGH] << 16 | registers[InputRegister.PART_LOW]
        valid, passes, fails = (bit in status for bit in (Status.RESULTS_VALID, Status.PASS, Status.FAIL))
        plc_lives = self.heard is not None and self.ends.now - self.heard <= PLC_TIMEOUT
        station_lives = self.look.up and self.ends.now - self.station_heard <= STATION_TIMEOUT
        assert valid == bool(part) == (passes or fails)
        assert not (passes and fails)
        if not (plc_lives and station_lives):
            assert not valid
            assert Status.READY not in status
        if valid:
            assert Control.RESULTS_ACK not in self.ends.shake.control
        else:
            assert registers[InputRegister.RESULT_ID : InputRegister.RESULTS_WAITING] == [0] * 6
        if passes:
            assert self.verdicts[part], "a part passes that was not passed"
            assert self.told_at[part] <= self.triggered_at[part] + WINDOW, "a late verdict was revived"
            assert part not in self.failed, "a Fail became a Pass"
            assert not self.look.blocked
            assert Status.FAULT not in status

    @invariant()
    def no_result_is_lost_unseen(self) -> None:
        if not hasattr(self, "ends"):
            return
        status = self.ends.status()
        results, in_flight = self.ends.shake.results, self.ends.shake.in_flight
        assert len(self.triggered_at) == in_flight + len(results) + results.acknowledged + results.lost
        assert len(results) <= CAPACITY
        assert bool(results.lost) == (Status.RESULTS_BUFFER_OVERRUN in status)
        assert results.acknowledged == len(self.acknowledged)

    def teardown(self) -> None:
        """Both recover, and the PLC takes what is left: each part once, in the order of the results, none invented."""
        if not hasattr(self, "ends"):
            return
        self.ends.pass_time(WINDOW + 1)
        self.station_speaks(RUNS)
        self.plc_beats()
        for _ in range(CAPACITY + 2):
            self.plc_acknowledges(False)
            self.plc_reads()
            self.plc_acknowledges(True)
        assert len(self.ends.shake.results) == self.ends.shake.in_flight == 0
        assert len(set(self.acknowledged)) == len(self.acknowledged)
        assert set(self.acknowledged) <= set(self.triggered_at)
        assert len(self.acknowledged) + self.ends.shake.results.lost == len(self.triggered_at)


PlcAndStation.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestPlcAndStation = PlcAndStation.TestCase


def test_an_unscored_part_says_so() -> None:
    """The score register of a part without score cannot be taken for a score."""
    both = Ends()
    both.live()
    both.trigger(1)
    both.shake.result(1, False, ResultCode.NO_IMAGE, NO_SCORE, 0, both.now * MS)
    assert both.look()[InputRegister.SCORE_PER_MILLE] == 0xFFFF
    assert both.look()[InputRegister.BUNDLE_HIGH : InputRegister.MAP_VERSION] == [0xABCD, 0x1234]

"""The host's side of the controller without a port: options, clock, and the account of parts over a bad line."""

from __future__ import annotations

import random

import pytest
from controller_world import BOOT, TIME, needs_compiler
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from camera.frame import Trigger
from inspection.ejector.controller.book import PartBook
from inspection.ejector.controller.clock import DeviceClock
from inspection.ejector.controller.core import ControllerCore
from inspection.ejector.controller.frame import FrameReader
from inspection.ejector.controller.options import ControllerOptions
from inspection.ejector.controller.session import Session
from inspection.ejector.controller.wire import (
    Ack,
    ConfigFlag,
    Info,
    Outcome,
    Result,
    StatusReport,
    TriggerReport,
    read,
    recall,
)
from inspection.part import Actuation, EjectorAction


def test_lengths_are_converted() -> None:
    """Lengths come in ms, mm or counts, and go out in the unit of the mode."""
    timed = ControllerOptions(delay="450 mm", belt_speed_mm_s=500, window="2.5 mm").config()
    assert (timed.delay, timed.window, timed.deadline, timed.flags) == (900_000, 5_000, 10_000, 0)
    counted = ControllerOptions(
        mode="encoder", delay="450 mm", deadline="10 ms", window="40 counts", pulse="20 mm",
        counts_per_mm=20, belt_speed_mm_s=500,
    ).config()  # fmt: skip
    assert (counted.delay, counted.deadline, counted.window, counted.width) == (9000, 100, 40, 400)
    assert counted.flags == ConfigFlag.DELAY_COUNTS | ConfigFlag.WIDTH_COUNTS


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"delay": "450 mm"}, "in mm with belt_speed_mm_s"),
        ({"mode": "encoder"}, "counts_per_mm"),
        ({"delay": "12 ms"}, "delay must be longer"),
        ({"delay": "12 miles"}, "pattern"),
        ({"wiring": "positive_release", "window": "20 ms"}, "at least as long as window"),
        ({"presence_at": "299 ms"}, "presence_at"),
        ({"delay": "0 ms"}, "from 1 to"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, str], text: str) -> None:
    """Each text names the option and what would do."""
    with pytest.raises(ValidationError, match=text):
        ControllerOptions.model_validate(options)


@given(st.integers(-100, 100), st.integers(0, 2**32))
@settings(max_examples=20, deadline=None)
def test_the_clock_follows_a_drifting_crystal(drift_ppm: int, seed: int) -> None:
    """With transfers of 0.2 ms and more, a moment is found to better than a millisecond, though the crystals differ."""
    chance, clock = random.Random(seed), DeviceClock()
    offset_ns = chance.randrange(10**15)
    for device_us in range(0, 60_000_000, 50_000):
        true_ns = offset_ns + device_us * 1000 + device_us * drift_ppm // 1000
        clock.heard(device_us, true_ns + 200_000 + round(chance.expovariate(1 / 500_000)))
        if device_us > 10_000_000:
            assert abs(clock.host_ns(device_us) - true_ns) < 1_500_000


@needs_compiler
@given(seed=st.integers(0, 2**32), loss=st.sampled_from([0.0, 0.05, 0.3]), double=st.sampled_from([0.0, 0.2]))
@settings(max_examples=100, deadline=None)
def test_a_bad_line_costs_no_part(seed: int, loss: float, double: float) -> None:
    """Frames lost, damaged and doubled both ways: each part gets one number and one report, and none is told wrong."""
    line = BadLine(seed, loss, double)
    line.run(parts=40)
    assert [trigger.number for trigger in line.triggers] == list(range(1, 41))
    assert sorted(one.part for one in line.actuations) == list(range(1, 41))
    for one in line.actuations:
        outcome = line.outcomes[one.part - 1]
        if one.action is EjectorAction.RELEASED:
            assert outcome == Outcome.RELEASED
        elif one.action is EjectorAction.FIRED:
            assert outcome != Outcome.RELEASED
    if loss == 0:
        assert sum(one.action is EjectorAction.RELEASED for one in line.actuations) == 27


class BadLine:
    """Firmware, session and book in virtual time, with a line between them that loses, damages and doubles frames."""

    def __init__(self, seed: int, loss: float, double: float) -> None:
        self.chance, self.loss, self.double = random.Random(seed), loss, double
        self.core, self.now_us = ControllerCore(BOOT, knows_wiring=True), 0
        self.triggers: list[Trigger] = []
        self.actuations: list[Actuation] = []
        self.outcomes: list[int] = []  # by the order of the parts: what really happened
        self.truth, self.heard = FrameReader(), FrameReader()
        self.book = PartBook(lambda us: us * 1000, self.triggers.append, self.actuations.append, lead_us=0, timed=True)
        self.session = Session(TIME, lambda data: self.core.receive(self.now_us, self.damaged(data)))
        self.judged: set[int] = set()

    def damaged(self, data: bytes) -> bytes:
        frames = [frame + b"\0" for frame in data.split(b"\0")[:-1]]
        out = b""
        for frame in frames:
            if self.chance.random() < self.loss:
                at = self.chance.randrange(len(frame))
                frame = b"" if self.chance.random() < 0.5 else frame[:at] + bytes((frame[at] ^ 0x55,)) + frame[at + 1 :]
            out += frame * (2 if self.chance.random() < self.double else 1)
        return out

    def exchange(self) -> None:
        said = self.core.transmit()
        for frame in self.truth.feed(said):
            told = read(frame)
            if isinstance(told, Result) and not told.flags & 16:
                self.outcomes.append(told.outcome)
        for frame in self.heard.feed(self.damaged(said)):
            for tag in self.take(read(frame)):
                self.session.tell(recall(tag))
        for number in range(1, len(self.triggers) + 1):
            known = self.book.tag_of(number)
            if known is not None and number not in self.judged:
                self.judged.add(number)
                self.session.judge(*known, number % 3 != 0, self.now_us * 1000)
        self.session.tick(self.now_us * 1000, alive=True)

    def take(self, told: object) -> list[int]:
        match told:
            case Info():
                self.session.informed(told)
                return self.book.meet(told)
            case Ack():
                self.session.answered(told)
            case StatusReport() if self.session.info is not None:
                self.session.compared(told)
                return self.book.compared(told)
            case TriggerReport() if self.session.info is not None:
                return self.book.triggered(told)
            case Result() if self.session.info is not None:
                self.session.settled(told.tag)
                return self.book.resulted(told)
        return []

    def run(self, parts: int) -> None:
        def go(ms: int) -> None:
            for _ in range(ms // 10):
                self.now_us += 10_000
                self.core.advance(self.now_us)
                self.exchange()

        go(400)
        while not self.session.armed:
            assert self.now_us < 120_000_000
            go(50)
        for _ in range(parts):
            self.core.trigger(self.now_us)
            go(50)
        go(3000)
        self.book.give_up()  # the end: what could not be learned is told as that


def test_a_trigger_of_an_unknown_start_makes_no_part() -> None:
    """A reset whose INFO was lost: the new start's tags are far from the old ones; no part is made up in between."""
    born: list[int] = []
    book = PartBook(
        lambda us: us * 1000,
        lambda trigger: born.append(trigger.number),
        lambda _actuation: None,
        lead_us=0,
        timed=True,
    )
    book.meet(Info(1, 1, 0x0100_0001, 1_000_000, 128, 0, 2, 0, 100, 1, 0))
    book.triggered(TriggerReport(100, 1, 0, 1000, 0))
    assert book.triggered(TriggerReport(22_000, 7, 0, 2000, 0)) == []
    assert born == [1]
    book.triggered(TriggerReport(102, 1, 0, 3000, 0))
    assert born == [1, 2, 3]


def test_an_outcome_of_a_newer_firmware_is_unconfirmed() -> None:
    """What we do not know is no pass and no rejection, and the parts after it go on."""
    told: list[Actuation] = []
    book = PartBook(lambda us: us * 1000, lambda _trigger: None, told.append, lead_us=0, timed=True)
    book.meet(Info(1, 1, 0x0100_0001, 1_000_000, 128, 0, 2, 0, 100, 1, 0))
    for tag, outcome in ((100, 99), (101, Outcome.RELEASED)):
        book.triggered(TriggerReport(tag, 1, 0, 1000, 0))
        book.resulted(Result(tag, 1, outcome, 0, 2000, 0, 2000))
    assert [actuation.action for actuation in told] == [EjectorAction.UNCONFIRMED, EjectorAction.RELEASED]

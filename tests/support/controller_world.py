"""A controller in virtual time with a belt, and an account of what it may and may not do, kept beside it."""

from __future__ import annotations

import os

import pytest

from inspection.ejector.controller.build import find_compiler
from inspection.ejector.controller.core import EJECT, RUN, ControllerCore
from inspection.ejector.controller.frame import Frame, FrameReader, encode
from inspection.ejector.controller.wire import (
    Ack,
    Config,
    ConfigFlag,
    Outcome,
    Result,
    ResultFlag,
    Status,
    Told,
    TriggerReport,
    Type,
    arm,
    hello,
    read,
    verdict,
)

needs_compiler = pytest.mark.skipif(
    find_compiler() is None and os.environ.get("CI") != "true", reason="no C++ compiler: sudo apt-get install g++"
)
TIME = Config(0, 300_000, 20_000, 30_000, 5_000, 4_000)
COUNTS = Config(int(ConfigFlag.DELAY_COUNTS | ConfigFlag.WIDTH_COUNTS), 3_000, 200, 300, 50)
BOOT = 0x00FF_F000  # its first tag is 0xFFF0: sixteen parts later the tags wrap


class World:
    """One controller, its clock and its belt. Passes and their moments are noted for `check`."""

    def __init__(self, config: Config, boot_id: int = BOOT) -> None:
        self.config, self.boot_id = config, boot_id
        self.now_us, self.count, self.speed = 0, 0.0, 0.0
        self.track: list[tuple[int, float]] = [(0, 0.0)]
        self.timed = not config.flags & ConfigFlag.DELAY_COUNTS
        self.release = bool(config.flags & ConfigFlag.POSITIVE_RELEASE)
        self.core = ControllerCore(boot_id, flags=config.flags, knows_wiring=True)
        self.reader = FrameReader()
        self.heard: list[Told] = []
        self.sequence = 0
        self.triggers: dict[int, TriggerReport] = {}
        self.results: dict[int, list[Result]] = {}
        self.passed: dict[int, int] = {}  # tag: when its first PASS was answered OK
        self.withdrawn: set[int] = set()  # tags with a REJECT that was answered OK
        self.edges: list[tuple[int, int, bool]] = []
        self.silences: list[int] = []
        self.born = 0
        for message in (hello(), (Type.CONFIG, config.payload())):
            assert self.tell(message) is Status.OK

    def tell(self, message: tuple[int, bytes]) -> Status | None:
        """Say something and return the answer's status."""
        self.sequence = (self.sequence + 1) % 256
        answers = [
            told for told in self.feed(encode(Frame(message[0], self.sequence, message[1]))) if isinstance(told, Ack)
        ]
        return Status(answers[-1].status) if answers else None

    def feed(self, data: bytes) -> list[Told]:
        """Hand over any bytes; return what was said since."""
        self.core.receive(self.now_us, data)
        return self.listen()

    def listen(self) -> list[Told]:
        """Take and note what the controller says and switches."""
        said = [told for frame in self.reader.feed(self.core.transmit()) if (told := read(frame)) is not None]
        for told in said:
            if isinstance(told, TriggerReport) and not told.flags:
                assert told.tag not in self.triggers
                self.triggers[told.tag] = told
            elif isinstance(told, Result) and not told.flags & ResultFlag.REPEATED:
                self.results.setdefault(told.tag, []).append(told)
        self.edges += [(s.us, s.output, s.active) for s in self.core.switchings()]
        self.heard += said
        return said

    def arm(self) -> None:
        """Arm it."""
        assert self.tell(arm(self.boot_id)) is Status.OK

    def wait(self, us: int, beat: bool = True) -> None:
        """Let time and belt go on, with the station's heartbeats or in silence."""
        end_us = self.now_us + us
        step_us = self.config.heartbeat_timeout_ms * 1000 // 3
        while self.now_us < end_us:
            if beat:
                self.feed(encode(Frame(Type.HEARTBEAT, 0, b"")))
            self._go(min(end_us, self.now_us + step_us))

    def _go(self, now_us: int) -> None:
        self.count += self.speed * (now_us - self.now_us) / 1e6
        self.now_us = now_us
        self.track.append((now_us, self.count))
        if self.timed:
            self.core.advance(now_us)
        else:
            self.core.move(now_us, int(self.count))
        self.listen()

    def trigger(self) -> int:
        """Let a part come; return its tag."""
        self.core.trigger(self.now_us)
        self.born += 1
        (told,) = (told for told in self.listen() if isinstance(told, TriggerReport))
        return told.tag

    def judge(self, tag: int, epoch: int, passed: bool) -> Status | None:
        """Tell a verdict and note what it may change."""
        status = self.tell(verdict(tag, epoch, passed))
        if status is Status.OK and passed:
            self.passed.setdefault(tag, self.now_us)
        elif status is Status.OK:
            self.withdrawn.add(tag)
        return status

    def finish(self) -> None:
        """Let everything that is on its way come through."""
        if not self.timed and self.speed < 5000:
            self.speed = 10_000
        self.wait(2_000_000)
        assert self.core.in_flight == 0

    def place(self, at_us: int) -> float:
        """Where the belt was: µs, or counts."""
        if self.timed:
            return at_us
        before = max((sample for sample in self.track if sample[0] <= at_us), key=lambda sample: sample[0])
        after = min((sample for sample in self.track if sample[0] >= at_us), key=lambda sample: sample[0])
        if after[0] == before[0]:
            return before[1]
        return before[1] + (after[1] - before[1]) * (at_us - before[0]) / (after[0] - before[0])

    def actives(self) -> list[tuple[float, float]]:
        """The stretches of the belt over which the ejector's output had its effect."""
        lead = self.config.lead_us if self.timed else 0
        stretches: list[tuple[float, float]] = []
        on: float | None = None
        for at_us, output, active in self.edges:
            if output != EJECT:
                continue
            if active and on is None:
                on = self.place(at_us) + lead
            elif not active and on is not None:
                stretches.append((on, self.place(at_us) + lead))
                on = None
        if on is not None:
            stretches.append((on, float("inf")))
        return stretches

    def check(self) -> dict[Outcome, int]:
        """Hold the controller to its promises; return how many parts had each outcome."""
        self.finish()
        assert len(self.triggers) == self.born
        assert {tag: len(told) for tag, told in self.results.items()} == dict.fromkeys(self.triggers, 1)
        stretches = self.actives()
        slack = 0 if self.timed else 2  # counts are whole, their moments are µs
        outcomes = dict.fromkeys(Outcome, 0)
        for tag, born in self.triggers.items():
            (result,) = self.results[tag]
            outcome = Outcome(result.outcome)
            outcomes[outcome] += 1
            due = (born.at_device_us if self.timed else born.position) + self.config.delay
            around = [
                s
                for s in stretches
                if s[1] > due - self.config.window + slack and s[0] < due + self.config.window - slack
            ]
            if outcome is Outcome.RELEASED:
                assert tag in self.passed
                assert tag not in self.withdrawn
                lead = self.config.lead_us if self.timed else 0
                assert self.place(self.passed[tag]) < due - lead - self.config.deadline + slack
                assert bool(around) == self.release
            else:
                hit = any(s[0] - slack <= due < s[1] + slack for s in stretches)
                near = bool(around)
                assert not near if self.release and outcome is not Outcome.MERGED else True, (result, around)
                assert self.release or hit or outcome is Outcome.MERGED, (result, stretches[-5:])
            assert not result.flags & ResultFlag.LATE
        return outcomes

    def may_run(self) -> bool:
        """Whether the run output is active."""
        runs = [active for _, output, active in self.edges if output == RUN]
        return runs[-1]

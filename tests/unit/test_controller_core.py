"""The controller's firmware in virtual time: no part passes without a timely PASS, and each has exactly one result."""

from __future__ import annotations

from typing import Any

import pytest
from controller_world import BOOT, COUNTS, TIME, World, needs_compiler
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from inspection.ejector.controller.core import EJECT, ControllerCore
from inspection.ejector.controller.frame import Frame, encode
from inspection.ejector.controller.wire import (
    BinFull,
    Config,
    ConfigFlag,
    FaultCode,
    FaultReport,
    Outcome,
    Result,
    ResultFlag,
    State,
    Status,
    StatusReport,
    Stranger,
    TriggerReport,
    Type,
    arm,
    recall,
    verdict,
)

pytestmark = needs_compiler
RELEASE = TIME._replace(flags=int(ConfigFlag.POSITIVE_RELEASE))
WIRINGS = {
    "time": TIME,
    "counts": COUNTS,
    "time_release": RELEASE,
    "counts_release": COUNTS._replace(flags=COUNTS.flags | ConfigFlag.POSITIVE_RELEASE, release_limit_ms=60_000),
}


def armed(config: Config = TIME) -> World:
    """A world whose belt runs and in which nothing is held any more."""
    world = World(config)
    world.speed = 10_000
    world.wait(500_000)
    world.arm()
    return world


@pytest.fixture(params=WIRINGS)
def world(request: pytest.FixtureRequest) -> World:
    return armed(WIRINGS[request.param])


def test_silence_rejects_and_pass_releases(world: World) -> None:
    """PASS releases, REJECT rejects, nothing at all rejects by default."""
    for word in (True, False, None):
        tag = world.trigger()
        if word is not None:
            assert world.judge(tag, world.triggers[tag].epoch, word) is Status.OK
        world.wait(200_000)
    outcomes = world.check()
    assert (outcomes[Outcome.RELEASED], outcomes[Outcome.FIRED], outcomes[Outcome.BY_DEFAULT]) == (1, 1, 1)


def test_tags_wrap(world: World) -> None:
    """Sixteen parts after the start the 16-bit tag begins again at 0."""
    tags = []
    for _ in range(40):
        tags.append(world.trigger())
        world.judge(tags[-1], world.triggers[tags[-1]].epoch, True)
        world.wait(50_000)
    assert tags == [(0xFFF0 + index) % 65536 for index in range(40)]
    assert world.check()[Outcome.RELEASED] == 40


def test_a_verdict_that_is_late_unknown_or_stale_passes_nothing(world: World) -> None:
    """Each is answered with what is wrong with it, and the part is rejected by default."""
    tag = world.trigger()
    epoch = world.triggers[tag].epoch
    assert world.judge(tag + 1 & 0xFFFF, epoch, True) is Status.UNKNOWN_TAG
    assert world.judge(tag, epoch - 1 & 0xFFFF, True) is Status.STALE_EPOCH
    assert (
        world.tell((Type.VERDICT, tag.to_bytes(2, "little") + epoch.to_bytes(2, "little") + b"\1")) is Status.BAD_VALUE
    )
    world.wait(290_000)
    assert world.judge(tag, epoch, True) is Status.LATE
    world.wait(200_000)
    assert world.judge(tag, epoch, True) is Status.FINISHED
    assert world.check()[Outcome.BY_DEFAULT] == 1


def test_a_reject_is_final(world: World) -> None:
    """A REJECT withdraws a PASS, and no PASS withdraws a REJECT."""
    tag = world.trigger()
    epoch = world.triggers[tag].epoch
    assert [world.judge(tag, epoch, word) for word in (True, True, False, False, True)] == [
        Status.OK,
        Status.OK,
        Status.OK,
        Status.OK,
        Status.REJECTED_ALREADY,
    ]
    assert world.check()[Outcome.FIRED] == 1


def test_a_silent_host_rejects_everything(world: World) -> None:
    """Without heartbeats the run output drops and even what was passed before is rejected; ARM ends it."""
    assert world.may_run()
    world.wait(world.config.heartbeat_timeout_ms * 1000 - 100_000)
    tag = world.trigger()
    world.judge(tag, world.triggers[tag].epoch, True)
    world.wait(1, beat=True)
    world.wait(world.config.heartbeat_timeout_ms * 1000 - 1, beat=False)
    for _ in range(2):
        world.trigger()
        world.wait(world.config.heartbeat_timeout_ms * 1000, beat=False)
    assert world.core.state is State.SAFE
    assert not world.may_run()
    assert any(isinstance(told, FaultReport) and told.code == FaultCode.HEARTBEAT_LOST for told in world.heard)
    last = world.trigger()
    assert world.judge(last, world.triggers[last].epoch, True) is Status.NOT_ARMED
    world.arm()
    assert world.judge(last, world.triggers[last].epoch, True) is Status.STALE_EPOCH
    outcomes = world.check()
    assert outcomes[Outcome.RELEASED] <= 1  # the first, where it was through before the silence was noticed
    assert sum(outcomes.values()) == 4


def test_a_passed_part_is_rejected_when_the_host_dies_before_it_is_through() -> None:
    """A PASS is worth nothing once the host has been silent for too long."""
    world = armed(TIME._replace(delay=2_000_000))
    world.wait(2_500_000)
    tag = world.trigger()
    world.judge(tag, world.triggers[tag].epoch, True)
    world.wait(2_500_000, beat=False)
    (result,) = world.results[tag]
    assert result.outcome == Outcome.BY_DEFAULT
    assert result.flags & ResultFlag.REVOKED
    world.arm()
    world.check()


def test_after_a_reset_everything_on_the_belt_is_rejected() -> None:
    """The output is held from the start until one whole way has passed, configured in between or not."""
    config = TIME
    core = ControllerCore(1, flags=config.flags, knows_wiring=True)
    assert [(s.output, s.active) for s in core.switchings()] == [(1, False), (EJECT, True)]
    world = World(config)
    world.wait(config.delay - config.lead_us + config.window - 1)
    assert all(active for _, output, active in world.edges if output == EJECT)
    world.wait(2)
    assert [active for _, output, active in world.edges if output == EJECT][-1] is False


def test_an_unknown_wiring_is_left_at_rest() -> None:
    """A board that remembers no wiring cannot know what its output does: at rest, and the belt may not run."""
    assert [s.active for s in ControllerCore(1).switchings()] == [False, False]


def test_a_full_fifo_is_held_shut() -> None:
    """More parts on their way than fit: the surplus is rejected by holding the output over them."""
    world = armed(TIME._replace(delay=1_000_000))
    world.wait(1_000_000)
    for _ in range(150):
        tag = world.trigger()
        world.judge(tag, world.triggers[tag].epoch, True)
        world.wait(2_000)
    outcomes = world.check()
    assert outcomes[Outcome.BY_DEFAULT] == 22
    assert sum(outcomes.values()) == 150


def test_a_standing_encoder_under_coming_parts_is_a_fault() -> None:
    """Parts that come while the encoder counts nothing: nobody knows where they are, so everything is rejected."""
    world = armed(COUNTS)
    world.speed = 0
    world.wait(10_000)
    world.trigger()
    world.wait(100_000)
    world.trigger()
    assert world.core.state is State.SAFE
    assert world.edges[-1][2] or world.edges[-2][2]
    assert any(isinstance(told, FaultReport) and told.code == FaultCode.ENCODER_STANDS for told in world.heard)
    world.arm()
    world.check()


def test_a_belt_that_stands_keeps_the_pulse_at_its_place() -> None:
    """A stop under a pulse stretches it: its width is a length of the belt."""
    world = armed(COUNTS)
    world.trigger()
    world.wait(310_000)
    world.speed = 0
    world.wait(3_000_000)
    assert world.edges[-1][1:] == (EJECT, True)
    world.speed = 2000
    world.check()


def test_the_presence_sensor_tells_removed_parts_and_strangers() -> None:
    """A part that does not come is REMOVED, whatever was decided; one that nobody expects is rejected."""
    config = TIME._replace(flags=int(ConfigFlag.PRESENCE_SENSOR), presence_at=200_000, presence_window=10_000)
    world = armed(config)
    for come, word in ((True, True), (False, True), (False, False)):
        tag = world.trigger()
        world.judge(tag, world.triggers[tag].epoch, word)
        world.wait(195_000)
        if come:
            world.core.presence(world.now_us)
        world.wait(400_000)
    outcomes = [Outcome(world.results[tag][0].outcome) for tag in world.triggers]
    assert outcomes == [Outcome.RELEASED, Outcome.REMOVED, Outcome.REMOVED]
    before = len(world.edges)
    at_us = world.now_us
    world.core.presence(at_us)
    world.wait(400_000)
    assert sum(isinstance(told, Stranger) for told in world.heard) == 1
    due_us = at_us + config.delay - config.presence_at - config.lead_us
    assert world.edges[before:] == [(due_us, EJECT, True), (due_us + config.width, EJECT, False)]


def test_the_confirm_sensor_and_the_bin() -> None:
    """An ejected part that is not seen in time is NOT_SEEN; the bin's level is told when it changes."""
    world = armed(TIME._replace(flags=int(ConfigFlag.CONFIRM_SENSOR | ConfigFlag.BIN_SENSOR), confirm_us=100_000))
    tags = []
    for seen in (True, False):
        tags.append(world.trigger())
        world.judge(tags[-1], world.triggers[tags[-1]].epoch, False)
        world.wait(350_000)
        if seen:
            world.core.ejected(world.now_us)
        world.wait(200_000)
    assert [world.results[tag][0].outcome for tag in tags] == [Outcome.FIRED, Outcome.NOT_SEEN]
    assert world.results[tags[0]][0].flags & ResultFlag.CONFIRMED
    for full in (True, True, False):
        world.core.bin(world.now_us, full)
    world.listen()
    assert [told.full for told in world.heard if isinstance(told, BinFull)] == [1, 0]


def test_a_part_can_be_recalled() -> None:
    """What was lost on the line is told again, marked as repeated."""
    world = armed()
    tag = world.trigger()
    world.wait(400_000)
    said = world.feed(encode(Frame(*_framed(recall(tag)))))
    assert [told.flags & ResultFlag.REPEATED for told in said if isinstance(told, TriggerReport | Result)] == [16, 16]
    assert world.tell(recall(tag + 1)) is Status.UNKNOWN_TAG


def test_what_the_host_may_not_do() -> None:
    """No greeting, a wrong start, a bad value or an armed controller: refused with a reason, and nothing changes."""
    core = World(TIME)
    assert core.tell(arm(BOOT + 1)) is Status.WRONG_BOOT
    assert core.tell((Type.CONFIG, TIME._replace(debounce_us=20_001).payload())) is Status.BAD_VALUE
    assert core.tell((Type.CONFIG, TIME._replace(deadline=TIME.delay).payload())) is Status.BAD_VALUE
    assert core.tell((Type.ARM, b"")) is Status.BAD_LENGTH
    assert core.tell((0x33, b"")) is Status.UNKNOWN_TYPE
    core.arm()
    assert core.tell((Type.CONFIG, TIME.payload())) is Status.OK
    assert core.tell((Type.CONFIG, TIME._replace(delay=400_000).payload())) is Status.NOT_NOW


def test_a_new_configuration_rejects_what_is_on_its_way() -> None:
    """Places that were right before are unknown now: the output is held over all of them."""
    world = armed()
    tag = world.trigger()
    world.judge(tag, world.triggers[tag].epoch, True)
    assert world.tell((Type.DISARM, b"")) is Status.OK
    assert world.tell((Type.CONFIG, TIME._replace(delay=310_000).payload())) is Status.OK
    world.wait(310_000 - TIME.lead_us)
    assert world.results[tag][0].outcome == Outcome.BY_DEFAULT
    assert [active for _, output, active in world.edges if output == EJECT][-1]


def test_a_loop_that_comes_late_says_so() -> None:
    """A pulse that is made outside its window is marked as late and is a fault."""
    world = armed()
    tag = world.trigger()
    world.now_us += TIME.delay + TIME.window + 1000
    world.core.step(world.now_us)
    world.listen()
    assert world.results[tag][0].flags & ResultFlag.LATE
    assert any(isinstance(told, FaultReport) and told.code == FaultCode.PULSE_LATE for told in world.heard)


def test_the_status_counts_everything() -> None:
    """STATUS comes by itself and adds up."""
    world = armed()
    for word in (True, False):
        tag = world.trigger()
        world.judge(tag, world.triggers[tag].epoch, word)
        world.wait(400_000)
    world.wait(400_000)
    status = [told for told in world.heard if isinstance(told, StatusReport)][-1]
    assert (status.triggers, status.released, status.rejected, status.in_flight) == (2, 1, 1, 0)
    assert status.next_tag == status.oldest_tag


def _framed(message: tuple[int, bytes]) -> tuple[int, int, bytes]:
    return message[0], 0, message[1]


class AnyDay(RuleBasedStateMachine):
    """Parts, verdicts of every kind, silences, damaged bytes, a belt of any speed, in any order."""

    @initialize(wiring=st.sampled_from(sorted(WIRINGS)))
    def begin(self, wiring: str) -> None:
        self.world = armed(WIRINGS[wiring])

    @rule(us=st.integers(1, 400_000), beat=st.sampled_from([True, True, True, False]))
    def wait(self, us: int, beat: bool) -> None:
        self.world.wait(us, beat)

    @rule(
        word=st.sampled_from([True, True, False, None]),
        spacing_us=st.integers(2_000, 60_000),
        doubled=st.booleans(),
    )
    def part(self, word: bool | None, spacing_us: int, doubled: bool) -> None:
        tag = self.world.trigger()
        for _ in range(1 + doubled if word is not None else 0):
            self.world.judge(tag, self.world.triggers[tag].epoch, bool(word))
        self.world.wait(spacing_us)

    @rule(data=st.data(), word=st.booleans())
    @precondition(lambda self: bool(self.world.triggers))
    def any_verdict(self, data: st.DataObject, word: bool) -> None:
        tag = data.draw(st.sampled_from(sorted(self.world.triggers)))
        epoch = data.draw(st.sampled_from([self.world.triggers[tag].epoch, self.world.triggers[tag].epoch ^ 1]))
        self.world.judge(tag, epoch, word)

    @rule(tag=st.integers(0, 65535), at=st.integers(0, 8), flip=st.integers(1, 255))
    def damaged_verdict(self, tag: int, at: int, flip: int) -> None:
        data = bytearray(encode(Frame(*_framed(verdict(tag, 0, True)))))
        data[at] ^= flip
        self.world.feed(bytes(data) + b"\0")

    @rule(garbage=st.binary(max_size=40))
    def garbage(self, garbage: bytes) -> None:
        self.world.feed(garbage + b"\0")

    @rule(speed=st.sampled_from([0, 500, 5_000, 10_000, 40_000]))
    def belt(self, speed: int) -> None:
        self.world.speed = speed
        self.world.wait(2_000)

    @rule()
    def arm_again(self) -> None:
        self.world.arm()

    @rule()
    def disarm(self) -> None:
        self.world.tell((Type.DISARM, b""))

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        if self.world.core.state is not State.ARMED:
            self.world.arm()
        self.world.check()


TestAnyDay: Any = AnyDay.TestCase
TestAnyDay.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)

"""The faults: each is one function that does to the line what really happens to lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from random import Random
from types import MappingProxyType

from inspection.simulation.virtual.controller_side import ControllerSide
from inspection.simulation.virtual.line import VirtualLine
from inspection.simulation.virtual.plan import MS, SECOND, Plan, Wiring
from inspection.simulation.virtual.relay_side import RelaySide

Cause = Callable[[VirtualLine, Random], None]


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault. needs: what the line must have for it to be possible; `weight`: how often, among all."""

    name: str
    summary: str
    cause: Cause
    weight: int = 4
    needs: Callable[[Plan], bool] = lambda _plan: True


def _milliseconds(random: Random, low: int, high: int) -> int:
    return random.randrange(low, high) * MS


# -- the photo-eye and the parts ---------------------------------------------------------------------------------


def _doubled(line: VirtualLine, random: Random) -> None:
    del random
    line.eye_mishaps.append("doubled")


def _missed(line: VirtualLine, random: Random) -> None:
    del random
    line.eye_mishaps.append("missed")


def _spurious(line: VirtualLine, random: Random) -> None:
    line.agenda.after(_milliseconds(random, 1, 1000), partial(line.spurious, None))


def _close(line: VirtualLine, random: Random) -> None:
    line.feeder.come_closer(int(line.plan.pitch_ns * random.uniform(0.2, 0.74)))


def _touch(line: VirtualLine, random: Random) -> None:
    del random
    line.feeder.touch()


def _taken_off(line: VirtualLine, random: Random) -> None:
    line.agenda.after(_milliseconds(random, 1, 2000), partial(line.take_one_off, random.random()))


# -- cameras -----------------------------------------------------------------------------------------------------


def _mishap(kind: str) -> Cause:
    def cause(line: VirtualLine, random: Random) -> None:
        device = line.devices[random.randrange(len(line.devices))]
        device.mishaps.extend([kind] * random.choice((1, 1, 1, 2, 5)))

    return cause


def _camera_gone(line: VirtualLine, random: Random) -> None:
    line.devices[random.randrange(len(line.devices))].unplug(_milliseconds(random, 50, 8000))


# -- the model and the station -----------------------------------------------------------------------------------


def _slow(line: VirtualLine, random: Random) -> None:
    pool = line.station.pool
    pool.slow = random.uniform(2, 40)
    line.agenda.after(_milliseconds(random, 100, 4000), partial(setattr, pool, "slow", 1.0))


def _stalled(line: VirtualLine, random: Random) -> None:
    line.station.pool.stalled_until_ns = line.agenda.now_ns + _milliseconds(random, 500, 6000)


def _frozen(line: VirtualLine, random: Random) -> None:
    line.station.freeze(_milliseconds(random, 20, random.choice((300, 1500, 6000))))


def _killed(line: VirtualLine, random: Random) -> None:
    if line.agenda.now_ns > line.disk.trusted_ns:  # what could not be journalled dies with it: two faults at once
        line.kill_station(_milliseconds(random, 500, 10_000))


def _disk_full(line: VirtualLine, random: Random) -> None:
    line.disk.full = True
    line.agenda.after(_milliseconds(random, 100, 10_000), partial(setattr, line.disk, "full", False))


def _journal_refused(line: VirtualLine, random: Random) -> None:
    line.disk.refuse(_milliseconds(random, 100, 3000))


# -- the ejector -------------------------------------------------------------------------------------------------


def _relay(line: VirtualLine) -> RelaySide:
    assert isinstance(line.side, RelaySide)
    return line.side


def _controlled(line: VirtualLine) -> ControllerSide:
    assert isinstance(line.side, ControllerSide)
    return line.side


def _port_gone(line: VirtualLine, random: Random) -> None:
    for_ns = _milliseconds(random, 10, random.choice((300, 8000)))
    if isinstance(line.side, ControllerSide):
        line.side.cable.pull()
        line.agenda.after(for_ns, line.side.cable.plug)
    else:
        line.side.board.unplug()
        line.agenda.after(for_ns, line.side.board.plug)


def _write_blocked(line: VirtualLine, random: Random) -> None:
    until_ns = line.agenda.now_ns + _milliseconds(random, 5, random.choice((60, 600)))
    if isinstance(line.side, ControllerSide):
        line.side.cable.held_until_ns = until_ns
    else:
        line.side.board.blocked_until_ns = until_ns


def _scheduler_killed(line: VirtualLine, random: Random) -> None:
    del random
    _relay(line).kill_scheduler()


def _scheduler_late(line: VirtualLine, random: Random) -> None:
    scheduler = _relay(line).scheduler
    if scheduler is not None:
        scheduler.hold(_milliseconds(random, 1, random.choice((8, 60))))


def _controller_reset(line: VirtualLine, random: Random) -> None:
    del random
    _controlled(line).controller.reset()


def _bytes_damaged(line: VirtualLine, random: Random) -> None:
    cable = _controlled(line).cable
    cable.damaged_until_ns = line.agenda.now_ns + _milliseconds(random, 5, random.choice((100, 3000)))


def _controller_drifts(line: VirtualLine, random: Random) -> None:
    _controlled(line).controller.drift(random.randrange(-100, 100))


def _jammed(line: VirtualLine, random: Random) -> None:
    del random
    line.nozzle.is_jammed = True


# -- belt and operator -------------------------------------------------------------------------------------------


def _belt_slow(line: VirtualLine, random: Random) -> None:
    line.drive.change(random.uniform(0.3, 0.95), _milliseconds(random, 200, 5000))


def _belt_stopped(line: VirtualLine, random: Random) -> None:
    line.drive.change(0.0, _milliseconds(random, 300, 5000))


def _encoder_silent(line: VirtualLine, random: Random) -> None:
    line.encoder_silent_until_ns = line.agenda.now_ns + _milliseconds(random, 30, random.choice((150, 2000)))


def _operator_stop(line: VirtualLine, random: Random) -> None:
    del random
    line.station.wants_to_run = False


def _wall_clock_stepped(line: VirtualLine, random: Random) -> None:
    line.station.wall_ahead_ns += random.choice((-1, 1)) * random.choice((2, 3600, 86_400)) * SECOND


def _has_encoder(plan: Plan) -> bool:
    return plan.encoder


def _reads_encoder(plan: Plan) -> bool:
    return plan.encoder and not plan.is_timed_by_controller  # a controller counts for itself


def _can_stop(plan: Plan) -> bool:
    return plan.belt_is_wired


def _has_board(plan: Plan) -> bool:
    return not plan.is_timed_by_controller


def _has_controller(plan: Plan) -> bool:
    return plan.is_timed_by_controller


def _sees_rejects(plan: Plan) -> bool:
    return plan.confirms and plan.belt_is_wired


def _diverts(plan: Plan) -> bool:
    return plan.wiring is Wiring.RELEASE


_ROWS = (
    Fault("trigger_doubled", "the photo-eye tells of a part twice", _doubled),
    Fault("trigger_spurious", "the photo-eye tells of a part that is not there", _spurious),
    Fault("trigger_missed", "the photo-eye does not see a part", _missed, needs=_diverts),
    Fault("parts_close", "a part follows the one before it too closely", _close),
    Fault("parts_touch", "a part lies against the one before it, without a gap", _touch),
    Fault("part_taken_off", "somebody takes a part off the belt", _taken_off),
    Fault("frame_lost", "frames do not arrive", _mishap("lost")),
    Fault("frame_late", "frames arrive late", _mishap("late")),
    Fault("frame_broken", "frames cannot be prepared for the model", _mishap("broken")),
    Fault("exposure_missed", "a camera misses its trigger", _mishap("missed")),
    Fault("camera_gone", "a camera's cable is pulled", _camera_gone, 2),
    Fault("model_slow", "the model takes many times as long", _slow),
    Fault("model_stalled", "the model does not answer for seconds", _stalled, 2),
    Fault("station_frozen", "the station is stopped for a while (SIGSTOP)", _frozen, 2),
    Fault("station_killed", "the station is killed (SIGKILL) and started again", _killed, 1),
    Fault("disk_full", "records cannot be written", _disk_full, 2),
    Fault("journal_refused", "the journal cannot be written", _journal_refused, 1),
    Fault("port_gone", "the ejector's cable is pulled", _port_gone, 2),
    Fault("write_blocked", "the ejector's port takes nothing for a while", _write_blocked, 2),
    Fault("scheduler_killed", "the ejector's process is killed", _scheduler_killed, 1, _has_board),
    Fault("scheduler_late", "the ejector's process does not get a processor", _scheduler_late, needs=_has_board),
    Fault("controller_reset", "the controller is reset", _controller_reset, 1, _has_controller),
    Fault("bytes_damaged", "bytes between station and controller are damaged", _bytes_damaged, 2, _has_controller),
    Fault("controller_drifts", "the controller's clock changes its rate", _controller_drifts, 2, _has_controller),
    Fault("ejector_jammed", "the ejector is switched and moves nothing", _jammed, 1, _sees_rejects),
    Fault("wall_clock_stepped", "somebody sets the wall clock", _wall_clock_stepped, 2),
    Fault("belt_slow", "the belt runs slower for a while", _belt_slow, needs=_has_encoder),
    Fault("belt_stopped", "the belt stops and starts again", _belt_stopped, 2, needs=_has_encoder),
    Fault("encoder_silent", "the encoder's samples stay away", _encoder_silent, 2, _reads_encoder),
    Fault("operator_stop", "the operator stops the line and starts it again", _operator_stop, 1, needs=_can_stop),
)

FAULTS: Mapping[str, Fault] = MappingProxyType({row.name: row for row in _ROWS})
"""The faults by name."""


class Mischief:
    """Causes faults, by chance, as parts come by."""

    def __init__(self, line: VirtualLine) -> None:
        plan = line.plan
        self._line = line
        self._random = line.random["faults"]
        self._rate = plan.fault_rate
        kinds = [FAULTS[name] for name in plan.faults if FAULTS[name].needs(plan)]
        self._kinds = [kind for kind in kinds for _ in range(kind.weight)]
        if self._kinds:
            line.on_piece = self._come_by

    def _come_by(self) -> None:
        if self._random.random() < self._rate:
            kind = self._random.choice(self._kinds)
            self._line.ledger.account.faults[kind.name] += 1
            self._line.note(f"fault: {kind.summary}")
            kind.cause(self._line, self._random)


def simulated(plan: Plan, line: type[VirtualLine] = VirtualLine) -> VirtualLine:
    """Return a line with its faults, ready to run."""
    made = line(plan)
    Mischief(made)
    return made

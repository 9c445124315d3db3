"""Parts without end through the controller's firmware in virtual time: none wrong, none missed."""

from __future__ import annotations

import random
import time

import pytest
from controller_world import needs_compiler

from inspection.ejector.controller.core import EJECT, ControllerCore
from inspection.ejector.controller.frame import Frame, FrameReader, encode
from inspection.ejector.controller.wire import (
    Config,
    Outcome,
    Result,
    ResultFlag,
    TriggerReport,
    Type,
    arm,
    hello,
    read,
    verdict,
)

pytestmark = needs_compiler
BOOT = 0x1234_5678
CONFIG = Config(0, 300_000, 10_000, 15_000, 3_000, 4_000, heartbeat_timeout_ms=1000)
LOST, BAD = 0.001, 0.1


def run_parts(parts: int, seed: int) -> dict[str, int]:
    """Send parts with jitter in spacing and in the verdict's delay, some of it too late or lost; judge every pulse."""
    chance = random.Random(seed)
    core = ControllerCore(BOOT, knows_wiring=True)
    reader, now_us, beat_us = FrameReader(), 0, 0
    for message in (hello(), (int(Type.CONFIG), CONFIG.payload()), arm(BOOT)):
        core.receive(0, encode(Frame(message[0], 0, message[1])))
    waiting: list[tuple[int, bytes]] = []  # verdicts on their way, by arrival
    due_us: dict[int, int] = {}
    wanted: dict[int, bool] = {}
    expected: list[int] = []
    pulses: list[int] = []
    counts = {"parts": 0, "results": 0, "wrong": 0, "missed": 0, "late": 0, "rejected": 0}
    next_us, sent = 500_000, 0

    def listen() -> None:
        for frame in reader.feed(core.transmit()):
            told = read(frame)
            if isinstance(told, TriggerReport):
                counts["parts"] += 1
                due_us[told.tag] = told.at_device_us + CONFIG.delay - CONFIG.lead_us
                bad, delay_us = chance.random() < BAD, round(chance.lognormvariate(11, 0.4))
                arrives_us = told.at_device_us + delay_us
                in_time = arrives_us < due_us[told.tag] - CONFIG.deadline
                lost = chance.random() < LOST
                wanted[told.tag] = not bad and in_time and not lost
                if not lost:
                    data = encode(Frame(*_framed(verdict(told.tag, told.epoch, not bad))))
                    waiting.append((arrives_us, data))
            elif isinstance(told, Result):
                counts["results"] += 1
                passed = wanted.pop(told.tag)
                due = due_us.pop(told.tag)
                counts["wrong"] += (told.outcome == Outcome.RELEASED) != passed
                counts["late"] += bool(told.flags & ResultFlag.LATE)
                if not passed:
                    counts["rejected"] += 1
                    expected.append(due)
        pulses.extend(edge.us for edge in core.switchings() if edge.output == EJECT and edge.active)

    while counts["results"] < parts:
        waiting.sort()
        verdict_us = waiting[0][0] if waiting else 2**62
        trigger_us = next_us if sent < parts else 2**62
        now_us = min(verdict_us, trigger_us, beat_us + 300_000)
        if now_us == verdict_us:
            core.receive(now_us, waiting.pop(0)[1])
        elif now_us == trigger_us:
            core.trigger(now_us)
            sent += 1
            next_us += chance.randint(25_000, 45_000)
        else:
            beat_us = now_us
            core.receive(now_us, encode(Frame(Type.HEARTBEAT, 0, b"")))
        listen()
    core.advance(now_us + 1_000_000)
    listen()
    counts["missed"] = len(set(expected) - set(pulses))
    counts["wrong"] += len(set(pulses) - set(expected) - {0})  # at 0: the hold after the start
    return counts


def _framed(message: tuple[int, bytes]) -> tuple[int, int, bytes]:
    return message[0], 0, message[1]


def hold(parts: int) -> None:
    began_s = time.process_time()
    counts = run_parts(parts, seed=20_261_121)
    took_s = time.process_time() - began_s
    print(f"{counts}: {parts / took_s:,.0f} parts/s, {took_s / parts * 1e6:.1f} µs a part")
    assert (counts["parts"], counts["results"]) == (parts, parts)
    assert (counts["wrong"], counts["missed"], counts["late"]) == (0, 0, 0)
    assert counts["rejected"] > parts * BAD / 2


def test_twenty_thousand_parts() -> None:
    """No pulse on a wrong part, no reject without its pulse, each at its very moment."""
    hold(20_000)


@pytest.mark.soak
def test_a_million_parts() -> None:
    """The same for a million parts."""
    hold(1_000_000)

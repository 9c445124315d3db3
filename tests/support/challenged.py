"""What the challenge tests stand on: clocks, records as the store publishes them, and a station on a rendered belt."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from station_runs import GOES_ON

from camera.frame import Pixels
from inspection.challenge import EXTRA_KEY
from inspection.challenge.book import ChallengeBook
from inspection.challenge.due import Production
from inspection.challenge.options import ChallengeOptions
from inspection.config import StationConfig
from inspection.part import Actuation, Decision, EjectorAction, Evaluation, PartResult, Reason, Stages, Verdict
from inspection.records.challenges import ChallengeEntry
from inspection.records.record import ImageState, KeptImage, Run, StoredRecord, result_values, stored_record
from inspection.service import Service

RUN = "20260101T000000.000000Z"
HERE = Production(RUN, "b" * 64, "c" * 64)
HOUR_NS = 3600 * 10**9
START_WALL_NS = 1_767_600_000 * 10**9

DECISIONS = {
    "found": Decision(Evaluation.NOT_OK, Verdict.REJECT, Reason.MODEL, 0.97, 0.5, "chip"),
    "missed": Decision(Evaluation.OK, Verdict.REJECT, Reason.SYSTEM, 0.03, 0.5, "chip"),
    "late": Decision(Evaluation.NOT_OK, Verdict.REJECT, Reason.LATE, 0.97, 0.5, "chip"),
    "blind": Decision(Evaluation.NOT_DECIDABLE, Verdict.REJECT, Reason.NO_IMAGE),
}


class Clocks:
    """Both clocks of a book, moved by the test."""

    def __init__(self) -> None:
        self.wall_ns = START_WALL_NS
        self.host_ns = 5_000_000_000

    def go(self, hours: float) -> None:
        """Let time pass on both."""
        self.wall_ns += round(hours * HOUR_NS)
        self.host_ns += round(hours * HOUR_NS)


def a_result(
    part: int,
    challenge: str = "",
    kind: str = "found",
    action: EjectorAction = EjectorAction.FIRED,
    *,
    run: str = RUN,
    by_default: bool = False,
) -> PartResult:
    """One rejected part as the line hands it over."""
    return PartResult(
        run=run,
        part=part,
        decision=DECISIONS[kind],
        actuation=Actuation(part, action, by_default, part * 10_000_000, 100),
        stages=Stages(trigger_host_ns=part * 10_000_000, decided_host_ns=part * 10_000_000 + 1),
        due_host_ns=part * 10_000_000,
        deadline_host_ns=part * 10_000_000,
        extra={EXTRA_KEY: challenge} if challenge else {},
    )


def a_record(part: int, challenge: str = "", kind: str = "found", **changes: Any) -> StoredRecord:
    """The same part as the store publishes it."""
    result = a_result(part, challenge, kind, **changes)
    run = Run(result.run, "station", "parts", HERE.bundle_digest, HERE.config_hash, 0, 0)
    content = result_values(result, run) + KeptImage(ImageState.NO_IMAGE).values()
    return stored_record(part, run, content, part.to_bytes(32, "big"))


def a_book(
    clocks: Clocks, history: list[ChallengeEntry] | None = None, production: Production = HERE, **options: Any
) -> ChallengeBook:
    """A book of a station that demands a challenge."""
    return ChallengeBook(
        ChallengeOptions.model_validate({"required": True, "parts": 3, **options}),
        production,
        history or [],
        wall_ns=lambda: clocks.wall_ns,
        host_ns=lambda: clocks.host_ns,
        drain_s=10.0,
    )


def settle(book: ChallengeBook) -> ChallengeEntry | None:
    """Make what is pending durable, as the interlock does; return it."""
    entry = book.pending
    if entry is not None:
        book.settled(entry)
    return entry


def pass_challenge(book: ChallengeBook, first_part: int = 1) -> ChallengeEntry:
    """Run one challenge that is passed; return its durable end."""
    name = book.begin(0, "kim").name
    settle(book)
    for part in range(first_part, first_part + book.options.parts):
        assert book.mark(part) == name
        book.on_durable([a_record(part, name)])
    entry = settle(book)
    assert entry is not None
    return entry


class Belt:
    """What lies on the simulated belt: from now on bright parts, which are bad, or dark ones, which are good."""

    def __init__(self, bad: bool) -> None:
        self.bad = bad
        self._kinds: dict[int, str] = {}

    def truth(self, part: int) -> str:
        return self._kinds.setdefault(part, "bad" if self.bad else "good")

    def render(self, part: int) -> Pixels:
        return np.full((48, 64, 3), 230 if self.truth(part) == "bad" else 20, np.uint8)


def belt_config(folder: Path, bundle: str, **changes: Any) -> StationConfig:
    """A station on the simulated belt that demands a challenge of three parts."""
    values: dict[str, Any] = {
        "camera": {"backend": "simulated", "speed_mm_s": 600.0, "pitch_mm": 60.0, "jitter_mm": 0.0},
        "model": {"bundle": bundle},
        "geometry": {"travel_time_s": 0.6, "separation_ms": 25},
        "ejector": {"driver": "simulated", "channel": 1, "heartbeat_channel": 2, "pulse_ms": 20, "window_ms": 90},
        "simulation": {},
        "records": {"dir": str(folder), "min_free_mb": 0},
        "reactions": GOES_ON,
        "api": {"address": "127.0.0.1:0"},
        "page": {"enabled": False},
        "challenge": {"required": True, "parts": 3, "marks": ["C1", "C2", "C3"]},
    }
    for name, section in changes.items():
        values[name] = {**values.get(name, {}), **section}
    return StationConfig.model_validate(values)


@contextlib.contextmanager
def challenged_station(config: StationConfig, belt: Belt | None = None) -> Iterator[Service]:
    """Run a whole station with its API for as long as the block lasts, its line started."""
    service = Service(config)
    if belt is not None:
        service.station.scene = belt
    with service:
        service.station.start_line()
        yield service

"""Times several forms of a model on every engine in turn, so that a busy minute slows all of them alike."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from models.engines import Engine, installed, open_engine
from models.errors import ModelError
from models.optimise import Measured, call_ms, throughput
from training.candidate import Candidate

_MAX_BATCH = 4


@dataclass(frozen=True, slots=True)
class Raced:
    """A form on an engine: a plain value. ratio: of its rate to that of the first form on the first engine."""

    candidate: Candidate
    measured: Measured
    ratio: float


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A form that an engine does not run: a plain value."""

    candidate: Candidate
    engine: str
    why: str


def race(
    candidates: Sequence[Candidate], *, callers: int, rounds: int, seconds: float
) -> tuple[list[Raced], list[LeftOut]]:
    """Time every form on every installed engine, each for so many seconds in so many rounds."""
    engines: list[tuple[Candidate, str, Engine]] = []
    left_out = []
    for candidate in candidates:
        for name in installed():
            try:
                sizes = range(1, _MAX_BATCH + 1)
                engines.append(
                    (candidate, name, open_engine(candidate.bundle, name, callers=callers, warm_sizes=sizes))
                )
            except ModelError as error:
                left_out.append(LeftOut(candidate, name, str(error)))
    rates = [[throughput(engine, callers, _MAX_BATCH, seconds) for _, _, engine in engines] for _ in range(rounds)]
    found = []
    for place, (candidate, name, engine) in enumerate(engines):
        ratio = statistics.median(row[place] / row[0] for row in rates)
        rate = statistics.median(row[place] for row in rates)
        measured = Measured(name, engine.provider, round(rate, 1), round(call_ms(engine), 3))
        found.append(Raced(candidate, measured, ratio))
    return found, left_out

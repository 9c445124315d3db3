"""When a challenge is due: a pure function of what is durable, of what runs now, and of the clock."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from inspection.challenge.options import ChallengeOptions
from inspection.records.challenges import ChallengeEntry, Outcome

_NS_PER_H = 3600e9
_CLOCK_SLACK_NS = 60_000_000_000
"""How far in the future a passed challenge may seem to lie (a clock that is kept in step is set back by less)."""
_NEVER_WALL_NS = 2**63 - 1


class Due(StrEnum):
    """Why a challenge is due; NOT_YET while a passed one holds."""

    NOT_YET = "NOT_YET"
    NEVER = "NEVER"  # none was passed
    CHANGED = "CHANGED"  # none was passed with this model bundle and this configuration
    START = "START"  # none was passed since the station was started
    FAILED = "FAILED"  # the last one failed
    AGE = "AGE"  # the last one is too old
    SHIFT = "SHIFT"  # a new shift has begun since the last one
    CLOCK = "CLOCK"  # the clock stands before the last one: its age cannot be told


@dataclass(frozen=True, slots=True)
class Production:
    """What runs now: a passed challenge holds for this run, model bundle and configuration."""

    run: str
    bundle_digest: str
    config_hash: str


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the station stands: why a challenge is due, whether one will be soon, and the passed one that counts."""

    due: Due
    soon: bool = False
    passed: ChallengeEntry | None = None


def standing(
    options: ChallengeOptions, production: Production, ended: Sequence[ChallengeEntry], now_wall_ns: int
) -> Standing:
    """Return where the station stands. `ended`: the durable ends of challenges, newest first.

    A failed challenge takes the one before it back, whatever model it was made with: a belt on which a known-bad part
    was not ejected is not fit to run. An aborted one without a failed part says nothing and changes nothing.
    """
    misfit = Due.NEVER
    for entry in ended:
        if entry.outcome is Outcome.FAILED:
            return Standing(Due.FAILED)
        if entry.outcome is not Outcome.PASSED or entry.parts < options.parts:
            continue
        if not _fits(options, production, entry):
            misfit = Due.CHANGED
            continue
        if options.on_start and entry.run != production.run:
            return Standing(Due.START)
        return _by_time(options, entry, now_wall_ns)
    return Standing(misfit)


def _fits(options: ChallengeOptions, production: Production, entry: ChallengeEntry) -> bool:
    same = (entry.bundle_digest, entry.config_hash) == (production.bundle_digest, production.config_hash)
    return same or not options.on_model_change


def _by_time(options: ChallengeOptions, entry: ChallengeEntry, now_wall_ns: int) -> Standing:
    age_ns = now_wall_ns - entry.wall_ns
    if age_ns < -_CLOCK_SLACK_NS:
        return Standing(Due.CLOCK)
    if age_ns >= options.block_hours * _NS_PER_H:
        return Standing(Due.AGE)
    if entry.wall_ns < shift_start_wall_ns(options.shift_starts, now_wall_ns):
        return Standing(Due.SHIFT)
    return Standing(Due.NOT_YET, age_ns >= options.every_hours * _NS_PER_H, entry)


def next_wall_ns(options: ChallengeOptions, passed: ChallengeEntry, now_wall_ns: int) -> tuple[int, int]:
    """Return when the next challenge should be made, and from when on nothing passes without it; by what is passed."""
    shift_wall_ns = next_shift_wall_ns(options.shift_starts, now_wall_ns) or _NEVER_WALL_NS
    reminded, blocked = (passed.wall_ns + round(h * _NS_PER_H) for h in (options.every_hours, options.block_hours))
    return min(reminded, shift_wall_ns), min(blocked, shift_wall_ns)


def next_shift_wall_ns(times: Iterable[str], now_wall_ns: int) -> int:
    """Return the wall time at which the next shift begins, by this PC's time zone; 0 where there are no shifts."""
    now = datetime.fromtimestamp(now_wall_ns / 1e9).astimezone()
    starts = [start for time in times for day in (0, 1, 2) if (start := _at(time, now, day)) > now]
    return round(min(starts).timestamp() * 1e9) if starts else 0


def _at(time: str, now: datetime, days_on: int) -> datetime:
    hour, minute = (int(digits) for digits in time.split(":"))
    day = now.replace(tzinfo=None) + timedelta(days=days_on)
    return day.replace(hour=hour, minute=minute, second=0, microsecond=0).astimezone()


def shift_start_wall_ns(times: Iterable[str], now_wall_ns: int) -> int:
    """Return the wall time at which the present shift began, by this PC's time zone; 0 where there are no shifts."""
    now = datetime.fromtimestamp(now_wall_ns / 1e9).astimezone()
    starts = []
    for time in times:
        for days_ago in (0, 1, 2):  # two: the night in which the clocks change may skip a start
            start = _at(time, now, -days_ago)
            if start <= now:
                starts.append(round(start.timestamp() * 1e9))
                break
    return max(starts, default=0)

"""A line in virtual time: a belt, a station that talks, and a board that notes its channel, around the real core."""

from __future__ import annotations

from dataclasses import dataclass, field

from inspection.ejector.commands import Switch
from inspection.ejector.core import SchedulerCore
from inspection.ejector.messages import Decide, Expect, Moved
from inspection.ejector.rules import Rules
from inspection.part import Actuation, Verdict

MS = 1_000_000


@dataclass
class EjectorLine:
    """One core and the world around it. `speed`: counts per ms, where an encoder follows the belt.

    jitter_ns: how late the process is at each moment. sample_ns: between two looks at the encoder. Edges: (moment,
    level) of the ejector's channel.
    """

    rules: Rules
    now_ns: int = 1000 * MS
    position: float = 0.0
    speed: float = 1.0
    jitter_ns: int = 0
    sample_ns: int = 5 * MS
    is_up: bool = True
    is_heard: bool = True
    reports: list[Actuation] = field(default_factory=list)
    edges: list[tuple[int, bool]] = field(default_factory=list)
    resets: set[int] = field(default_factory=set)  # which of the edges come from opening the port
    told: dict[int, tuple[Verdict, int]] = field(default_factory=dict)
    due: dict[int, int] = field(default_factory=dict)
    stood_since_ns: int | None = None
    ons_while_standing: int = 0

    def __post_init__(self) -> None:
        self.core = SchedulerCore(self.rules, self.reports.append)
        self.core.restored(self.now_ns)
        self._sample_ns = self._heard_ns = self.now_ns

    @property
    def has_encoder(self) -> bool:
        return self.rules.encoder_timeout_ns is not None

    @property
    def _next_sample_ns(self) -> int:
        return self._sample_ns + self.sample_ns

    def place(self) -> int:
        """Return where the belt is."""
        return round(self.position) if self.has_encoder else self.now_ns

    def expect(self, part: int, due: int) -> None:
        self.due.setdefault(part, due)
        self.core.take(Expect(part, due), self.now_ns)

    def decide(self, part: int, verdict: Verdict) -> None:
        if part in self.due:
            self.told.setdefault(part, (verdict, self.now_ns))
        self.core.take(Decide(part, verdict), self.now_ns)

    def run_belt(self, speed: float) -> None:
        self.speed = speed
        self.stood_since_ns = None if speed else self.stood_since_ns or self.now_ns

    def stall(self, for_ns: int) -> None:
        """Let the process sleep: it does what was due meanwhile before it hears of anything."""
        self.position += self.speed * for_ns / MS
        self.now_ns += for_ns
        self._sample_ns = max(self._sample_ns, self.now_ns - self.sample_ns)
        self._write()

    def lose(self) -> None:
        self.is_up = False
        self.core.lost(self.now_ns)

    def restore(self) -> None:
        if not self.is_up:
            self.is_up = True
            self.resets.add(len(self.edges))
            self.edges.append((self.now_ns, False))  # opening switches every channel off
            self.core.restored(self.now_ns)

    def advance(self, for_ns: int) -> None:
        """Let time pass, and the core do at each moment what it asked to be called for."""
        end_ns = self.now_ns + for_ns
        while self.now_ns < end_ns:
            self._write()
            wake_ns = self.core.wake_ns(self.now_ns)
            next_ns = end_ns if wake_ns is None else min(end_ns, max(wake_ns, self.now_ns + 1) + self.jitter_ns)
            if self.has_encoder and self._next_sample_ns <= next_ns:
                next_ns = self._sample_ns = self._next_sample_ns
            next_ns = max(next_ns, self.now_ns)
            self.position += self.speed * (next_ns - self.now_ns) / MS
            self.now_ns = next_ns
            if self.has_encoder and self._sample_ns == self.now_ns and self.is_heard:
                self._heard_ns = self.now_ns
                self.core.take(Moved(self.now_ns, round(self.position)), self.now_ns)
        self._write()

    def _write(self) -> None:
        for _ in range(1000):
            command = self.core.next_command(self.now_ns)
            if command is None:
                return
            assert self.is_up, "a command for a port that has gone"
            self.core.written(command, self.now_ns)
            if isinstance(command, Switch) and command.channel == self.rules.channel:
                self.edges.append((self.now_ns, command.on))
                stood_ns = 0 if self.stood_since_ns is None else self.now_ns - self.stood_since_ns
                is_known = self.has_encoder and self._heard_ns > (self.stood_since_ns or 0) + 60 * MS
                self.ons_while_standing += int(command.on and is_known and stood_ns > 60 * MS)
        raise AssertionError("the core has no end of commands")

    def finish(self, settle_ns: int = 20_000 * MS) -> dict[int, Actuation]:
        """Run everything off the belt, and return the one report of each part."""
        self.restore()
        self.run_belt(self.speed or 1.0)
        self.advance(settle_ns)
        self.core.give_up()
        by_part = {actuation.part: actuation for actuation in self.reports}
        assert len(by_part) == len(self.reports), "a part was reported twice"
        assert by_part.keys() == self.due.keys()
        return by_part

    def open_in(self, start_ns: int, end_ns: int) -> bool:
        """Return whether the channel was on at any moment of a time (its very ends left out)."""
        return self._any(start_ns, end_ns, level=True)

    def shut_in(self, start_ns: int, end_ns: int) -> bool:
        """Return whether the channel was off at any moment of a time (its very ends left out)."""
        return self._any(start_ns, end_ns, level=False)

    def _any(self, start_ns: int, end_ns: int, *, level: bool) -> bool:
        was = False
        for at_ns, on in sorted(self.edges, key=lambda edge: edge[0]):
            if at_ns > start_ns and was == level:
                return True
            if at_ns >= end_ns:
                return False
            was = on
        return was == level

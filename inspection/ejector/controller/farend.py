"""The far end of a simulated line: a process with a pty in which the controller's firmware runs in real time."""

from __future__ import annotations

import heapq
import json
import os
import select
import sys
import time
from collections import deque
from itertools import islice
from typing import Any

from inspection.ejector.controller.core import EJECT, RUN, ControllerCore
from inspection.ejector.pty_line import PtyLine
from inspection.ejector.realtime import become_punctual

HISTORY = 200_000
_LOOP_US = 1000
_OUT_BYTES = 1 << 16


class FarEnd:
    """A controller with its inputs and outputs, on a line of its own.

    Owned by its process's one thread. Like a real one it remembers its wiring over a reset, and nothing else.
    """

    def __init__(self) -> None:
        self.line = PtyLine("controller")
        self._flags: int | None = None  # what a real one keeps of its wiring
        self._count = 0.0
        self._speed = 0.0
        self._unsent = b""
        self.history: deque[tuple[int, bool, int]] = deque(maxlen=HISTORY)
        self.seen = {EJECT: 0, RUN: 0}
        self.triggers = 0
        self._planned: list[tuple[int, int, str]] = []
        self._plans = 0
        self.start()

    def start(self) -> None:
        """Switch the controller on: everything but its wiring is forgotten."""
        self._start_ns = self._moved_ns = time.monotonic_ns()
        self._count = 0.0
        self._advanced_us = 0  # its time never goes back: an edge that we hear of later happens then
        self.boot_id = int.from_bytes(os.urandom(4), "little")
        self._core = ControllerCore(self.boot_id, flags=self._flags or 0, knows_wiring=self._flags is not None)
        self._note_switchings()

    def reset(self) -> None:
        """Reset the controller while the line stays up."""
        self._flags = self._core.flags
        self.start()

    def now_us(self) -> int:
        """The controller's clock."""
        return (time.monotonic_ns() - self._start_ns) // 1000

    def turn(self) -> None:
        """Do what is due: the belt, the planned inputs, the bytes that came, the switchings, the bytes to send."""
        now_us = self._move_belt()
        while self._planned and self._planned[0][0] <= time.monotonic_ns():
            at_ns, _, kind = heapq.heappop(self._planned)
            self._apply(kind, min(now_us, max(self._advanced_us, (at_ns - self._start_ns) // 1000)))
        self._core.advance(now_us)
        self._advanced_us = now_us
        self._receive()
        self._note_switchings()
        self._send()

    def wait_s(self) -> float | None:
        """How long nothing is due; None for ever."""
        if self._speed:
            return _LOOP_US / 1e6
        wakes = [at_ns for at_ns, _, _ in self._planned[:1]]
        wake_us = self._core.next_wake_us()
        if wake_us is not None:
            wakes.append(self._start_ns + wake_us * 1000)
        if not wakes:
            return None
        return max(0.0, (min(wakes) - time.monotonic_ns()) / 1e9)

    def plan(self, events: list[tuple[int, str]], from_host_ns: int | None) -> None:
        """Let inputs happen: (µs from then, or from now, kind)."""
        start_ns = time.monotonic_ns() if from_host_ns is None else from_host_ns
        for after_us, kind in events:
            self._plans += 1
            heapq.heappush(self._planned, (start_ns + after_us * 1000, self._plans, kind))

    def set_speed(self, counts_per_s: float) -> None:
        """Let the belt run at a speed from now on."""
        self._move_belt()
        self._speed = counts_per_s

    def state(self) -> dict[str, Any]:
        """What a test may want to know of it."""
        return {
            "state": int(self._core.state),
            "in_flight": self._core.in_flight,
            "boot_id": self.boot_id,
            "triggers": self.triggers,
            "count": int(self._count),
            "switchings": sum(self.seen.values()),
        }

    def _move_belt(self) -> int:
        now_ns = time.monotonic_ns()
        now_us = (now_ns - self._start_ns) // 1000
        if self._speed:
            self._count += self._speed * (now_ns - self._moved_ns) / 1e9
            self._core.move(now_us, int(self._count))
        self._moved_ns = now_ns
        return now_us

    def _apply(self, kind: str, at_us: int) -> None:
        match kind:
            case "trigger":
                self.triggers += 1
                self._core.trigger(at_us)
            case "presence":
                self._core.presence(at_us)
            case "ejected":
                self._core.ejected(at_us)
            case "bin_full" | "bin_empty":
                self._core.bin(at_us, kind == "bin_full")

    def _receive(self) -> None:
        while data := self.line.read():
            self._core.receive(self.now_us(), data)

    def _send(self) -> None:
        """Hand the bytes to the line as far as it takes them; what a host leaves unread for too long is lost."""
        self._unsent = (self._unsent + self._core.transmit())[-_OUT_BYTES:]
        if not self.line.is_plugged_in:
            self._unsent = b""
        elif self._unsent:
            self._unsent = self._unsent[self.line.write(self._unsent) :]

    def _note_switchings(self) -> None:
        for switching in self._core.switchings():
            at_host_ns = self._start_ns + switching.us * 1000
            self.history.append((switching.output, switching.active, at_host_ns))
            self.seen[switching.output] += 1


def serve(far_end: FarEnd) -> None:
    """Answer one JSON request a line on standard input, until it ends; run the controller in between."""
    awaited: tuple[dict[str, Any], float] | None = None
    while True:
        waits = [wait_s for wait_s in (far_end.wait_s(),) if wait_s is not None]
        if awaited is not None:
            waits.append(max(0.0, awaited[1] - time.monotonic()))
        select.select([sys.stdin.buffer, *far_end.line.descriptors], [], [], min(waits, default=None))
        request = _request()
        if request is not None and request["do"] == "plan":
            far_end.plan(request["events"], request["from_host_ns"])  # before time goes on: it may be of a moment ago
        far_end.turn()
        if awaited is not None:
            reached = all(far_end.state()[name] >= least for name, least in awaited[0].items())
            if reached or time.monotonic() >= awaited[1]:
                _say(reached=reached, **far_end.state())
                awaited = None
        if request is None:
            continue
        if request["do"] == "end":
            return
        if request["do"] == "wait":
            awaited = (request["least"], time.monotonic() + request["timeout_s"])
        else:
            _carry_out(far_end, request)


def _request() -> dict[str, Any] | None:
    """Return the request that has come, if one has; the end of standard input is the request to end."""
    if not select.select([sys.stdin.buffer], [], [], 0)[0]:
        return None
    line = sys.stdin.buffer.readline()
    return dict(json.loads(line)) if line else {"do": "end"}


def _carry_out(far_end: FarEnd, request: dict[str, Any]) -> None:
    match request["do"]:
        case "edges":
            seen = sum(far_end.seen.values())
            forgotten = seen - len(far_end.history)
            edges = list(islice(far_end.history, max(0, request["after"] - forgotten), None))
            return _say(edges=edges, switchings=seen)
        case "speed":
            far_end.set_speed(request["counts_per_s"])
        case "unplug":
            far_end.line.unplug()
        case "replug":
            far_end.line.plug_in()
        case "reset":
            far_end.reset()
    return _say(**far_end.state())


def _say(**answer: object) -> None:
    print(json.dumps(answer), flush=True)


def main() -> None:
    """Run a controller until standard input ends."""
    far_end = FarEnd()
    become_punctual()  # the times of the far end are no better than its own punctuality
    try:
        _say(port=str(far_end.line.path))
        serve(far_end)
    finally:
        far_end.line.close()


if __name__ == "__main__":
    main()

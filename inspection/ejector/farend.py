"""The far end of a simulated serial line: a relay board that decodes the real bytes and notes each command's time."""

from __future__ import annotations

import json
import select
import sys
import time
from collections import deque
from itertools import islice
from typing import Any

from inspection.ejector.decoders import DECODERS, Switching
from inspection.ejector.pty_line import PtyLine
from inspection.ejector.realtime import become_punctual

HISTORY = 200_000


class FarEnd:
    """A relay board on a line of its own.

    Owned by its process's one thread. The history of commands is bounded; the oldest are forgotten and counted.
    """

    def __init__(self, protocol: str, channels: int) -> None:
        self._protocol = protocol
        self._channels = channels
        self._ends: dict[int, int] = {}  # channels that the board itself switches off, and when
        self.line = PtyLine("relay")
        self.history: deque[tuple[int, bool, int]] = deque(maxlen=HISTORY)
        self.seen = 0
        self._garbage_before = 0
        self._decoder = DECODERS[protocol](channels)

    def plug_in(self) -> None:
        """Switch on a new board at the same path."""
        if self.line.is_plugged_in:
            return
        self._decoder = DECODERS[self._protocol](self._channels)
        self._ends.clear()
        self.line.plug_in()

    def unplug(self) -> None:
        """Take the board and its line away, as a pulled cable does."""
        if self.line.is_plugged_in:
            self.take_bytes()
            self.line.unplug()
            self._garbage_before += self._decoder.garbage_bytes

    @property
    def garbage_bytes(self) -> int:
        """How many bytes fitted no command."""
        return self._garbage_before + (self._decoder.garbage_bytes if self.line.is_plugged_in else 0)

    def take_bytes(self) -> None:
        """Decode everything that has arrived; each command gets the time right after its last byte was read."""
        while data := self.line.read():
            at_host_ns = time.monotonic_ns()
            switchings, answer = self._decoder.feed(data)
            if answer:
                self.line.write(answer)
            for switching in switchings:
                self._switch(switching, at_host_ns)

    def _switch(self, switching: Switching, at_host_ns: int) -> None:
        self._ends.pop(switching.channel, None)
        if switching.for_ms is not None:
            self._ends[switching.channel] = at_host_ns + switching.for_ms * 1_000_000
        self.history.append((switching.channel, switching.on, at_host_ns))
        self.seen += 1

    def next_end_ns(self) -> int | None:
        """Return when the board itself switches a channel off next."""
        return min(self._ends.values(), default=None)

    def end_pulses(self) -> None:
        """Switch off the channels whose time is over."""
        now_ns = time.monotonic_ns()
        for channel in [channel for channel, end_ns in self._ends.items() if end_ns <= now_ns]:
            self._switch(Switching(channel, False), now_ns)

    def set_input(self, number: int, on: bool) -> None:
        """Set the level of an input, counted from 1."""
        bit = 1 << (number - 1)
        self._decoder.inputs = self._decoder.inputs | bit if on else self._decoder.inputs & ~bit

    def close(self) -> None:
        """Unplug for good."""
        self.unplug()
        self.line.close()


def serve(far_end: FarEnd) -> None:
    """Answer one JSON request a line on standard input, until it ends; decode the line in between."""
    awaited: tuple[int, float] | None = None
    while True:
        ends_ns = [end_ns] if (end_ns := far_end.next_end_ns()) is not None else []
        moments_s = [end_ns / 1e9 for end_ns in ends_ns] + ([] if awaited is None else [awaited[1]])
        left_s = max(0.0, min(moments_s) - time.monotonic()) if moments_s else None
        ready, _, _ = select.select([sys.stdin.buffer, *far_end.line.descriptors], [], [], left_s)
        far_end.take_bytes()
        far_end.end_pulses()
        if awaited is not None and (far_end.seen >= awaited[0] or time.monotonic() >= awaited[1]):
            _say(reached=far_end.seen >= awaited[0])
            awaited = None
        if sys.stdin.buffer in ready:
            line = sys.stdin.buffer.readline()
            if not line:
                return
            request = json.loads(line)
            if request["do"] == "wait":
                awaited = (request["count"], time.monotonic() + request["timeout_s"])
            else:
                _carry_out(far_end, request)


def _carry_out(far_end: FarEnd, request: dict[str, Any]) -> None:
    match request["do"]:
        case "edges":
            forgotten = far_end.seen - len(far_end.history)
            edges = list(islice(far_end.history, max(0, request["after"] - forgotten), None))
            _say(edges=edges, commands=far_end.seen, garbage_bytes=far_end.garbage_bytes)
        case "input":
            far_end.set_input(request["number"], request["on"])
            _say()
        case "unplug":
            far_end.unplug()
            _say()
        case "replug":
            far_end.plug_in()
            _say()


def _say(**answer: object) -> None:
    print(json.dumps(answer), flush=True)


def main(arguments: list[str]) -> None:
    """Run a board. `arguments`: the protocol and the number of channels."""
    become_punctual()  # the times of the far end are no better than its own punctuality
    far_end = FarEnd(arguments[0], int(arguments[1]))
    try:
        _say(port=str(far_end.line.path))
        serve(far_end)
    finally:
        far_end.close()


if __name__ == "__main__":
    main(sys.argv[1:])

"""The life of one part, written down while it happens."""

from __future__ import annotations

from collections import deque

from inspection.simulation.virtual.agenda import Agenda


class Story:
    """What happened to one part, and to the line around it; the other parts leave nothing here."""

    _BEFORE = 8

    def __init__(self, agenda: Agenda, part: int) -> None:
        self._agenda = agenda
        self._part = part
        self._key: tuple[str, int] | None = None
        self._before: deque[str] = deque(maxlen=self._BEFORE)
        self._over = False
        self.lines: list[str] = []

    def part(self, part: int, text: str, *, ends: bool = False) -> None:
        """Write down what happens to a part of the line, by its place among all parts."""
        if part == self._part:
            self.lines += [*self._before, self._dated(f"part {part} {text}")]
            self._before.clear()
            self._over = ends

    def tagged(self, part: int, run: str, number: int) -> None:
        """Take note of the number by which the station knows the part."""
        if part == self._part:
            self._key = run, number
            self.part(part, f"has triggered: the station calls it {number} of {run}")

    def number(self, run: str, number: int, text: str) -> None:
        """Write down what the station or the ejector does about a number."""
        if self._key == (run, number):
            self.lines.append(self._dated(f"  {text}"))

    def line(self, text: str) -> None:
        """Write down what happens to the whole line, from shortly before the part is there until it has gone."""
        if self.lines and not self._over:
            self.lines.append(self._dated(text))
        elif not self.lines:
            self._before.append(self._dated(text))

    def _dated(self, text: str) -> str:
        return f"{self._agenda.now_ns * 1e-9:14.6f} s  {text}"

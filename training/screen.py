"""What a person sees while a model is trained: plain lines, and a bar with the time left on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table


class Screen:
    """Writes to stderr, so that stdout stays free for the result; owned by the command, used from its thread.

    A silent one shows nothing: that of a process that only computes.
    """

    def __init__(self, *, silent: bool = False, lines: bool = True) -> None:
        self._console = Console(stderr=True, highlight=False, soft_wrap=True, quiet=silent)
        self._lines = lines

    def say(self, text: str) -> None:
        """Write one line."""
        if self._lines:
            self._console.print(text, markup=False)

    def show(self, table: Table) -> None:
        """Write a table."""
        self._console.print(table)

    def without_lines(self) -> Screen:
        """Give a screen that shows bars alone: that of a run which is one of many."""
        return Screen(silent=self._console.quiet, lines=False)

    @contextmanager
    def bar(self, label: str, total: int) -> Iterator[Callable[[], None]]:
        """Show a bar while the block runs; the block calls what it gets once for each of `total` steps."""
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        hidden = not self._console.is_terminal
        with Progress(*columns, console=self._console, transient=True, disable=hidden) as progress:
            task = progress.add_task(label, total=total)
            yield lambda: progress.advance(task)


def duration(seconds: float) -> str:
    """Tell a time in the unit that people would use: '40 s', '7.5 min', '2.1 h'."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"

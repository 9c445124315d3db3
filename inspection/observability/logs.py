"""The log of `lineward run`: lines are handed over in microseconds, and written by a thread of their own."""

from __future__ import annotations

import io
import logging
import sys
import threading
from logging.handlers import RotatingFileHandler
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Self

from inspection.background import give_way
from inspection.errors import StationStartError
from inspection.observability.log_lines import JsonLines, Naming, TextLines
from inspection.observability.options import LogOptions

_OURS = ("inspection", "camera", "models")
_CAPACITY = 10_000


class StationLog(logging.Handler):
    """Takes the lines of the whole process while the block lasts. Owned by the command that runs the station.

    Neither a full disk nor a terminal that nobody reads can hold up who speaks: at most 10,000 lines wait, one more is
    lost and counted. When lines can be written again, one says how many are missing.
    """

    _CLOSE_S = 2.0

    def __init__(self, options: LogOptions, naming: Naming) -> None:
        """Open the file. Raises StationStartError where it cannot be written."""
        super().__init__()
        self._options = options
        self.naming = naming
        self._lines: SimpleQueue[logging.LogRecord | None] = SimpleQueue()
        self._output = _output(options)
        self._output.setFormatter(JsonLines(naming) if options.format == "json" else TextLines())
        self.written = 0
        self.lost = 0
        self._told = 0
        self._levels: dict[str, int] = {}
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)

    def __enter__(self) -> Self:
        level = getattr(logging, self._options.level.upper())
        for name in _OURS:
            self._levels[name] = logging.getLogger(name).level
            logging.getLogger(name).setLevel(level)
        logging.getLogger().addHandler(self)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        logging.getLogger().removeHandler(self)
        for name, level in self._levels.items():
            logging.getLogger(name).setLevel(level)
        self._lines.put(None)
        self._thread.join(self._CLOSE_S)

    def emit(self, record: logging.LogRecord) -> None:
        """Hand a line over, its values already filled in: they may change."""
        if self._lines.qsize() >= _CAPACITY:
            self.lost += 1
            return
        record.msg, record.args = record.getMessage(), None
        self._lines.put(record)

    def counters(self) -> dict[str, int]:
        """Return what was written and lost."""
        return {"lineward_log_lines": self.written, "lineward_log_lines_lost": self.lost}

    def _run(self) -> None:
        give_way()
        while (record := self._lines.get()) is not None:
            self._write(record)
        self._output.close()

    def _write(self, record: logging.LogRecord) -> None:
        """Write one line; what the disk or the terminal refuses is counted, and told once it takes lines again."""
        try:
            if self.lost > self._told:
                missing = self.lost - self._told
                self._output.emit(_remark(f"{missing} lines are missing here: they could not be written"))
                self._told += missing
            self._output.emit(record)
            self.written += 1
        except (OSError, ValueError):
            self.lost += 1


class _RaisingFile(RotatingFileHandler):
    """A file with a bounded number of predecessors; what it cannot write it raises, instead of telling stderr.

    Nothing is kept back in a buffer: what could not be written is known at once, and does not turn up later.
    """

    def _open(self) -> io.TextIOWrapper:
        raw = Path(self.baseFilename).open("ab", buffering=0)  # noqa: SIM115 - the handler closes it
        return io.TextIOWrapper(raw, encoding="utf-8", errors="backslashreplace", write_through=True)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name that the library calls
        """Pass the error on to whoever writes."""
        del record
        raise  # the error that the library has just caught


class _Terminal(logging.StreamHandler):  # type: ignore[type-arg]
    """Whatever stderr is at the moment: a terminal's table may stand in between."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line at once."""
        sys.stderr.write(self.format(record) + "\n")
        sys.stderr.flush()


def log_files(options: LogOptions) -> list[Path]:
    """Return the log's files that are there, the newest first."""
    if options.file is None:
        return []
    older = (options.file.with_name(f"{options.file.name}.{place}") for place in range(1, options.files))
    return [file for file in (options.file, *older) if file.is_file()]


def _output(options: LogOptions) -> logging.Handler:
    if options.file is None:
        return _Terminal()
    try:
        options.file.parent.mkdir(parents=True, exist_ok=True)
        return _RaisingFile(options.file, maxBytes=options.file_bytes, backupCount=options.files - 1)
    except OSError as error:
        raise StationStartError(
            f"log.file {options.file}: cannot be written: {error.strerror} — a file that this user may write is needed "
            "— mend its rights, or name another one"
        ) from error


def _remark(text: str) -> logging.LogRecord:
    return logging.LogRecord(__name__, logging.WARNING, __file__, 0, text, None, None)

"""How a log line looks: plain text, or one JSON object with the names of station, run, part, lot and serial."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

FIELDS = ("part", "lot", "serial", "alarm", "reaction", "state", "sequence", "verdict", "reason")
"""What a line may say beside its message, given as `extra`."""


class Naming:
    """The names of what speaks: they stand in every JSON line. Written when a station opens, read by any thread."""

    def __init__(self, station: str = "") -> None:
        self.station = station
        self.run = ""


class TextLines(logging.Formatter):
    """Lines for a person: UTC time, level, where from, message."""

    def __init__(self) -> None:
        super().__init__("%(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """Return one line; the lines of a traceback follow it."""
        return f"{_time(record)} {record.levelname:7} {record.name}: {super().format(record)}"


class JsonLines(logging.Formatter):
    """Lines for a program: one object each, a traceback inside it."""

    def __init__(self, naming: Naming) -> None:
        super().__init__()
        self._naming = naming

    def format(self, record: logging.LogRecord) -> str:
        """Return one line without a line break in it."""
        line: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "station": self._naming.station,
            "run": self._naming.run,
        }
        line |= {name: getattr(record, name) for name in FIELDS if getattr(record, name, "") not in ("", None)}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

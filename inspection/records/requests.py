"""How a command asks a running station to write something down: it alone writes its records, so a file beside asks."""

from __future__ import annotations

import json
import logging
import secrets
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from camera.whole_file import write_whole
from inspection.records.errors import RecordDiskError, RecordsError

_MOST_BYTES = 100_000
_log = logging.getLogger(__name__)


class Requests:
    """The station's end: takes each request of one folder once and removes it. Used on the upkeep's thread only.

    take: does what was asked for, durably; safe to repeat, since a station may be killed behind it.
    """

    def __init__(self, folder: Path, take: Callable[[Mapping[str, Any]], object]) -> None:
        self._folder, self._take = folder, take

    def answer(self) -> None:
        """Take what was asked for meanwhile; what cannot be read or done is told in the log and in an answer file."""
        if not self._folder.is_dir():
            return
        for path in sorted(self._folder.glob("*.json")):
            try:
                self._take(_read(path))
            except RecordDiskError:
                return  # it stays, and is tried again
            except (RecordsError, OSError, ValueError, TypeError, KeyError, AttributeError) as error:
                _log.warning("%s: what was asked for is refused: %s", path, error)
                _answer(path, str(error) or type(error).__name__)
            else:
                _answer(path, "")


def ask(
    folder: Path,
    asked: Mapping[str, Any],
    about: str,
    refused: Callable[[str], Exception],
    timeout_s: float,
    wait: Callable[[], object],
) -> None:
    """Ask the station that takes requests from this folder, and wait until what was asked for is durable.

    Raises what `refused` makes of a text when it is refused, or not answered within `timeout_s`. about: what it is
    about, in words. wait: called between two looks.
    """
    folder.mkdir(exist_ok=True)
    path = folder / f"{time.time_ns()}-{secrets.token_hex(4)}.json"
    write_whole(path, json.dumps(asked))
    answer = path.with_suffix(".answer")
    deadline_s = time.monotonic() + timeout_s
    try:
        while not answer.exists():
            if time.monotonic() > deadline_s:
                raise refused(
                    f"{about}: the station did not take it within {timeout_s:g} s — a station that runs and can "
                    "write is needed — look at its alarms and repeat the command"
                )
            wait()
        refusal = answer.read_text("utf-8")
    finally:
        path.unlink(missing_ok=True)
        answer.unlink(missing_ok=True)
    if refusal:
        raise refused(refusal)


def _read(path: Path) -> Mapping[str, Any]:
    if path.stat().st_size > _MOST_BYTES:
        raise ValueError(f"{path.name} is larger than {_MOST_BYTES} bytes")
    asked = json.loads(path.read_text("utf-8"))
    if not isinstance(asked, dict):
        raise TypeError(f"{path.name} holds no JSON object")
    return asked


def _answer(path: Path, text: str) -> None:
    try:
        write_whole(path.with_suffix(".answer"), text)
        path.unlink(missing_ok=True)
    except OSError as error:
        _log.warning("%s: cannot be answered: %s", path, error)

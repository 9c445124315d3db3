"""The log: lines of both forms, files with a bounded total, and what happens where nothing can be written."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import resource
import sys
import threading
from pathlib import Path

import pytest
from station_runs import wait_until

from inspection.alarm_board import AlarmBoard
from inspection.alarms import Reaction
from inspection.control import State
from inspection.errors import StationStartError
from inspection.observability.log_lines import Naming
from inspection.observability.logs import StationLog, log_files
from inspection.observability.options import LogOptions
from inspection.observability.speaker import StationSpeaker

_log = logging.getLogger("inspection.tests")


def to_file(folder: Path, **values: object) -> LogOptions:
    """Options of a JSON log in a folder."""
    return LogOptions.model_validate({"format": "json", "file": folder / "log" / "station.log", **values})


def read(options: LogOptions) -> list[dict[str, object]]:
    """Every line that is left, the oldest first."""
    files = reversed(log_files(options))
    return [json.loads(line) for file in files for line in file.read_text("utf-8").splitlines()]


def test_a_line_with_odd_text_is_still_one_object(tmp_path: Path) -> None:
    """Line breaks, quotes, half characters and a traceback stay inside their object; values are those of the moment."""
    options = to_file(tmp_path)
    changing = ["first"]
    with StationLog(options, Naming("one")) as log:
        log.naming.run = "r1"
        _log.info('a\nb "c" \udc80 %s', changing, extra={"part": 7, "serial": "A\n1", "lot": ""})
        changing[0] = "second"
        try:
            raise ValueError("inside")
        except ValueError:
            _log.exception("failed")
    first, second = read(options)
    assert first["message"].startswith('a\nb "c" ')  # type: ignore[attr-defined]
    assert first["message"].endswith("['first']")  # type: ignore[attr-defined]
    assert (first["part"], first["serial"], first["station"], first["run"]) == (7, "A\n1", "one", "r1")
    assert "lot" not in first
    assert str(first["time"]).endswith("Z")
    assert "ValueError: inside" in str(second["exception"])


def test_the_files_never_exceed_their_total(tmp_path: Path) -> None:
    """A hundred times what fits leaves the newest lines, in order, within the total."""
    options = to_file(tmp_path, total_mb=0.05, files=5)
    with StationLog(options, Naming()) as log:
        for number in range(8000):
            _log.info("line %d %s", number, "x" * 100)
            if number % 500 == 0:
                wait_until(lambda: log.written + log.lost > number - 500)  # noqa: B023 - waited for at once
    assert log.lost == 0
    kept = log_files(options)
    assert len(kept) == 5
    assert sum(file.stat().st_size for file in kept) <= 50_000
    numbers = [int(str(line["message"]).split()[1]) for line in read(options)]
    assert numbers == list(range(numbers[0], 8000))


def test_a_disk_that_refuses_costs_lines_and_no_time(tmp_path: Path) -> None:
    """While the kernel refuses writes nobody waits and nobody hears of it; then one line says how many are missing."""
    options = to_file(tmp_path, total_mb=10.0)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with StationLog(options, Naming()) as log:
        _log.info("before")
        wait_until(lambda: log.written == 1)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
        try:
            for number in range(5):
                _log.info("during %d", number)
            wait_until(lambda: log.lost == 5)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        _log.info("after")
        wait_until(lambda: log.written == 2)
        assert log.counters() == {"lineward_log_lines": 2, "lineward_log_lines_lost": 5}
    said = [line["message"] for line in read(options)]
    assert said == ["before", "5 lines are missing here: they could not be written", "after"]


def test_a_terminal_that_nobody_reads_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """With stderr a full pipe, speaking goes on, what does not fit is counted, and the end is bounded."""
    reading, writing = os.pipe()
    monkeypatch.setattr(sys, "stderr", os.fdopen(writing, "w"))
    with StationLog(LogOptions(), Naming()) as log:
        speaking = threading.Thread(target=lambda: [_log.warning("x" * 1000) for _ in range(20_000)])
        speaking.start()
        speaking.join(20.0)
        assert not speaking.is_alive()
        assert log.lost > 5000
        assert log.written < 200
    os.set_blocking(reading, False)
    read: list[bytes] = []

    def all_is_read() -> bool:
        has_ended = not any(thread.name == "log" for thread in threading.enumerate())
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(reading, 1 << 20):
                read.append(chunk)
        return has_ended

    wait_until(all_is_read, 60.0)
    lines = b"".join(read).count(b"\n")
    assert 9_000 < lines <= 20_000 - log.lost + 1
    os.close(reading)


def test_a_file_that_cannot_be_is_named(tmp_path: Path) -> None:
    """A log inside something that is no folder is refused at the start, with its name."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StationStartError, match=r"log\.file .*station\.log: cannot be written"):
        StationLog(LogOptions(file=tmp_path / "file" / "station.log"), Naming())


def test_levels_are_as_before_when_the_block_is_over() -> None:
    """What is configured for a station leaves no trace in the process."""
    before = logging.getLogger("inspection").level, list(logging.getLogger().handlers)
    with StationLog(LogOptions(level="debug"), Naming()):
        assert logging.getLogger("inspection.anything").isEnabledFor(logging.DEBUG)
        assert not logging.getLogger("asyncio").isEnabledFor(logging.DEBUG)
    assert before == (logging.getLogger("inspection").level, logging.getLogger().handlers)


def test_alarms_are_told_once_when_they_come_and_once_when_they_go(caplog: pytest.LogCaptureFixture) -> None:
    """A raised alarm says its text, remedy and reaction at its own level; raised again it says nothing."""
    board = AlarmBoard({"CAMERA_LOST": Reaction.HOLD})
    board.raise_alarm("NO_HEARTBEAT_WIRED")
    with caplog.at_level(logging.INFO, "inspection.observability"):
        speaker = StationSpeaker(board, lambda: State.READY)
        board.raise_alarm("CAMERA_LOST", detail="no cable", why="CAMERA_UNPLUGGED")
        board.raise_alarm("CAMERA_LOST", detail="still no cable", why="CAMERA_UNPLUGGED")
        board.raise_alarm("NO_IMAGE", for_s=0.0, part=12)
        board.expire()
        board.clear("CAMERA_LOST")
        board.confirm([], "Kim")
        speaker.close()
    told = [(one.levelname, one.alarm) for one in caplog.records if hasattr(one, "alarm")]
    assert told == [
        ("INFO", "NO_HEARTBEAT_WIRED"),
        ("ERROR", "CAMERA_LOST"),
        ("WARNING", "NO_IMAGE"),
        ("INFO", "NO_IMAGE"),
        ("INFO", "CAMERA_LOST"),
    ]
    first, image = (one for one in caplog.records if one.levelname in ("ERROR", "WARNING") and hasattr(one, "alarm"))
    assert "no cable" in first.getMessage()
    assert (first.reaction, image.part) == ("hold", "12")  # type: ignore[attr-defined]

"""A station has the priority that its configuration names: seen on the real processes, as the kernel has them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from statistics import median

import pytest
from real_run import RealRun, relay_board, station_values, toml
from tiny_bundle import write_tiny_bundle

from inspection.process_priority import refusal

LOW = 10


def _niceness(process: int) -> list[int]:
    """Return the niceness of every thread of a process."""
    threads = Path(f"/proc/{process}/task").iterdir()
    return [os.getpriority(os.PRIO_PROCESS, int(thread.name)) for thread in threads]


def _seen(tmp_path: Path, priority: str) -> tuple[list[int], list[int]]:
    """Run a station, and return the niceness of its threads and of the ejector's process."""
    bundle = write_tiny_bundle(tmp_path / "tiny")
    with relay_board() as board:
        belt = {"backend": "simulated", "speed_mm_s": 500.0, "pitch_mm": 100.0}
        values = station_values(tmp_path, bundle, board, camera=belt, inference={"priority": priority})
        with RealRun(tmp_path, values) as station:
            station.wait_more("records", 3)
            found = _niceness(station.process.pid), _niceness(station.scheduler().pid)
            assert station.end() == 0
    return found


def _ours() -> int:
    return os.getpriority(os.PRIO_PROCESS, 0)


def test_a_low_station_gives_way_with_all_its_threads_but_its_ejector_does_not(tmp_path: Path) -> None:
    """Ten steps down for camera, model and API alike: a thread that waits for another's lock waits for its niceness."""
    threads, ejector = _seen(tmp_path, "low")
    assert len(threads) > 5
    assert min(threads) == min(19, _ours() + LOW)
    assert set(ejector) == {_ours()}


def test_a_normal_station_keeps_what_it_was_started_with(tmp_path: Path) -> None:
    """Without a priority in the file nothing is touched."""
    threads, _ = _seen(tmp_path, "normal")
    assert median(threads) == _ours()


@pytest.mark.skipif(bool(refusal("high")), reason="this user may not raise a priority")
def test_a_high_station_goes_first(tmp_path: Path) -> None:
    """Ten steps up, where the user may."""
    threads, ejector = _seen(tmp_path, "high")
    assert median(threads) == _ours() - 10
    assert set(ejector) == {_ours()}


_WITHOUT_THE_RIGHT = """
import ctypes, os, resource, sys
ctypes.CDLL(None).prctl(24, 23, 0, 0, 0)  # CAP_SYS_NICE, for good (prctl(2))
resource.setrlimit(resource.RLIMIT_NICE, (0, 0))
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


def test_a_priority_that_this_user_may_not_have_is_refused(tmp_path: Path) -> None:
    """`config check` and `run` say so, with what would permit it: nobody believes that it goes first."""
    bundle = write_tiny_bundle(tmp_path / "tiny")
    with relay_board() as board:
        belt = {"backend": "simulated", "parts": 3}
        file = tmp_path / "station.toml"
        file.write_text(toml(station_values(tmp_path, bundle, board, camera=belt, inference={"priority": "high"})))
        for command in (["config", "check"], ["run"]):
            done = subprocess.run(
                [sys.executable, "-c", _WITHOUT_THE_RIGHT, "-m", "inspection.cli.main", *command, str(file)],
                capture_output=True, text=True, timeout=60, check=False,
            )  # fmt: skip
            assert done.returncode == 1, done.stderr
            said = " ".join((done.stdout + done.stderr).split())
            assert "inference.priority 'high': this user may not raise a priority" in said
            assert "limits.conf" in said


def test_a_service_takes_its_group_along() -> None:
    """The kernel shares processors among sessions first, so one that leads its session moves that, too."""
    group = Path("/proc/self/autogroup")
    if not group.exists():
        pytest.skip("this kernel has no groups")
    ours = group.read_text()  # empty where no session was opened since the machine started
    code = "import inspection.process_priority as p; p.take_priority('low'); print(open('/proc/self/autogroup').read())"
    done = subprocess.run(
        [sys.executable, "-c", code], start_new_session=True, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split()[-1] == "10"
    assert group.read_text() == ours

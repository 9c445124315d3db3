"""`lineward bench cameras` on real counterparts: what it counts is what came, and a long run holds nothing."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import numpy as np
import pytest
from gige import require_aravis
from typer.testing import CliRunner

from camera.copying import copied_bytes, put
from inspection.bench.cameras import conversion, reconnect, soak
from inspection.bench.cameras.counterparts import GIGE, PYLON, FakeGige
from inspection.bench.cameras.networks import own_network
from inspection.bench.cameras.tally import Tally
from inspection.bench.cameras.throughput import clock_offset_ns, measure
from inspection.cli.main import app

FEW = 8_000


def test_a_copy_counts_its_bytes() -> None:
    """What the one place copies arrives, and is counted by its bytes."""
    target, source = np.zeros((3, 5), np.uint8), np.arange(15, dtype=np.uint8).reshape(3, 5)
    before = copied_bytes()
    put(target, source)
    assert (target == source).all()
    assert copied_bytes() - before == 15


def test_the_warm_up_counts_nothing() -> None:
    """Frames, losses and broken ones before the end of the warm-up are not counted."""
    tally = Tally()
    tally.frame(None, 3)
    tally.broke(1)
    assert {name: tally.result()[name] for name in ("frames", "lost", "broken", "frames_per_s")} == {
        "frames": 0, "lost": 0, "broken": 0, "frames_per_s": 0.0,
    }  # fmt: skip


def test_rate_beside_the_bare_loop() -> None:
    """Both ways receive frames of pylon's emulation, and ours were not copied, but where this machine stood still."""
    pytest.importorskip("pypylon")
    found = measure(PYLON.at(50.0), seconds=0.5, rounds=1, say=lambda _text: None)
    assert min(found[way]["frames"] for way in ("ours", "bare", "copying")) > 0
    assert found["to_bare"] == pytest.approx(found["ours"]["frames_per_s"] / found["bare"]["frames_per_s"], rel=0.01)
    assert found["ours"]["copies_per_frame"] < 0.5
    assert found["ours"]["losses"] == 0


def test_exposure_to_hands_of_a_gige_camera() -> None:
    """The camera's clock is brought to ours: no frame is in our hands before its exposure."""
    require_aravis()
    with own_network():
        fake = FakeGige((GIGE.width, GIGE.height))
        try:
            counterpart = GIGE.at(10.0)
            offset_ns = clock_offset_ns(counterpart)
            assert offset_ns is not None
            bare = counterpart.run_bare(0.5, offset_ns=offset_ns)
        finally:
            fake.end()
    assert bare["frames"] > 0
    assert -50 < bare["exposure_to_hands_p50_ms"] < bare["exposure_to_hands_p99_ms"] + 1


def test_a_crashed_driver_is_noticed_and_begun_anew() -> None:
    """The loss is named by its cause, and pictures come again."""
    require_aravis()
    with own_network():
        noticed_s, back_s, why = reconnect.driver(signal.SIGSEGV)
    assert why == "CRASHED"
    assert noticed_s >= 0
    assert back_s > 0


def test_conversions_are_compared() -> None:
    """Every format is measured beside something that takes time."""
    lines = conversion.run(rounds=1, seconds=0.0, say=lambda _text: None)
    assert {line["format"] for line in lines} >= {"Mono12p", "BayerRG8", "YUV422_8", "RGB8"}
    assert all(line["reference_ms"] > 0 for line in lines)


def test_an_unknown_part_is_refused() -> None:
    """The known ones are named."""
    done = CliRunner().invoke(app, ["bench", "cameras", "--part", "nothing"])
    assert done.exit_code == 2
    assert "reconnect" in done.output


def check_soak(frames: int) -> None:
    """In a process of its own: in one where other tests ran, pages that were shared with others count anew."""
    command = [sys.executable, "-m", "inspection.cli.main", "bench", "cameras", "--soak", str(frames), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["frames"] == frames
    assert found["broken"] == 0
    for who in ("station", "driver"):
        for figure in ("files", "threads"):
            assert found[f"{who}_{figure}"]["first"] >= found[f"{who}_{figure}"]["last"]
        assert found[f"{who}_pss_mb"]["last"] < found[f"{who}_pss_mb"]["first"] + 10


def test_frames_leave_nothing_behind() -> None:
    """Over some thousand frames neither process opens files or threads, nor grows."""
    pytest.importorskip("pypylon")
    check_soak(FEW)


@pytest.mark.soak
def test_a_day_of_frames_leaves_nothing_behind() -> None:
    """Ten frames a second for 24 hours, as fast as they come."""
    pytest.importorskip("pypylon")
    check_soak(soak.DAY_FRAMES)

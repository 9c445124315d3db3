"""The plant away for a minute, three times over, while a real line runs: nothing is lost, slower, or grows."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from postgres import Postgres, postgres
from real_run import RealRun, crossings_missed, promises_broken, read_records, relay_board, unjudged_passes
from s3_server import S3Server, s3_server
from test_plant_copy import ALARMS, RATE_HZ, copied_by_hand, drained, values_of, whole

from inspection.part import Reason

MINUTE_S = 60.0
GROWTH_MB = 12.0
SCORED_MS = 100.0  # of the 500 ms that a part has
pytestmark = pytest.mark.soak


@contextlib.contextmanager
def away(way: str, server: Postgres, objects: S3Server) -> Iterator[None]:
    """Keep database and S3 away for as long as the block lasts."""
    objects.kill()
    with contextlib.ExitStack() as back:
        back.callback(objects.start)
        if way == "hanging":
            back.enter_context(server.frozen())
        else:
            (server.stop if way == "shut down" else server.kill)()
            back.callback(server.restart)
        yield


def test_a_minute_away_under_load(tmp_path: Path) -> None:
    """Shut down, killed and hanging: each time all waits on the disk, is told of, and is gone within a minute."""
    (tmp_path / "s3").mkdir()
    with postgres() as server, s3_server(tmp_path / "s3") as objects, relay_board() as board:
        values = values_of(tmp_path, board, server, objects, "soak")
        with RealRun(tmp_path, values) as station:
            process = psutil.Process(station.process.pid)
            station.wait_more("records", 200)
            station.wait(drained)
            before_mb = process.memory_info().rss / 1e6
            for way in ("shut down", "killed", "hanging"):
                with away(way, server, objects):
                    ends_s = time.monotonic() + MINUTE_S
                    told = station.wait(lambda _, ends=ends_s: time.monotonic() >= ends, 2 * MINUTE_S)
                    assert set(told["alarms"]) >= ALARMS
                    assert told["state"] == "CONTINUOUS_EXECUTION"
                    assert told["counters"]["plant_records_waiting"] > 0.9 * MINUTE_S * RATE_HZ
                    assert process.memory_info().rss / 1e6 < before_mb + GROWTH_MB
                began_s = time.monotonic()
                station.wait(lambda status: not ALARMS & set(status["alarms"]) and drained(status), 2 * MINUTE_S)
                taken_s, mb = time.monotonic() - began_s, process.memory_info().rss / 1e6
                print(f"{way}: all was copied {taken_s:.1f} s after it came back, {mb - before_mb:+.1f} MB")
            assert station.end() == 0
        records = read_records(tmp_path / "records")
        assert crossings_missed(records, RATE_HZ) == []
        assert unjudged_passes(records) == []
        assert promises_broken(len(records), records, board) == []
        taken_ms = [(one.scored_host_ns - one.trigger_host_ns) * 1e-6 for one in records if one.scored_host_ns]
        late = sum(one.reason is Reason.LATE for one in records)
        p99_ms = float(np.percentile(taken_ms, 99))
        print(f"{len(records)} parts, {late} late, {p99_ms:.1f} ms from the trigger to the score (p99)")
        assert p99_ms < SCORED_MS
        copied_by_hand(tmp_path)
        whole(tmp_path / "records", server, objects, "soak")

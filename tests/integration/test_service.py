"""The station with its page: a page process that dies is started again, and never takes the line along."""

from __future__ import annotations

import os
import signal
import urllib.request
from pathlib import Path

from station_runs import GOES_ON, wait_until
from tiny_bundle import write_tiny_bundle

from inspection.config import StationConfig
from inspection.control import State
from inspection.service import Service


def test_a_killed_page_comes_back_on_the_same_port(tmp_path: Path) -> None:
    """kill -9 of the page alone: the line runs on, the page is back where it was, and an alarm says so."""
    bundle = write_tiny_bundle(tmp_path / "tiny")
    config = StationConfig.model_validate(
        {
            "camera": {"backend": "simulated"},
            "model": {"bundle": str(bundle)},
            "geometry": {"travel_time_s": 0.5},
            "ejector": {"driver": "simulated", "heartbeat_channel": 2},
            "records": {"dir": str(tmp_path / "records"), "min_free_mb": 0},
            "reactions": GOES_ON,
            "api": {"address": "127.0.0.1:0"},
            "page": {"port": 0},
        }
    )
    with Service(config) as service:
        service.station.start_line()
        url, page = service.page_url, service._page
        assert page is not None
        os.kill(page.pid, signal.SIGKILL)
        wait_until(lambda: page.ended)
        records = service.station.counters.records
        service.tend()
        assert service.page_url == url
        with urllib.request.urlopen(url, timeout=30) as answer:
            assert answer.status == 200
        assert any(alarm.name == "PAGE_RESTARTED" for alarm in service.station.alarms.active())
        wait_until(lambda: service.station.counters.records > records)
        assert service.station.state is State.CONTINUOUS_EXECUTION

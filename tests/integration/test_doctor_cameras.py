"""`lineward doctor cameras`: what is wrong in a real network is found, and the command that it prints mends it."""

from __future__ import annotations

import json
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
from gige import FakeProcess, network, require_aravis
from network_namespace import Side, cable, require_namespaces
from real_run import toml

from inspection.cli.doctor import _tell
from inspection.config.load import parse_config
from inspection.doctor import bandwidth
from inspection.doctor.clocks import finding_of, look_at_clocks
from inspection.doctor.finding import Finding

STATION: dict[str, Any] = {
    "geometry": {"travel_time_s": 1.0, "closest_ms": 50.0},
    "ejector": {"driver": "simulated"},
}
BIG = {"backend": "aravis", "roi": [0, 0, 2448, 2048], "pixel_format": "BayerRG8", "device": "A1"}


def _examine(side: Side, *arguments: str) -> dict[str, dict[str, str]]:
    text = side.run(sys.executable, "-c", _CODE, "doctor", "cameras", *arguments, "--json")
    found = json.loads(text)
    return {one["what"]: one for one in found["findings"]}


_CODE = "import sys; from inspection.cli.main import main\ntry: main()\nexcept SystemExit: pass"


def test_a_next_step_is_printed_whole(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """In 80 columns, too: a command that is cut off cannot be copied. What is missing is said of the camera."""
    monkeypatch.setenv("COLUMNS", "80")
    step = "sysctl -w net.core.rmem_max=33554432, and look whether the number still grows [a-z]"
    _tell([Finding("packets lost in the kernel", "note", "17 " * 40, step), Finding("cameras", "ok", "one")])
    lines = capfd.readouterr().out.splitlines()
    assert lines[1].endswith(step)
    (unknown,) = bandwidth.look_at_links(_flows({"name": "top", "backend": "aravis"}), {}, {})
    assert "camera 'top'" in unknown.next_step


def test_the_command_that_is_printed_mends_the_network() -> None:
    """Small packets and a strict filter are named; after both commands nothing is left to say of them."""
    require_namespaces()
    with cable() as (host, _):
        host.run("sysctl", "-q", "-w", f"net.ipv4.conf.{host.interface}.rp_filter=1")
        before = _examine(host)
        names = (f"{host.interface}: packets", f"{host.interface}: answers let through")
        for name in names:
            assert before[name]["level"] == "note"
            command = re.split(r" \(| — |;", before[name]["next_step"])[0]
            host.run(*shlex.split(command))
        after = _examine(host)
        assert [after[name]["level"] for name in names] == ["ok", "ok"]


def test_every_library_that_is_there_has_its_version() -> None:
    """The development environment has them all; one that is missing would have the command that brings it."""
    from inspection.doctor.drivers import look_at_libraries

    found = {one.what: one for one in look_at_libraries()}
    assert set(found) >= {"backend aravis", "backend genicam", "backend pylon", "backend rtsp", "backend uvc"}
    for one in found.values():
        assert re.fullmatch(r"\S+ \d+(\.\d+)+", one.found) if one.level == "ok" else one.next_step


def _flows(*cameras: dict[str, Any]) -> list[bandwidth.Flow]:
    return bandwidth.flows(parse_config(toml({**STATION, "camera": list(cameras)}), "test"))


def test_the_sum_over_cameras_is_held_against_their_link() -> None:
    """Two cameras of 5 megapixels at 20 parts a second are too much for one gigabit link, and one each is not."""
    sent = _flows({**BIG, "name": "a", "trigger": "line"}, {**BIG, "name": "b", "trigger": "line"})
    assert [flow.mb_s for flow in sent] == [pytest.approx(2448 * 2048 * 20e-6)] * 2
    (shared,) = bandwidth.look_at_links(sent, {}, {})
    assert shared.level == "problem"
    assert "200.5 of 112.5 MB/s" in shared.found
    assert "56%" in shared.next_step
    apart = list(bandwidth.look_at_links(sent, {"a": "eth1", "b": "eth2"}, {"eth1": 1000, "eth2": None}))
    assert [one.level for one in apart] == ["ok", "ok"]
    (fast,) = bandwidth.look_at_links(sent, {"a": "eth1", "b": "eth1"}, {"eth1": 10_000})
    assert fast.level == "ok"
    assert "7200 ns between packets" in fast.next_step  # one packet of 9000 bytes at 10 Gbit/s


def test_what_cannot_be_reckoned_says_what_is_missing() -> None:
    """Without size, format or rate no sum is claimed."""
    (flow,) = _flows({"backend": "aravis", "name": "a", "device": "A1", "pixel_format": "Mono12p"})
    assert flow.mb_s is None
    assert "roi, frame_rate_hz" in flow.why
    assert bandwidth.bytes_of_pixel("Mono12p") == 1.5


def test_a_station_file_that_is_none_is_refused(tmp_path: Path) -> None:
    """One message, and no half of an examination."""
    from typer.testing import CliRunner

    from inspection.cli.main import app

    file = tmp_path / "s.toml"
    file.write_text("[camera\n")
    done = CliRunner().invoke(app, ["doctor", "cameras", str(file)])
    assert done.exit_code != 0


def test_a_camera_that_shall_follow_the_networks_clock_is_asked_whether_it_does() -> None:
    """The camera without hardware has no PTP clock, and says so; the words of those that have one are told apart."""
    require_aravis()
    camera = {"backend": "aravis", "device": "PTP", "ptp": True}
    with network(), FakeProcess("PTP"):
        (found,) = look_at_clocks(parse_config(toml({**STATION, "camera": camera}), "clocks"))
    assert (found.level, found.found) == ("problem", "the device has no PTP clock")
    levels = {status: finding_of("top", status).level for status in ("Slave", "Listening", "Master", "Disabled")}
    assert levels == {"Slave": "ok", "Listening": "note", "Master": "problem", "Disabled": "problem"}

"""Challenges on a real station: camera, model, ejector process, records, API and the command that operators type."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from challenged import Belt, belt_config, challenged_station
from station_runs import wait_until
from tiny_bundle import write_tiny_bundle

from inspection.api import v1 as pb
from inspection.api.client import StationClient
from inspection.api.errors import CallError
from inspection.challenge import EXTRA_KEY
from inspection.challenge.past import ended_entries
from inspection.control import State
from inspection.part import Evaluation, Reason, Verdict
from inspection.records.challenges import Ending, Outcome
from inspection.records.reader import RecordReader
from inspection.records.record import StoredRecord
from inspection.records.verify import verify
from inspection.service import Service
from inspection.station import Station

TIMEOUT_S = 60.0


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A small real model to which bright parts are defective."""
    return str(write_tiny_bundle(tmp_path_factory.mktemp("model") / "tiny"))


class Command:
    """`lineward challenge --json` as an operator runs it."""

    def __init__(self, address: str, *options: str) -> None:
        command = [sys.executable, "-m", "inspection.cli.main", "challenge", "--station", address, "--json", *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def event(self) -> dict[str, Any]:
        """Return the next event."""
        assert self.process.stdout is not None
        return dict(json.loads(self.process.stdout.readline()))

    def end(self) -> tuple[int, list[dict[str, Any]]]:
        """Wait for its end; return the exit code and the events that were left."""
        out, errors = self.process.communicate(timeout=TIMEOUT_S)
        assert "Traceback" not in errors, errors
        return self.process.returncode, [json.loads(line) for line in out.splitlines()]


def challenge_until(address: str, proof: str) -> tuple[int, list[dict[str, Any]]]:
    """Run the command until each part ended so: on a machine that is late with a part, the challenge rightly fails."""
    for _ in range(10):
        code, events = Command(address, "--operator", "kim").end()
        if all(event["proof"] == proof for event in events if event["event"] == "finding"):
            return code, events
    raise AssertionError(f"none of 10 challenges found {proof} throughout: {events}")


def everything(station: Station) -> list[StoredRecord]:
    reader = RecordReader(station.config.records.dir)
    try:
        return reader.find(limit=100_000, newest_first=False)
    finally:
        reader.close()


def alarms(station: Station) -> set[str]:
    return {alarm.name for alarm in station.alarms.active() if alarm.name.startswith("CHALLENGE")}


def await_records(service: Service, count: int) -> None:
    counters = service.station.counters
    before = counters.records
    wait_until(lambda: counters.records >= before + count, TIMEOUT_S)


def test_production_waits_for_a_passed_challenge(tmp_path: Path, bundle: str) -> None:
    """Good parts do not pass before it, nor while it runs; good parts fail it; bad parts pass it; then good parts pass.

    The records prove it: no PASS lies before the end of the passed challenge.
    """
    belt = Belt(bad=False)
    with challenged_station(belt_config(tmp_path / "records", bundle), belt) as service:
        station = service.station
        await_records(service, 10)
        assert station.state is State.CONTINUOUS_EXECUTION
        assert (station.counters.passed, alarms(station)) == (0, {"CHALLENGE_DUE"})

        code, events = challenge_until(service.api_address, "CALLED_OK")
        failed = events[0]["challenge"]
        assert (code, events[0]["event"], events[0]["operator"]) == (1, "begun", "kim")
        findings = [event for event in events if event["event"] == "finding"]
        assert [finding["mark"] for finding in findings] == ["C1", "C2", "C3"]
        assert (events[-1]["ok"], events[-1]["outcome"], events[-1]["ejected"]) == (False, "FAILED", 0)
        assert (station.counters.passed, alarms(station)) == (0, {"CHALLENGE_DUE", "CHALLENGE_FAILED"})

        belt.bad = True
        code, events = challenge_until(service.api_address, "EJECTED")
        assert (code, events[-1]["ok"], events[-1]["outcome"]) == (0, True, "PASSED")
        belt.bad = False
        assert alarms(station) == set()
        wait_until(lambda: station.counters.passed >= 5, TIMEOUT_S)
        past = station.interlock.past(10)
    records = everything(station)
    assert (past[0].entry.outcome, past[-1].entry.outcome) == (Outcome.PASSED, Outcome.FAILED)
    first_pass = next(record.sequence for record in records if record.verdict is Verdict.PASS)
    assert first_pass > past[0].record_sequence
    missed = [record for record in records if record.extra.get(EXTRA_KEY) == failed]
    assert [(r.evaluation, r.verdict, r.reason) for r in missed] == [
        (Evaluation.OK, Verdict.REJECT, r.reason) for r in missed
    ]
    assert len(missed) == 3
    assert {record.reason for record in missed} <= {Reason.INTERLOCK, Reason.LATE}
    assert all(record.score is not None and record.score < 0.5 for record in missed)
    report = verify(station.config.records.dir)
    assert (report.problems, report.challenges) == ([], len(past))
    shown = subprocess.run(
        [sys.executable, "-m", "inspection.cli.main", "records", "challenges", "--json", "--dir",
         str(tmp_path / "records")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert [one["outcome"] for one in json.loads(shown.stdout)["challenges"]] == [
        one.entry.outcome.value for one in past if one.entry.outcome
    ]


def test_rendered_defects_pass_the_demo_model(tmp_path: Path) -> None:
    """The demo's own model and its rendered parts, all defective: each is ejected, and the command says so in words."""
    config = belt_config(
        tmp_path / "records",
        "zoo:parts",
        camera={"pitch_mm": 180.0},
        geometry={"travel_time_s": 1.0},
        simulation={"defect_rate": 1.0},
    )
    with challenged_station(config) as service:
        for _ in range(10):
            command = [sys.executable, "-m", "inspection.cli.main", "challenge", "--station", service.api_address]
            said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)
            assert (
                "lay these 3 known-bad parts on the belt, one after another, and nothing else: C1, C2, C3."
                in said.stdout
            )
            if "did not judge" not in said.stdout and "inside its window" not in said.stdout:
                break  # else the machine was late with a part, and the challenge rightly failed
    assert said.returncode == 0, said.stdout
    assert "part 3 of 3 (C3, trigger" in said.stdout
    assert "PASSED: 3 of 3 parts were ejected; every part has its record" in said.stdout


def test_ctrl_c_cancels_at_the_station(tmp_path: Path, bundle: str) -> None:
    """The command goes on until the marked parts have their records and exits 1; the end is recorded as CANCELLED;
    while it ran, a second operator was refused with the first one's name."""
    config = belt_config(tmp_path / "records", bundle, challenge={"parts": 500, "marks": []})
    with challenged_station(config, Belt(bad=True)) as service:
        command = Command(service.api_address, "--operator", "kim")
        name = command.event()["challenge"]
        assert command.event()["event"] == "finding"
        with StationClient(service.api_address) as client:
            with pytest.raises(CallError, match="of kim runs") as refused:
                next(client.challenge(operator="lee"))
            assert refused.value.reason == "CHALLENGE_RUNNING"
            assert refused.value.metadata == {"challenge": name, "operator": "kim"}
            assert alarms(service.station) == {"CHALLENGE_RUNNING"}
            command.process.send_signal(signal.SIGINT)
            code, events = command.end()
            status, past = client.challenge_status(), client.challenges()
        assert (code, events[-1]["ok"], events[-1]["ending"]) == (1, False, "CANCELLED")
        assert events[-1]["outcome"] in ("ABORTED", "FAILED")  # FAILED where the busy machine was late with a part
        assert status.blocks
        assert past[0].name == name
        assert past[0].ending == pb.CHALLENGE_ENDING_CANCELLED
    marked = [record for record in everything(service.station) if record.extra.get(EXTRA_KEY) == name]
    assert [record.sequence for record in marked] == [finding.sequence for finding in past[0].findings]


def test_a_line_that_is_stopped_ends_its_challenge(tmp_path: Path, bundle: str) -> None:
    """The watcher is told, and the end is durable: on a stop, and when the station is closed in the middle."""
    config = belt_config(tmp_path / "records", bundle, challenge={"parts": 500, "marks": []})
    with challenged_station(config, Belt(bad=True)) as service, StationClient(service.api_address) as client:
        progress = client.challenge()
        while not next(progress).findings:
            pass
        client.stop_line()
        *_, last = progress
        assert (last.phase, last.ending) == (pb.CHALLENGE_PHASE_ENDED, pb.CHALLENGE_ENDING_LINE_STOPPED)
        assert "CHALLENGE_RUNNING" not in alarms(service.station)
        client.start_line()
        progress = client.challenge()
        while not next(progress).findings:
            pass
    reader = RecordReader(config.records.dir)
    ended = ended_entries(reader, 10)
    reader.close()
    assert [one.entry.ending for one in ended] == [Ending.LINE_STOPPED] * 2
    assert verify(config.records.dir).problems == []


def test_parts_that_do_not_come_end_the_challenge(tmp_path: Path, bundle: str) -> None:
    """Two parts are on the belt, three are demanded: given up after challenge.timeout_s, and nothing passes."""
    config = belt_config(tmp_path / "records", bundle, camera={"parts": 2}, challenge={"timeout_s": 1.0})
    with challenged_station(config, Belt(bad=True)) as service:
        with StationClient(service.api_address) as client:
            *_, last = client.challenge()
        assert last.ending == pb.CHALLENGE_ENDING_TIMED_OUT
        assert last.outcome != pb.CHALLENGE_OUTCOME_PASSED
        assert alarms(service.station) >= {"CHALLENGE_DUE"}


KILLED = """
import sys
from pathlib import Path
sys.path[:0] = {paths!r}
from challenged import Belt, belt_config, challenged_station
import threading
config = belt_config(Path({folder!r}), {bundle!r}, challenge={{"parts": 500, "marks": [], "on_start": False}})
with challenged_station(config, Belt(bad=True)) as service:
    print(service.api_address, flush=True)
    threading.Event().wait()
"""


def test_kill_in_the_middle_of_a_challenge(tmp_path: Path, bundle: str) -> None:
    """kill -9 of the station: the command fails, and the next start records that the challenge was not finished; it
    holds for nothing, though its parts so far were ejected and a new start alone would demand none."""
    folder = tmp_path / "records"
    code = KILLED.format(paths=[str(Path(__file__).parents[1] / "support")], folder=str(folder), bundle=bundle)
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        command = Command(address)
        name = command.event()["challenge"]
        assert command.event()["event"] == "finding"
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait(TIMEOUT_S)
    exit_code, events = command.end()
    assert exit_code == 1
    assert events[-1]["ok"] is False

    config = belt_config(folder, bundle, challenge={"on_start": False})
    with challenged_station(config, Belt(bad=False)) as service:
        await_records(service, 5)
        assert service.station.counters.passed == 0
        (ended,) = service.station.interlock.past(10)
        assert "CHALLENGE_DUE" in alarms(service.station)
    assert (ended.entry.challenge, ended.entry.ending) == (name, Ending.STATION_ENDED)
    assert ended.entry.outcome is not Outcome.PASSED
    assert ended.entry.findings
    assert verify(folder).problems == []


def test_a_passed_challenge_survives_a_restart_where_the_recipe_says_so(tmp_path: Path, bundle: str) -> None:
    """With on_start = false the next start of the same configuration produces at once."""
    folder, belt = tmp_path / "records", Belt(bad=True)
    config = belt_config(folder, bundle, challenge={"on_start": False})
    with challenged_station(config, belt) as service:
        assert challenge_until(service.api_address, "EJECTED")[0] == 0
    with challenged_station(config, Belt(bad=False)) as service:
        wait_until(lambda: service.station.counters.passed >= 2, TIMEOUT_S)

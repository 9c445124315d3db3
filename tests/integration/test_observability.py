"""A real `lineward run`, as Prometheus, a trace collector and a reader of the log see it; its records are the judge."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import grpc
import pytest
from bright_belt import belt
from otlp_receiver import OtlpReceiver, values
from real_run import REPOSITORY, RealRun, read_records, relay_board, station_values
from scrape import OPENMETRICS, Scrape, metrics_url
from station_runs import wait_until
from tiny_bundle import write_tiny_bundle

from inspection.api.call_error import CallError
from inspection.observability.dashboard import dashboard
from inspection.observability.part_spans import trace_id
from inspection.part import Reason, Verdict
from inspection.records.record import StoredRecord


@dataclass
class Story:
    """What one run was seen to do from outside, and what it left."""

    folder: Path
    receiver: OtlpReceiver
    scrape: Scrape | None = None
    openmetrics: Scrape | None = None
    status: dict[str, Any] = field(default_factory=dict)
    dropped: float = 0.0
    back_from: int = 0
    other_paths: list[int] = field(default_factory=list)
    records: list[StoredRecord] = field(default_factory=list)
    lines: list[dict[str, Any]] = field(default_factory=list)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Run a line; let the collector go away and come back; stop the line, look at everything, end."""
    folder = tmp_path_factory.mktemp("observed")
    (folder / "share").mkdir()
    with relay_board() as board, OtlpReceiver() as receiver:
        observed = station_values(
            folder,
            write_tiny_bundle(folder / "tiny"),
            board,
            camera={"backend": "replay", "path": belt(folder / "parts"), "rate_hz": 20.0, "loop": True},
            metrics={"enabled": True, "address": "127.0.0.1:0"},
            telemetry={
                "enabled": True, "endpoint": f"http://127.0.0.1:{receiver.port}", "sample_ratio": 1.0, "timeout_s": 1.0,
            },
            plant={  # nobody is there, and nobody is told so soon
                "postgresql": f"postgresql://nobody@/x?host={folder}", "images": f"file://{folder}/share",
                "alarm_after_s": 3600,
            },
            log={"level": "debug", "format": "json", "file": folder / "log" / "station.log"},
        )  # fmt: skip
        told = Story(folder, receiver)
        with RealRun(folder, observed) as run:
            url = metrics_url(run)
            receiver.wait_spans(60)
            receiver.go()
            wait_until(lambda: Scrape(url).value("lineward_traces_dropped_total") > 0, 60.0)
            receiver.come()
            told.back_from = len(receiver.spans)
            receiver.wait_spans(told.back_from + 60)
            with run.client() as client:
                client.stop_line()
                with pytest.raises(CallError):
                    client.image(10**9)
                stub = grpc.insecure_channel(client.address).unary_unary("/lineward.inspection.v1.Nothing/AtAll")
                with pytest.raises(grpc.RpcError):
                    stub(b"", timeout=10)
                results = client.watch_results(reconnect=False)
                assert next(results).result.sequence == 1
                results.close()
            told.status = run.wait(lambda status: status["state"] == "READY" and status["counters"]["in_flight"] == 0)
            wait_until(lambda: Scrape(url).value("lineward_records_waiting") == 0)
            wait_until(lambda: 'code="CANCELLED"' in Scrape(url).text)
            told.scrape, told.openmetrics = Scrape(url), Scrape(url, OPENMETRICS)
            told.dropped = told.scrape.value("lineward_traces_dropped_total")
            told.other_paths = [_code(url.replace("/metrics", path)) for path in ("/", "/metrics/x", "/../etc/passwd")]
            run.end()
        told.records = read_records(folder / "records")
        told.lines = [json.loads(line) for line in (folder / "log" / "station.log").read_text().splitlines()]
        yield told


def _code(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def scraped(story: Story) -> Scrape:
    """The scrape that was made when the line stood still."""
    assert story.scrape is not None
    return story.scrape


# -------------------------------------------------------------------------------------------------------- metrics


def test_parts_and_pulses_are_those_of_the_records(story: Story) -> None:
    """Each counter of parts, actions and latencies is what the durable records say, part for part."""
    scrape, records = scraped(story), story.records
    ended = Counter((str(record.verdict), str(record.reason)) for record in records)
    assert ended[Verdict.PASS, Reason.NONE] > 20
    assert ended[Verdict.REJECT, Reason.MODEL] > 5
    for sample in scrape.families["lineward_parts"].samples:
        assert sample.value == ended[sample.labels["verdict"], sample.labels["reason"]], sample
    assert sum(sample.value for sample in scrape.families["lineward_parts"].samples) == len(records)
    actions = Counter(str(record.ejector_action) for record in records)
    for sample in scrape.families["lineward_ejector_actions"].samples:
        assert sample.value == actions[sample.labels["action"]], sample
    latencies = [record.latency_us * 1e-6 for record in records if record.latency_us is not None]
    assert scrape.value("lineward_verdict_latency_seconds_count") == len(latencies)
    assert scrape.value("lineward_verdict_latency_seconds_sum") == pytest.approx(sum(latencies))
    for name, labels in scrape.samples:
        if name == "lineward_verdict_latency_seconds_bucket":
            bound = float(dict(labels)["le"])
            assert scrape.samples[name, labels] == sum(latency <= bound for latency in latencies), bound
    lateness = [record.lateness_us for record in records if record.lateness_us is not None]
    assert scrape.value("lineward_pulse_lateness_seconds_count") == len(lateness) > 5


def test_the_rest_is_the_status(story: Story) -> None:
    """State, triggers, cameras and alarms are those that the station tells of itself."""
    scrape, status = scraped(story), story.status
    assert scrape.value("lineward_triggers_total") == status["triggers"] == len(story.records)
    assert scrape.value("lineward_station_state", state="READY") == 1
    assert scrape.value("lineward_station_state", state="ERROR") == 0
    camera = status["cameras"][0]["name"]
    assert scrape.value("lineward_camera_state", camera=camera, state="STOPPED") == 1
    assert scrape.value("lineward_camera_frames_total", camera=camera) == status["counters"]["frames"]
    standing = {
        sample.labels["alarm"] for sample in scrape.families["lineward_alarm_standing"].samples if sample.value == 1
    }
    assert standing == set(status["alarms"])
    assert scrape.value("lineward_alarm_standing", alarm="CAMERA_LOST", severity="ERROR") == 0
    info = scrape.families["lineward_station_info"].samples[0].labels
    assert info["run"] == status["run"] == story.records[0].run
    assert info["bundle_digest"] == story.records[0].bundle_digest
    assert info["config_digest"] == story.records[0].config_hash
    assert scrape.value("lineward_disk_free_bytes") > 0
    assert scrape.value("process_resident_memory_bytes") > 1e7


def test_both_formats_can_be_parsed_and_keep_the_conventions(story: Story) -> None:
    """Text and OpenMetrics carry the same families; every one of ours has a help text and a sound name."""
    scrape, openmetrics = scraped(story), story.openmetrics
    assert openmetrics is not None
    assert openmetrics.content_type.startswith("application/openmetrics-text")
    assert openmetrics.text.endswith("# EOF\n")
    ours = {name for name in scrape.families if not name.startswith("process_")}
    assert ours == {name for name in openmetrics.families if not name.startswith("process_")}
    assert all(name.startswith("lineward_") and scrape.families[name].documentation for name in ours)
    assert not [name for name in ours if name.endswith(("_ms", "_us", "_ns", "_mb", "_percent", "_ppm"))]


def test_nothing_but_the_metrics_is_served(story: Story) -> None:
    """Any other path is refused."""
    assert story.other_paths == [404, 404, 404]


def used(text: str) -> set[tuple[str, str]]:
    """Each metric that a text names, with each label that it asks for ('' for none)."""
    found = re.findall(r"\b((?:lineward|process)_\w+)(?:\{([^}]*)\})?", text)
    asked = (
        (name, label) for name, labels in found for label in ["", *re.findall(r"(\w+)\s*(?:=~|!=|=)", labels or "")]
    )
    return {(name, label) for name, label in asked if label not in ("job", "instance")}


def test_the_dashboard_and_the_rules_name_what_is_there(story: Story) -> None:
    """Every metric and label in the dashboard's file and in the page with the alert rules is one of the real scrape."""
    there = {(name, label) for name, labels in scraped(story).samples for label in ["", *dict(labels)]}
    there |= {(name, "") for name in scraped(story).families}
    there |= {("lineward_camera_losses_total", label) for label in ("", "camera", "cause")}  # nothing was lost here
    there |= {("lineward_api_calls_total", label) for label in ("", "method", "code")}
    there |= {("lineward_api_call_seconds", ""), ("lineward_camera_clock_drift_ratio", "")}
    written = json.loads((REPOSITORY / "docs" / "grafana" / "lineward.json").read_text())
    assert written == dashboard(), "python -m inspection.observability.dashboard > docs/grafana/lineward.json"
    expressions = [target["expr"] for panel in written["panels"] for target in panel["targets"]]
    assert len(expressions) > 20
    assert all(text.count("(") == text.count(")") and text.count("{") == text.count("}") for text in expressions)
    page = (REPOSITORY / "docs" / "observability.md").read_text()
    assert used(" ".join([*expressions, page])) - there == set()


def test_the_page_has_every_metric(story: Story) -> None:
    """The table in the documentation names each family that a station shows."""
    page = (REPOSITORY / "docs" / "observability.md").read_text()
    families = scraped(story).families.items()
    names = {name + ("_total" if family.type == "counter" else "") for name, family in families}
    assert sorted(name for name in names if f"`{name}" not in page and not name.startswith("process_")) == []


def test_calls_are_counted_by_method_and_code(story: Story) -> None:
    """A call that went well, one that was refused, one to nothing at all and a stream that its client left."""
    scrape, service = scraped(story), "/lineward.inspection.v1."
    assert scrape.value("lineward_api_calls_total", method=f"{service}StationService/Stop", code="OK") == 1
    assert (
        scrape.value("lineward_api_calls_total", method=f"{service}ResultService/GetResultImage", code="NOT_FOUND") == 1
    )
    assert scrape.value("lineward_api_calls_total", method="unknown", code="UNIMPLEMENTED") == 1
    assert scrape.value("lineward_api_call_seconds_count", method=f"{service}StationService/Stop") == 1
    watch = f"{service}ResultService/WatchResults"
    assert scrape.value("lineward_api_calls_total", method=watch, code="CANCELLED") == 1


# --------------------------------------------------------------------------------------------------------- traces


def test_a_trace_tells_a_parts_way(story: Story) -> None:
    """Each trace that came has its part's spans in order, at the wall times of its record, with its verdict."""
    records = {trace_id(record.run, record.part): record for record in story.records}
    traces: dict[int, list[Any]] = {}
    for span in story.receiver.spans:
        traces.setdefault(int.from_bytes(span.trace_id), []).append(span)
    assert set(traces) <= set(records)
    for number, spans in traces.items():
        record, (root, *steps) = records[number], spans
        shift_ns = record.trigger_wall_ns - record.trigger_host_ns
        assert (root.name, root.parent_span_id) == ("part", b"")
        assert root.start_time_unix_nano == record.trigger_wall_ns
        assert all(step.parent_span_id == root.span_id for step in steps)
        assert len({span.span_id for span in spans}) == len(spans)
        assert all(root.start_time_unix_nano <= step.start_time_unix_nano <= step.end_time_unix_nano for step in steps)
        names = [step.name for step in steps]
        assert names[:4] == ["frame", "queue", "inference", "decide"]
        assert names[-1] == "record"
        assert ("ejector" in names) == (record.written_host_ns is not None)
        assert steps[3].end_time_unix_nano == record.decided_host_ns + shift_ns
        said = values(root)
        assert said["lineward.part"] == record.part
        assert said["lineward.run"] == record.run
        assert said["lineward.sequence"] == record.sequence
        assert said["lineward.verdict"] == record.verdict
        assert said["lineward.reason"] == record.reason
        assert said["lineward.score"] == record.score
    assert {resource["service.name"] for resource in story.receiver.resources} == {"lineward"}
    assert {resource["service.instance.id"] for resource in story.receiver.resources} == {"station-1"}


def test_a_collector_that_goes_away_costs_traces_and_nothing_else(story: Story) -> None:
    """What it did not take is counted, every part has its record, and traces come again when it is back."""
    sent = scraped(story).value("lineward_traces_sent_total")
    assert story.dropped > 0
    assert len(story.receiver.spans) > story.back_from
    assert sent + story.dropped <= len(story.records)
    warnings = [line["message"] for line in story.lines if line["logger"].endswith(".traces")]
    assert [("takes no traces" in text, "is back" in text) for text in warnings] == [(True, False), (False, True)]


# ------------------------------------------------------------------------------------------------------------ log


def test_each_line_is_an_object_with_the_names_of_what_speaks(story: Story) -> None:
    """JSON lines carry time, level, station and run; at debug one line for each part, none of them above."""
    assert all({"time", "level", "logger", "message", "station", "run"} <= set(line) for line in story.lines)
    assert {line["station"] for line in story.lines} == {"station-1"}
    parts = [line for line in story.lines if "verdict" in line]
    assert {line["level"] for line in parts} == {"debug"}
    assert [(line["part"], line["sequence"]) for line in parts] == [(one.part, one.sequence) for one in story.records]
    assert {line["run"] for line in parts} == {story.records[0].run}


def test_states_are_told_once_each(story: Story) -> None:
    """The log says when the line began to run, when it was stopped, and that the station ended."""
    states = [line["state"] for line in story.lines if "state" in line]
    assert states[0] == "READY"
    assert states[-3:] == ["CONTINUOUS_EXECUTION", "READY", "HALTED"]
    assert all(first != second for first, second in pairwise(states))


# --------------------------------------------------------------------------------------------------- what goes wrong


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    """The station does not start without the metrics that it was told to give, and says which port to free."""
    with relay_board() as board, socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        observed = station_values(
            tmp_path,
            write_tiny_bundle(tmp_path / "tiny"),
            board,
            camera={"backend": "replay", "path": belt(tmp_path / "parts"), "rate_hz": 20.0},
            metrics={"enabled": True, "address": address},
        )
        with RealRun(tmp_path, observed) as run:
            assert run.process.wait(60) == 1
            assert f"metrics.address {address}: cannot be listened on" in run.said
            assert "Traceback" not in run.said


def test_telemetry_without_its_packages_is_refused_with_the_command(tmp_path: Path) -> None:
    """Where the extra is not installed, the configuration names what installs it; without traces nothing needs it."""
    program = (
        "import sys\n"
        "class Away:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] == 'opentelemetry':\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Away())\n"
        "from inspection.config.example import EXAMPLE\n"
        "from inspection.config import parse_config\n"
        "parse_config(EXAMPLE, 'example')\n"
        "import inspection.observability.observers\n"
        "parse_config(EXAMPLE.replace('enabled = false                 # needs the extra lineward[telemetry]', "
        "'enabled = true'), 'example')\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode != 0
    assert "pip install 'lineward[telemetry]'" in ended.stderr

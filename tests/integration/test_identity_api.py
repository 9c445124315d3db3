"""Serial numbers as an integrator meets them: in the stream, at a start, and where a review answers a question."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest
from coded_belt import CodedBelt, coded_config
from station_runs import wait_until
from tiny_bundle import write_tiny_bundle

from inspection.api import v1 as pb
from inspection.api import v1_grpc as pb_grpc
from inspection.api.client import StationClient
from inspection.service import Service


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A small real model."""
    return str(write_tiny_bundle(tmp_path_factory.mktemp("bundle") / "tiny"))


def test_the_stream_has_the_numbers_and_a_review_answers_the_question(tmp_path: Path, bundle: str) -> None:
    """Every passed part's number is in the stream; ReviewResult over the real server lets the alarm go."""
    config = coded_config(tmp_path / "records", bundle, {"unreadable": "ask"})
    service = Service(config)
    belt = service.station.scene = CodedBelt(lambda part: None if part == 2 else f"LW-{part}")
    with (
        service,
        grpc.insecure_channel(service.api_address) as channel,
        StationClient(service.api_address) as client,
    ):
        client.start_line()
        watched = client.watch_results()
        first = [next(watched).result for _ in range(5)]
        watched.close()
        client.stop_line()
        passed = [result for result in first if result.verdict == pb.VERDICT_PASS]
        assert passed
        assert all(result.serial == belt.texts[result.part] for result in passed)
        assert "CODE_QUESTION" in {alarm.name for alarm in client.status().alarms}
        results = pb_grpc.ResultServiceStub(channel)
        [asked] = results.ListQuestions(pb.ListQuestionsRequest()).results
        assert (asked.reason, asked.part) == (pb.REASON_CODE, 2)
        said = pb.ReviewResultRequest(sequence=asked.sequence, verdict=pb.VERDICT_PASS, reviewer="kim", serial="LW-2")
        assert results.ReviewResult(said).review.serial == "LW-2"
        assert not results.ListQuestions(pb.ListQuestionsRequest()).results
        assert "CODE_QUESTION" not in {alarm.name for alarm in client.status().alarms}


def test_a_start_with_a_name_that_is_none_is_refused(tmp_path: Path, bundle: str) -> None:
    """INVALID_ARGUMENT with the reason SERIAL, before anything runs; a sound one is the first part's number."""
    service = Service(coded_config(tmp_path / "records", bundle, {"source": "mes"}))
    service.station.scene = CodedBelt(lambda _part: None)
    with service, grpc.insecure_channel(service.api_address) as channel:
        line = pb_grpc.StationServiceStub(channel)
        with pytest.raises(grpc.RpcError) as refused:
            line.StartSingle(pb.StartSingleRequest(job=pb.Job(part_id="x" * 65)))
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "1 to 64 printable characters" in refused.value.details()
        line.StartSingle(pb.StartSingleRequest(job=pb.Job(part_id="M-1")))
        wait_until(lambda: service.station.state.value == "READY")
        assert service.station.memory.flush(10.0)
        [named] = service.station.memory.reader.find(serial="M-1")
        assert named.extra["job"]["part_id"] == "M-1"


def test_the_mes_names_each_part_before_it_comes(tmp_path: Path, bundle: str) -> None:
    """One name waits at a time; where parts are not named from outside, the call is refused."""
    service = Service(coded_config(tmp_path / "records", bundle, {"source": "mes"}))
    service.station.scene = CodedBelt(lambda _part: None)
    with service, grpc.insecure_channel(service.api_address) as channel:
        line = pb_grpc.StationServiceStub(channel)
        line.NameNextPart(pb.NameNextPartRequest(serial="M-7"))
        with pytest.raises(grpc.RpcError, match="'M-7' still waits for its part"):
            line.NameNextPart(pb.NameNextPartRequest(serial="M-8"))
        line.StartSingle(pb.StartSingleRequest())
        wait_until(lambda: service.station.state.value == "READY")
        assert service.station.memory.flush(10.0)
        assert [record.serial for record in service.station.memory.reader.find(serial="M-7")] == ["M-7"]
    counted = Service(coded_config(tmp_path / "counted", bundle, {"source": "counted"}))
    with counted, grpc.insecure_channel(counted.api_address) as channel, pytest.raises(grpc.RpcError) as refused:
        pb_grpc.StationServiceStub(channel).NameNextPart(pb.NameNextPartRequest(serial="M-7"))
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT

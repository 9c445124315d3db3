"""Clients of the Open Inference Protocol get the scores of the loaded model, and a clear status for anything else."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kserve_peers import run_peer
from mapped_bundle import write_mapped_bundle
from served_station import served
from tiny_bundle import tiny_golden, tiny_weights, write_tiny_bundle

from inspection.api.call_error import call_error
from inspection.api.pb import open_inference_pb2 as oip
from inspection.api.pb import open_inference_pb2_grpc as oip_grpc
from inspection.service import Service
from models.engines import open_engine

TIMEOUT_S = 30.0
GOLDEN = tiny_golden(tiny_weights(2, 3), 32, 32, 3)
Request = oip.ModelInferRequest


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A stopped line whose model may be asked; it has six golden images, more than a batch of four."""
    folder = tmp_path_factory.mktemp("station")
    with served(folder, write_tiny_bundle(folder / "tiny")) as running:
        yield running


@pytest.fixture
def stub(service: Service) -> Iterator[oip_grpc.GRPCInferenceServiceStub]:
    with grpc.insecure_channel(service.api_address) as channel:
        yield oip_grpc.GRPCInferenceServiceStub(channel)


def raw_request(images: np.ndarray = GOLDEN.inputs, **values: Any) -> Request:
    """A request that is in order, unless `values` say otherwise."""
    tensor = {"name": "pixels", "datatype": "UINT8", "shape": images.shape}
    return Request(
        **{"model_name": "tiny", "inputs": [tensor], "raw_input_contents": [images.tobytes()], "id": "a", **values}
    )


def test_tritons_own_client_works_unchanged(service: Service, tmp_path: Path) -> None:
    """All six calls by an existing client; the scores are those of the bundle's golden vectors."""
    np.save(tmp_path / "images.npy", GOLDEN.inputs)
    told = json.loads(run_peer("triton_client.py", service.api_address, str(tmp_path / "images.npy")))
    assert (told["live"], told["ready"], told["model_ready"], told["other_ready"]) == (True, True, True, False)
    assert (told["name"], told["id"], told["refused"]) == ("lineward", "7", "StatusCode.NOT_FOUND")
    assert told["metadata"]["inputs"] == [{"name": "pixels", "datatype": "UINT8", "shape": ["-1", "32", "32", "3"]}]
    assert told["metadata"]["outputs"] == [{"name": "scores", "datatype": "FP32", "shape": ["-1", "2"]}]
    np.testing.assert_allclose(told["scores"], GOLDEN.scores, atol=1e-3)


def test_raw_and_typed_contents_give_the_same_scores(stub: oip_grpc.GRPCInferenceServiceStub) -> None:
    """Each is answered in its own form, with id, version and shape; bit for bit the same numbers."""
    raw = stub.ModelInfer(raw_request(), timeout=TIMEOUT_S)
    tensor = {"name": "pixels", "datatype": "UINT8", "shape": GOLDEN.inputs.shape}
    contents = oip.InferTensorContents(uint_contents=GOLDEN.inputs.ravel().tolist())
    typed = stub.ModelInfer(
        Request(model_name="tiny", model_version=raw.model_version[:12], inputs=[{**tensor, "contents": contents}]),
        timeout=TIMEOUT_S,
    )
    scores = np.frombuffer(raw.raw_output_contents[0], "<f4").reshape(raw.outputs[0].shape)
    assert (raw.id, len(raw.model_version), raw.outputs[0].datatype) == ("a", 64, "FP32")
    assert not typed.raw_output_contents
    assert typed.outputs[0].contents.fp32_contents == scores.ravel().tolist()
    np.testing.assert_allclose(scores, GOLDEN.scores, atol=1e-3)


BAD: dict[str, tuple[Callable[[], Request], grpc.StatusCode, str]] = {
    "no input": (lambda: raw_request(inputs=[]), grpc.StatusCode.INVALID_ARGUMENT, "exactly one"),
    "another name": (
        lambda: raw_request(inputs=[{"name": "x", "datatype": "UINT8", "shape": [1, 32, 32, 3]}]),
        grpc.StatusCode.INVALID_ARGUMENT, "'x'",
    ),
    "floats": (
        lambda: raw_request(inputs=[{"name": "pixels", "datatype": "FP32", "shape": [1, 32, 32, 3]}]),
        grpc.StatusCode.INVALID_ARGUMENT, "UINT8 is needed",
    ),
    "another size": (lambda: raw_request(GOLDEN.inputs[:, :16]), grpc.StatusCode.INVALID_ARGUMENT, r"-1, 32, 32, 3"),
    "a huge batch that is not there": (
        lambda: raw_request(inputs=[{"name": "pixels", "datatype": "UINT8", "shape": [2**50, 32, 32, 3]}]),
        grpc.StatusCode.INVALID_ARGUMENT, "belongs to shape",
    ),
    "too few bytes": (
        lambda: raw_request(raw_input_contents=[b"\0" * 100]), grpc.StatusCode.INVALID_ARGUMENT, "100 bytes",
    ),
    "another output": (
        lambda: raw_request(outputs=[{"name": "map"}]), grpc.StatusCode.INVALID_ARGUMENT, "'map'",
    ),
    "shared memory": (
        lambda: raw_request(
            outputs=[{"name": "scores", "parameters": {"shared_memory_region": {"string_param": "x"}}}]
        ),
        grpc.StatusCode.INVALID_ARGUMENT, "plain tensors only",
    ),
    "another model": (lambda: raw_request(model_name="other"), grpc.StatusCode.NOT_FOUND, "'tiny' is"),
    "another version": (lambda: raw_request(model_version="1"), grpc.StatusCode.NOT_FOUND, "version '1'"),
    "no time": (
        lambda: raw_request(parameters={"timeout": {"int64_param": 1}}), grpc.StatusCode.DEADLINE_EXCEEDED, "within",
    ),
    "a timeout that is none": (
        lambda: raw_request(parameters={"timeout": {"string_param": "soon"}}),
        grpc.StatusCode.INVALID_ARGUMENT, "microseconds",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_what_is_wrong_is_named(stub: oip_grpc.GRPCInferenceServiceStub, what: str) -> None:
    """One clear status each, and the next request is answered."""
    request, code, text = BAD[what]
    with pytest.raises(grpc.RpcError, match=text) as failed:
        stub.ModelInfer(request(), timeout=TIMEOUT_S)
    assert failed.value.code() is code
    assert stub.ModelInfer(raw_request(), timeout=TIMEOUT_S).id == "a"


def test_a_value_above_255_is_refused(stub: oip_grpc.GRPCInferenceServiceStub) -> None:
    """It would become another pixel."""
    contents = oip.InferTensorContents(uint_contents=[256] * (32 * 32 * 3))
    tensor = {"name": "pixels", "datatype": "UINT8", "shape": [1, 32, 32, 3], "contents": contents}
    with pytest.raises(grpc.RpcError, match="the value 256"):
        stub.ModelInfer(Request(model_name="tiny", inputs=[tensor]), timeout=TIMEOUT_S)


def test_a_station_in_error_is_not_ready(service: Service, stub: oip_grpc.GRPCInferenceServiceStub) -> None:
    """Live, but not ready; ModelInfer is UNAVAILABLE until the fault has gone."""
    service.station.alarms.raise_alarm("RECORDS_TROUBLE", detail="for this test")
    try:
        assert stub.ServerLive(oip.ServerLiveRequest()).live
        assert not stub.ServerReady(oip.ServerReadyRequest()).ready
        assert not stub.ModelReady(oip.ModelReadyRequest(name="tiny")).ready
        assert stub.ModelMetadata(oip.ModelMetadataRequest(name="tiny")).versions
        with pytest.raises(grpc.RpcError, match="RECORDS_TROUBLE") as failed:
            stub.ModelInfer(raw_request(), timeout=TIMEOUT_S)
        error = call_error(failed.value, "")
        assert (error.code, error.reason, error.retry_after_s) == (grpc.StatusCode.UNAVAILABLE, "STATE", None)
        assert error.metadata["state"] == "ERROR"
    finally:
        service.station.alarms.clear("RECORDS_TROUBLE")
    assert stub.ModelReady(oip.ModelReadyRequest(name="tiny")).ready


def test_a_station_that_waits_for_a_command_promises_no_retry(tmp_path: Path) -> None:
    """Halted, and without a recipe, ModelInfer is FAILED_PRECONDITION and names the state; no time to wait is told."""
    with (
        served(tmp_path, write_tiny_bundle(tmp_path / "tiny")) as running,
        grpc.insecure_channel(running.api_address) as channel,
    ):
        stub = oip_grpc.GRPCInferenceServiceStub(channel)
        commands = {"INITIALIZED": running.station.unprepare_recipe, "HALTED": lambda: running.station.halt("a test")}
        for state, command in commands.items():
            command()
            with pytest.raises(grpc.RpcError, match=state) as failed:
                stub.ModelInfer(raw_request(), timeout=TIMEOUT_S)
            error = call_error(failed.value, "")
            assert (error.code, error.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "STATE")
            assert (error.metadata["state"], error.retry_after_s) == (state, None)


def test_load_from_outside_costs_no_part(tmp_path: Path) -> None:
    """While clients keep the model busy, every part of a running line is judged in time."""
    bundle = write_tiny_bundle(tmp_path / "tiny")
    with served(tmp_path, bundle, geometry={"travel_time_s": 2.0}) as running:  # room for a busy test machine
        running.station.start_line()
        with grpc.insecure_channel(running.api_address) as channel:
            stub = oip_grpc.GRPCInferenceServiceStub(channel)
            answered, until_s = 0, time.monotonic() + 4.0
            while time.monotonic() < until_s:
                calls = [stub.ModelInfer.future(raw_request(), timeout=TIMEOUT_S) for _ in range(6)]
                answered += sum(call.code() is grpc.StatusCode.OK for call in calls)
        status = running.station.status()
    assert answered > 50
    assert status.records >= 10
    assert status.late == 0
    assert status.counters["queue_refused"] == 0


def test_a_map_comes_where_the_model_has_one(tmp_path: Path) -> None:
    """It is in the metadata, and beside the scores for each image of more than one batch; in the order asked for."""
    bundle = write_mapped_bundle(tmp_path / "mapped")
    expected = open_engine(bundle).run_all(bundle.golden().inputs)
    assert expected.map is not None
    with served(tmp_path, bundle.path) as running, grpc.insecure_channel(running.api_address) as channel:
        stub = oip_grpc.GRPCInferenceServiceStub(channel)
        told = stub.ModelMetadata(oip.ModelMetadataRequest(name="tiny"))
        outputs = [{"name": "map"}, {"name": "scores"}]
        answer = stub.ModelInfer(raw_request(bundle.golden().inputs, outputs=outputs), timeout=TIMEOUT_S)
    assert [(tensor.name, list(tensor.shape)) for tensor in told.outputs] == [("scores", [-1, 2]), ("map", [-1, 1, 4])]
    assert [(tensor.name, list(tensor.shape)) for tensor in answer.outputs] == [("map", [6, 1, 4]), ("scores", [6, 2])]
    assert answer.raw_output_contents[0] == expected.map.tobytes()
    assert answer.raw_output_contents[1] == expected.scores.tobytes()


_SHAPES = st.lists(st.integers(-(2**63), 2**63 - 1) | st.sampled_from([1, 2, 3, 32]), max_size=6)
_TENSORS = st.builds(
    Request.InferInputTensor,
    name=st.sampled_from(["pixels", "", "x"]),
    datatype=st.sampled_from(["UINT8", "FP32", "BYTES", ""]),
    shape=_SHAPES | st.sampled_from([[1, 32, 32, 3], [0, 32, 32, 3], [-1, 32, 32, 3]]),
    contents=st.none() | st.builds(oip.InferTensorContents, uint_contents=st.lists(st.integers(0, 2**32 - 1))),
)
_ANY = st.builds(
    Request,
    model_name=st.sampled_from(["tiny", "tiny", "tiny", ""]) | st.text(max_size=10),
    model_version=st.just("") | st.text(max_size=20),
    id=st.text(max_size=10),
    inputs=st.lists(_TENSORS, max_size=3),
    outputs=st.lists(
        st.builds(Request.InferRequestedOutputTensor, name=st.sampled_from(["scores", "map"])), max_size=3
    ),
    raw_input_contents=st.lists(st.binary(max_size=100) | st.just(bytes(32 * 32 * 3)), max_size=2),
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(request=_ANY)
def test_any_request_is_an_answer_or_one_clear_status(
    stub: oip_grpc.GRPCInferenceServiceStub, request: Request
) -> None:
    """Whatever a client says of its tensors: scores, INVALID_ARGUMENT or NOT_FOUND, and nothing else."""
    code = stub.ModelInfer.future(request, timeout=TIMEOUT_S).code()
    assert code in (grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND)

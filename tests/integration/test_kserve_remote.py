"""A station whose model is on another server: the same verdicts, and nothing passes that was not soundly scored."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from kserve_peers import serving_mlserver
from pki import Pki
from real_run import RealRun, relay_board, station_values
from served_station import served
from station_runs import wait_until
from tiny_bundle import tiny_golden, tiny_scores, tiny_weights, write_tiny_bundle

from inspection.api.access_file import add_certificate
from inspection.api.pb import open_inference_pb2 as oip
from inspection.api.pb import open_inference_pb2_grpc as oip_grpc
from inspection.api.roles import Role
from inspection.part import Verdict
from inspection.recipes.errors import RecipeContentError
from inspection.records.reader import RecordReader
from inspection.remote_model.options import RemoteOptions
from inspection.remote_model.session import RemoteSession
from inspection.service import Service
from models.bundle import Bundle, load_bundle
from models.errors import ModelError, ParityError, SessionAwayError, SessionError

GOLDEN = tiny_golden(tiny_weights(2, 3), 32, 32, 3)
ALARM = "MODEL_REMOTE_LOST"


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return load_bundle(write_tiny_bundle(tmp_path / "tiny"))


@pytest.fixture
def port() -> int:
    """A port that a server gets again after its restart."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        number: int = free.getsockname()[1]
        return number


class Server:
    """A `lineward run` whose model others use; it can be killed and started again on the same port."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder, self._port = folder, port
        self._runs = 0
        self.run: RealRun | None = None

    def start(self, bundle: Path) -> RealRun:
        self._runs += 1
        folder = self._folder / f"server-{self._runs}"
        folder.mkdir()
        self._board = relay_board()
        values = station_values(
            folder,
            bundle,
            self._board.__enter__(),
            camera={"backend": "simulated"},
            api={"address": f"127.0.0.1:{self._port}"},
        )
        self.run = RealRun(folder, values, start=False)
        self.run.wait_state("READY")
        return self.run

    def close(self) -> None:
        if self.run is not None:
            self.run.__exit__()
            self._board.__exit__(None, None, None)
            self.run = None


@pytest.fixture
def server(tmp_path: Path, port: int) -> Iterator[Server]:
    one = Server(tmp_path, port)
    yield one
    one.close()


def station(folder: Path, bundle: Bundle, port: int, **remote: Any) -> Service:
    """A station in this process whose model is that of the server on the port."""
    options = {"address": f"127.0.0.1:{port}", "timeout_ms": 300.0, **remote}
    return served(folder / "station", bundle.path, inference={"engine": "kserve", "remote": options})


def alarms(running: Service) -> set[str]:
    return {alarm.name for alarm in running.station.alarms.active()}


def verdicts(running: Service) -> list[Verdict]:
    """What every part so far became, in the order of the parts."""
    records = RecordReader(running.config.records.dir).find(limit=100_000, newest_first=False)
    return [record.verdict for record in records]


def assert_nothing_passes(running: Service, while_done: Callable[[], object]) -> None:
    """From now on, until something is done and some parts more came, every part is rejected."""
    in_hand = len(verdicts(running)) + 4  # parts that were judged before, and are on their way into the records
    wait_until(lambda: len(verdicts(running)) >= in_hand)
    while_done()
    seen = len(verdicts(running))
    wait_until(lambda: len(verdicts(running)) >= seen + 3)
    assert ALARM in alarms(running)
    assert Verdict.PASS not in verdicts(running)[in_hand:]


def assert_passes_again(running: Service) -> None:
    """The alarm goes, and good parts pass."""
    wait_until(lambda: ALARM not in alarms(running), 60.0)
    before = verdicts(running).count(Verdict.PASS)
    wait_until(lambda: verdicts(running).count(Verdict.PASS) > before)


def test_a_killed_server_rejects_and_comes_back(tmp_path: Path, bundle: Bundle, port: int, server: Server) -> None:
    """kill -9 of the server: no part passes until one with the same model is there again; no restart of the line."""
    run = server.start(bundle.path)
    with station(tmp_path, bundle, port) as running:
        running.station.start_line()
        wait_until(lambda: verdicts(running).count(Verdict.PASS) >= 3)
        run.send(signal.SIGKILL)
        wait_until(lambda: ALARM in alarms(running))
        assert_nothing_passes(running, server.close)
        server.start(bundle.path)
        assert_passes_again(running)
    assert running.station.engine.provider == f"kserve 127.0.0.1:{port}"


def test_a_frozen_server_rejects_and_comes_back(tmp_path: Path, bundle: Bundle, port: int, server: Server) -> None:
    """SIGSTOP: nothing passes, no worker is held longer than the timeout; SIGCONT: the line goes on by itself."""
    run = server.start(bundle.path)
    with station(tmp_path, bundle, port) as running:
        running.station.start_line()
        wait_until(lambda: verdicts(running).count(Verdict.PASS) >= 3)
        run.send(signal.SIGSTOP)
        wait_until(lambda: ALARM in alarms(running))
        assert_nothing_passes(running, lambda: None)
        assert "INFERENCE_STALLED" not in alarms(running)
        run.send(signal.SIGCONT)
        assert_passes_again(running)


def test_another_model_on_the_server_is_not_trusted(tmp_path: Path, bundle: Bundle, port: int, server: Server) -> None:
    """A server that comes back with other weights under the same name is refused while it runs, and at the start."""
    another = write_tiny_bundle(tmp_path / "another", seed=5)
    server.start(bundle.path)
    with station(tmp_path, bundle, port) as running:
        running.station.start_line()
        server.close()
        server.start(another)
        wait_until(lambda: any("has another model" in str(one.values) for one in running.station.alarms.active()), 60.0)
        assert_nothing_passes(running, lambda: None)
    with pytest.raises(ParityError, match="has another model"), station(tmp_path / "again", bundle, port):
        pass


def test_a_recipe_names_a_model_on_a_server(tmp_path: Path, bundle: Bundle, port: int, server: Server) -> None:
    """Prepared, its parts are scored there; another recipe brings the model home, and the server may go."""
    server.start(bundle.path)
    with served(tmp_path / "station", bundle.path) as running:
        line = running.station
        recipe = f'[inference]\nengine = "kserve"\n[inference.remote]\naddress = "127.0.0.1:{port}"\n'
        line.recipes.add("away", recipe, "")
        with pytest.raises(RecipeContentError, match=r"inference\.workers: is no matter of a recipe"):
            line.recipes.check("[inference]\nworkers = 4\n")
        at_home = line.engine.provider
        line.prepare_recipe("away")
        line.start_line()
        wait_until(lambda: verdicts(running).count(Verdict.PASS) >= 3)
        line.stop_line()
        line.prepare_recipe("station")
        server.close()
        seen = len(verdicts(running))
        line.start_line()
        wait_until(lambda: Verdict.PASS in verdicts(running)[seen:])
        assert ALARM not in alarms(running)
    records = RecordReader(running.config.records.dir).find(limit=100_000, newest_first=False)
    assert {(record.recipe, record.provider) for record in records} == {
        ("away", f"kserve 127.0.0.1:{port}"),
        ("station", at_home),
    }


def test_the_server_is_reached_over_mutual_tls(tmp_path: Path, bundle: Bundle) -> None:
    """Each side shows a certificate of the plant's CA; a station whose certificate has no role gets no score."""
    pki = Pki(tmp_path / "tls")
    add_certificate(tmp_path / "access.json", "line-2", Role.ENGINEER)
    known, stranger = pki.client("line-2"), pki.client("line-3")
    api = {"client_ca": pki.folder / "ca.pem", "tokens": tmp_path / "access.json", **pki.options}
    with served(tmp_path / "server", bundle.path, api=api) as serving:
        options = {"address": serving.api_address, "tls": True, "ca_file": known["ca"], "timeout_ms": 1000.0}
        mine = RemoteOptions(**options, cert_file=known["certificate"], key_file=known["key"])
        session = RemoteSession(bundle, mine, print)
        scores = session.run(bundle.golden().inputs[:1])
        session.close()
        assert np.allclose(scores, bundle.golden().scores[:1], atol=1e-5)
        with pytest.raises(SessionError, match="has no role here"):
            RemoteSession(
                bundle, RemoteOptions(**options, cert_file=stranger["certificate"], key_file=stranger["key"]), print
            )


def test_no_server_is_one_sentence(bundle: Bundle, port: int) -> None:
    """A station without its server does not start."""
    options = RemoteOptions(address=f"127.0.0.1:{port}")
    with pytest.raises(SessionError, match="start it, or mend"):
        RemoteSession(bundle, options, print)


# ---------------------------------------------------------------- a server that lies, at the wire


class Liar(oip_grpc.GRPCInferenceServiceServicer):
    """Scores as the bundle does, until it is told to spoil its answers. On real sockets."""

    def __init__(self) -> None:
        self.spoil: Callable[[oip.ModelInferResponse], object] = lambda answer: None

    def ModelInfer(  # noqa: N802 - the name in the proto
        self, request: oip.ModelInferRequest, context: Any
    ) -> oip.ModelInferResponse:
        images = np.frombuffer(request.raw_input_contents[0], np.uint8).reshape(request.inputs[0].shape)
        scores = tiny_scores(tiny_weights(2, 3), images)
        answer = oip.ModelInferResponse(
            model_name=request.model_name,
            model_version="1",
            outputs=[{"name": "scores", "datatype": "FP32", "shape": scores.shape}],
            raw_output_contents=[scores.astype("<f4").tobytes()],
        )
        self.spoil(answer)
        return answer


@pytest.fixture
def liar(port: int) -> Iterator[Liar]:
    server, servicer = grpc.server(futures.ThreadPoolExecutor(4)), Liar()
    oip_grpc.add_GRPCInferenceServiceServicer_to_server(servicer, server)
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    yield servicer
    server.stop(0).wait()


def _no_numbers(answer: oip.ModelInferResponse) -> None:
    answer.raw_output_contents[0] = np.full(tuple(answer.outputs[0].shape), np.nan, "<f4").tobytes()


SPOILED: dict[str, tuple[Callable[[oip.ModelInferResponse], object], str]] = {
    "no numbers": (_no_numbers, "no numbers"),
    "another shape": (lambda answer: answer.outputs[0].shape.append(1), "is needed"),
    "another datatype": (lambda answer: setattr(answer.outputs[0], "datatype", "FP16"), "FP16"),
    "too few bytes": (lambda answer: answer.raw_output_contents.__setitem__(0, b"\0" * 4), "has 1 values"),
    "an odd number of bytes": (lambda answer: answer.raw_output_contents.__setitem__(0, b"\0" * 7), "multiple of 4"),
    "nothing": (lambda answer: answer.Clear(), "answered, not"),
    "no output": (lambda answer: answer.ClearField("outputs"), "0 outputs"),
    "a huge shape": (lambda answer: answer.outputs[0].shape.__setitem__(0, 2**60), "is needed"),
    "another version": (lambda answer: setattr(answer, "model_version", "2"), "version '2' answered"),
    "wrong scores": (
        lambda answer: answer.raw_output_contents.__setitem__(0, bytes(len(answer.raw_output_contents[0]))),
        "has another model",
    ),
}


@pytest.mark.parametrize("how", SPOILED)
def test_an_unsound_answer_is_never_a_score(bundle: Bundle, port: int, liar: Liar, how: str) -> None:
    """It is told once, nothing is asked of that connection again, and sound answers are trusted again by themselves."""
    told: list[str] = []
    options = RemoteOptions(address=f"127.0.0.1:{port}", timeout_ms=1500, check_s=0.5)
    spoil, text = SPOILED[how]
    session = RemoteSession(bundle, options, told.append)
    try:
        np.testing.assert_allclose(session.run(GOLDEN.inputs), GOLDEN.scores, atol=1e-3)
        liar.spoil = spoil
        if how != "wrong scores":  # nobody can tell those by looking at one answer: the regular check does
            with pytest.raises(SessionAwayError, match=text):
                session.run(GOLDEN.inputs)
        wait_until(lambda: any(text in one for one in told))
        with pytest.raises(ModelError):
            session.run(GOLDEN.inputs)
        liar.spoil = lambda answer: None
        wait_until(lambda: told[-1] == "")
        np.testing.assert_allclose(session.run_all(GOLDEN.inputs).scores, GOLDEN.scores, atol=1e-3)
    finally:
        session.close()


# ---------------------------------------------------------------- another maker's server


def test_another_makers_server_gives_the_same_scores(tmp_path: Path, bundle: Bundle, port: int) -> None:
    """MLServer with the bundle's own model.onnx: golden vectors hold; when it is killed, no score comes any more."""
    with serving_mlserver(tmp_path / "mlserver", bundle.path, port) as process:
        session = RemoteSession(bundle, RemoteOptions(address=f"127.0.0.1:{port}", timeout_ms=1500), print)
        try:
            for size in (1, 3, 6):
                np.testing.assert_allclose(session.run(GOLDEN.inputs[:size]), GOLDEN.scores[:size], atol=1e-3)
            process.kill()
            process.wait(30.0)
            with pytest.raises(SessionAwayError):
                session.run(GOLDEN.inputs)
        finally:
            session.close()

"""Other makers' ends of the Open Inference Protocol, in processes and an environment of their own."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from station_runs import wait_until

from inspection.api.pb import open_inference_pb2 as oip
from inspection.api.pb import open_inference_pb2_grpc as oip_grpc

REPOSITORY = Path(__file__).resolve().parents[2]


def kserve_python() -> Path:
    """Return the interpreter of the environment that has Triton's client and MLServer."""
    run = subprocess.run([REPOSITORY / "scripts" / "test-kserve"], capture_output=True, text=True, timeout=280)
    if run.returncode != 0:
        message = f"no environment with other makers' programs: {run.stderr[-500:]}"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return REPOSITORY / ".venv" / "kserve" / "bin" / "python"


def run_peer(script: str, *arguments: str) -> str:
    """Run a script of `kserve_peer` with that interpreter, and return what it wrote."""
    file = Path(__file__).with_name("kserve_peer") / script
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    run = subprocess.run(
        [kserve_python(), str(file), *arguments], capture_output=True, text=True, timeout=120, env=environment
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


@contextlib.contextmanager
def serving_mlserver(folder: Path, bundle: Path, grpc_port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run MLServer with the bundle's graph under its card's name, from its first answer to the end of the block."""
    folder.mkdir()
    shutil.copy(bundle / "model.onnx", folder)
    shutil.copy(Path(__file__).with_name("kserve_peer") / "onnx_runtime.py", folder)
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        ports = one.getsockname()[1], other.getsockname()[1]
    settings = {
        "host": "127.0.0.1", "grpc_port": grpc_port, "http_port": ports[0], "metrics_port": ports[1],
        "parallel_workers": 0,
    }  # fmt: skip
    (folder / "settings.json").write_text(json.dumps(settings))
    model = {"name": "tiny", "implementation": "onnx_runtime.OnnxModel", "parameters": {"uri": "./model.onnx"}}
    (folder / "model-settings.json").write_text(json.dumps(model))
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    program = [kserve_python().with_name("mlserver"), "start", str(folder)]
    with (folder / "said.txt").open("w") as said:
        process = subprocess.Popen(program, cwd=folder, env=environment, stdout=said, stderr=said)
    try:
        wait_until(lambda: _is_ready(grpc_port) or process.poll() is not None, 60.0)
        assert process.poll() is None, (folder / "said.txt").read_text()
        yield process
    finally:
        process.kill()
        process.wait(30.0)


def _is_ready(port: int) -> bool:
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = oip_grpc.GRPCInferenceServiceStub(channel)
        try:
            return bool(stub.ModelReady(oip.ModelReadyRequest(name="tiny"), timeout=1.0).ready)
        except grpc.RpcError:
            return False

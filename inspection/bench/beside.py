"""The station beside other software that serves the same model: the same frames, the same machine, one run."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from inspection.bench.bare import load, model_alone
from inspection.bench.frames import Setting, render, render_frames
from inspection.bench.station_load import latency, throughput
from models.bundle import load_bundle
from models.references import resolve_bundle

Say = Callable[[str], None]
PEERS = ("plain_grpc", "ray_serve", "anomalib_inferencer", "openvino_queue")
_HERE = Path(__file__).with_name("peers")
_IN_FLIGHT = 8
_LIMIT_S = 300.0


@dataclass(frozen=True, slots=True)
class Figures:
    """What one server of the model reached: its best rate, and the latency of frames at half the bare model's rate."""

    parts_per_s: float
    p50_ms: float
    p99_ms: float


def run(setting: Setting, python: Path, *, seconds: float, rounds: int, say: Say) -> dict[str, Any]:
    """Measure the station and each peer in turn, `rounds` times; return medians, and what could not be measured.

    python: the interpreter of an environment in which the peers are installed. A peer that cannot run is told with the
    last line of what it said.
    """
    with tempfile.TemporaryDirectory(prefix="lineward-peers-") as name:
        folder = Path(name)
        frames, setting = render_frames(folder / "frames", setting)
        bare = model_alone(setting, load(setting), seconds / 2).per_s
        request = _request(setting, folder, seconds, bare / 2)
        found: dict[str, list[Figures]] = {"lineward": []}
        failed: dict[str, str] = {}
        for number in range(rounds):
            found["lineward"].append(_station(setting, frames, folder / f"records-{number}", seconds, bare / 2))
            say(f"lineward: {found['lineward'][-1]}")
            for peer in PEERS:
                answer = _peer(peer, python, request)
                if isinstance(answer, str):
                    failed[peer] = answer
                else:
                    found.setdefault(peer, []).append(answer)
                say(f"{peer}: {answer}")
        table = {name: asdict(_median(figures)) for name, figures in found.items()}
        return {"bundle": setting.bundle, "bare_per_s": round(bare, 1), "servers": table, "not_measured": failed}


def _request(setting: Setting, folder: Path, seconds: float, rate_hz: float) -> Path:
    bundle = load_bundle(resolve_bundle(setting.bundle))
    np.save(folder / "frames.npy", np.stack(render(setting)[:8]))
    (folder / "model.onnx").write_bytes(bundle.read("model.onnx"))
    file = folder / "request.json"
    request = {
        "model": str(folder / "model.onnx"),
        "frames": str(folder / "frames.npy"),
        "side": bundle.card.input.height,
        "seconds": seconds,
        "rate_hz": rate_hz,
        "in_flight": _IN_FLIGHT,
        "workers": setting.workers,
    }
    file.write_text(json.dumps(request))
    return file


def _station(setting: Setting, frames: Path, records: Path, seconds: float, rate_hz: float) -> Figures:
    rate, _ = throughput(setting, frames, records, seconds)
    told = latency(setting, frames, records.with_name(f"{records.name}-latency"), rate_hz, seconds)
    return Figures(round(rate.per_s, 1), told["p50_ms"], told["p99_ms"])


def _peer(name: str, python: Path, request: Path) -> Figures | str:
    """Run one peer in a process of its own; return its figures, or why there are none."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    try:
        done = subprocess.run(
            [python, _HERE / f"{name}.py", request], capture_output=True, text=True, timeout=_LIMIT_S, env=environment
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    told = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if not told:
        return (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1]
    return Figures(**json.loads(told[-1]))


def _median(figures: list[Figures]) -> Figures:
    columns = zip(*(asdict(one).values() for one in figures), strict=True)
    return Figures(*(round(statistics.median(column), 2) for column in columns))

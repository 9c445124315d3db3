"""Images to judge: unary Inspect beside the pipeline without gRPC, and beside a bare echo of the same bytes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.shared_memory import SharedMemory
from typing import Any

import grpc
import numpy as np

from camera.frame import Pixels
from inspection.api import v1 as pb
from inspection.api import v1_grpc as pb_grpc
from inspection.api.shared_memory import PREFIX
from inspection.bench.api.echo import METHOD, OPTIONS
from inspection.engine import Engine

SIZES = {"1_mp": (1280, 800), "5_mp": (2448, 2048)}
_TIMEOUT_S = 30.0
_WARM_UP = 5


@dataclass(frozen=True, slots=True)
class Servers:
    """Where the calls go. engine: the pipeline of a station with the same configuration, in this process."""

    station: str
    echo: str
    engine: Engine


def measure(servers: Servers, frame: Pixels, rounds: int) -> dict[str, Any]:
    """Time one call of each kind in turn, `rounds` times; milliseconds, and ratios as medians over the rounds.

    frame: uint8 (height, width) Mono8. A neighbour on the machine slows all of one round, so the ratios hold better
    than the times.
    """
    with _calls(servers, frame) as calls:
        taken_ms: dict[str, list[float]] = {name: [] for name in calls}
        for number in range(_WARM_UP + rounds):
            for name, call in calls.items():
                began_ns = time.monotonic_ns()
                call()
                if number >= _WARM_UP:
                    taken_ms[name].append((time.monotonic_ns() - began_ns) * 1e-6)
    return summary(taken_ms)


def summary(taken_ms: Mapping[str, list[float]]) -> dict[str, Any]:
    """Return p50 and p99 of each kind, and how many times as long Inspect takes as each reference."""
    found: dict[str, Any] = {
        name: {f"p{share}_ms": round(float(np.percentile(all_ms, share)), 3) for share in (50, 99)}
        for name, all_ms in taken_ms.items()
    }

    def ratio(ours: str, other: str) -> dict[str, float]:
        each = [a / b for a, b in zip(taken_ms[ours], taken_ms[other], strict=True)]
        return {
            "p50": round(statistics.median(each), 2),
            "p99": round(found[ours]["p99_ms"] / found[other]["p99_ms"], 2),
        }

    both = [a + b for a, b in zip(taken_ms["pipeline"], taken_ms["echo"], strict=True)]
    found["inspect_to_pipeline"] = ratio("inspect", "pipeline")
    found["inspect_to_echo"] = ratio("inspect", "echo")
    found["inspect_to_pipeline_and_echo"] = round(
        statistics.median(a / b for a, b in zip(taken_ms["inspect"], both, strict=True)), 2
    )
    found["shared_memory_to_bytes"] = ratio("shared_memory", "inspect")
    return found


@contextmanager
def _calls(servers: Servers, frame: Pixels) -> Iterator[dict[str, Callable[[], object]]]:
    """Give the calls that are compared, each with the same picture."""
    height, width = frame.shape
    raw = pb.RawImage(data=frame.tobytes(), width=width, height=height, pixel_format="Mono8")
    request, payload = pb.InspectRequest(raw=raw), frame.tobytes()
    with (
        grpc.insecure_channel(servers.station, options=OPTIONS) as ours,
        grpc.insecure_channel(servers.echo, options=OPTIONS) as bare,
        _shared(frame) as shared,
    ):
        inspect = pb_grpc.InspectionServiceStub(ours).Inspect
        echo: Callable[..., bytes] = bare.unary_unary(METHOD)
        yield {
            "pipeline": lambda: servers.engine.inspect(frame, _TIMEOUT_S),
            "echo": lambda: echo(payload, timeout=_TIMEOUT_S),
            "inspect": lambda: inspect(request, timeout=_TIMEOUT_S),
            "shared_memory": lambda: inspect(shared, timeout=_TIMEOUT_S),
        }


@contextmanager
def _shared(frame: Pixels) -> Iterator[pb.InspectRequest]:
    """Lay a picture into shared memory, and give the request that names it."""
    memory = SharedMemory(name=f"{PREFIX}bench-{time.monotonic_ns()}", create=True, size=frame.nbytes)
    try:
        np.ndarray(frame.shape, np.uint8, memory.buf)[:] = frame
        height, width = frame.shape
        image = pb.SharedImage(
            name=memory.name, size_bytes=frame.nbytes, width=width, height=height, pixel_format="Mono8"
        )
        yield pb.InspectRequest(shared=image)
    finally:
        memory.close()
        memory.unlink()

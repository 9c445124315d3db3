"""A `lineward run` of its own process whose API is abused: its address, its memory, and whether its line goes on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import grpc
import psutil
from challenged import belt_config
from real_run import TIMEOUT_S, RealRun
from station_runs import wait_until
from tiny_bundle import write_tiny_bundle

from inspection.api import v1 as pb
from inspection.api import v1_grpc as pb_grpc

LIMIT_MB = 32
"""What the default configuration takes of one message."""


class AttackedRun:
    """A running station. Owned by the test."""

    def __init__(self, run: RealRun) -> None:
        self.run = run
        with run.client() as client:
            self.address = client.address
        run.wait_state("CONTINUOUS_EXECUTION")
        self._process = psutil.Process(run.process.pid)

    @property
    def resident_mb(self) -> float:
        """How much memory the station's process holds."""
        return self._process.memory_info().rss / 1e6

    def channel(self, **options: int) -> grpc.Channel:
        """Return a connection of its own, without limits of the client's."""
        limits = {"max_send_message_length": -1, "max_receive_message_length": -1, "use_local_subchannel_pool": 1}
        return grpc.insecure_channel(
            self.address, options=[(f"grpc.{name}", value) for name, value in {**limits, **options}.items()]
        )

    def status(self) -> pb.GetStatusResponse:
        """Ask for the status as any other client would."""
        with self.channel() as channel:
            answer: pb.GetStatusResponse = pb_grpc.StationServiceStub(channel).GetStatus(
                pb.GetStatusRequest(), timeout=TIMEOUT_S
            )
        return answer

    def goes_on(self) -> bool:
        """Wait until more parts have been recorded, and return whether the state is the one of a running line."""
        before = self.status().records
        wait_until(lambda: self.status().records > before + 2, TIMEOUT_S)
        return pb.State.Name(self.status().state) == "STATE_CONTINUOUS_EXECUTION"


@contextlib.contextmanager
def attacked_run(folder: Path, **changes: Mapping[str, Any]) -> Iterator[AttackedRun]:
    """Start a station on an endless belt; while the block lasts it runs."""
    bundle = write_tiny_bundle(folder / "tiny")
    tables: dict[str, Any] = {"challenge": {"required": False}, "reactions": {"run_out_s": 0.0}, **changes}
    config = belt_config(folder / "records", str(bundle), **tables)
    values = config.model_dump(mode="json", by_alias=True, exclude_unset=True)
    with RealRun(folder, values) as run:
        yield AttackedRun(run)

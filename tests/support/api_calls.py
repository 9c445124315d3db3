"""Every service of a running station over one channel, each call bounded, each refusal as the client reads it."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import grpc
import pytest
from challenged import Belt, belt_config
from tiny_bundle import write_tiny_bundle

from inspection.api import v1_grpc as pb_grpc
from inspection.api.call_error import call_error
from inspection.api.errors import CallError
from inspection.api.proto_text import errors_of, errors_of_every_call
from inspection.service import Service

TIMEOUT_S = 30.0


class Timed:
    """A stub whose calls all have a deadline."""

    def __init__(self, stub: Any) -> None:
        self._stub = stub

    def __getattr__(self, method: str) -> Callable[..., Any]:
        call = getattr(self._stub, method)

        def timed(request: Any, **more: Any) -> Any:
            return call(request, **{"timeout": TIMEOUT_S, **more})

        timed.__name__ = f"{request_service(self._stub)}.{method}"
        return timed


class Calls:
    """The services by name, as an integrator's generated code has them."""

    def __init__(self, address: str) -> None:
        self.channel = grpc.insecure_channel(address)
        self.station = Timed(pb_grpc.StationServiceStub(self.channel))
        self.recipes = Timed(pb_grpc.RecipeServiceStub(self.channel))
        self.lots = Timed(pb_grpc.LotServiceStub(self.channel))
        self.results = Timed(pb_grpc.ResultServiceStub(self.channel))
        self.models = Timed(pb_grpc.ModelServiceStub(self.channel))
        self.cameras = Timed(pb_grpc.CameraServiceStub(self.channel))
        self.alarms = Timed(pb_grpc.AlarmServiceStub(self.channel))
        self.audit = Timed(pb_grpc.AuditServiceStub(self.channel))
        self.challenges = Timed(pb_grpc.ChallengeServiceStub(self.channel))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.channel.close()


def request_service(stub: Any) -> str:
    """Return the full name of a stub's service."""
    return f"lineward.inspection.v1.{type(stub).__name__.removesuffix('Stub')}"


def refused(call: Callable[..., Any], request: Any, **more: Any) -> CallError:
    """Return how a call is refused, which must be one of the ways that its proto names; a stream is read to its end."""
    with pytest.raises(grpc.RpcError) as failed:
        _to_the_end(call(request, **more))
    error = call_error(failed.value, "")
    told = {(one.code, one.reason) for one in (*errors_of(call.__name__), *errors_of_every_call())}
    assert (error.code.name, error.reason) in told, f"{call.__name__} does not say that it ends so: {error}"
    return error


def _to_the_end(answer: Any) -> None:
    if hasattr(answer, "__iter__"):
        list(answer)


def code_and_reason(call: Callable[..., Any], request: Any, **more: Any) -> tuple[str, str]:
    """Return code and reason with which a call is refused."""
    error = refused(call, request, **more)
    assert error.reason, f"no ErrorInfo came with {error.code}: {error}"
    return error.code.name, error.reason


def new_id() -> str:
    """Return a request id."""
    return str(uuid.uuid4())


@contextlib.contextmanager
def belt_service(folder: Path, *, is_bad: bool = False, **changes: Any) -> Iterator[tuple[Service, Calls]]:
    """Run a station with its API on an endless belt of equal parts, its line stopped."""
    bundle = write_tiny_bundle(folder / "tiny")
    tables: dict[str, Any] = {"challenge": {"required": False}, "reactions": {"run_out_s": 0.0}}
    for name, table in changes.items():
        tables[name] = {**tables.get(name, {}), **table}
    service = Service(belt_config(folder / "records", str(bundle), **tables))
    service.station.scene = Belt(bad=is_bad)
    with service, Calls(service.api_address) as calls:
        yield service, calls

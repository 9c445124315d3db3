"""What may be set about metrics, traces and logs: the tables [metrics], [telemetry] and [log]."""

from __future__ import annotations

import ipaddress
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

_ADDRESS = r"^([\w.-]+|\[[0-9A-Fa-f:.]+\]):\d{1,5}$"
INSTALL_TELEMETRY = "pip install 'lineward[telemetry]'"


class MetricsOptions(BaseModel):
    """[metrics]: whether and where Prometheus may scrape."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = False
    address: str = Field(
        "127.0.0.1:9464", pattern=_ADDRESS, description="host:port of http://…/metrics; it knows no login"
    )
    allow_network: bool = Field(False, description="true: the address may be open to the network; anybody there reads")

    @model_validator(mode="after")
    def _listens_where_it_may(self) -> Self:
        host, port = self.listens_on
        if port > 65_535:
            raise ValueError(f"address is {self.address!r}, but a port lies between 0 and 65535")
        if not self.allow_network and not _is_loopback(host):
            raise ValueError(
                f"address {self.address!r} is open to the network — only loopback is allowed, as the metrics know no "
                "login — scrape through an agent on this machine, or set allow_network = true"
            )
        return self

    @property
    def listens_on(self) -> tuple[str, int]:
        """Host and port; port 0 takes any free one."""
        host, _, port = self.address.rpartition(":")
        return host.removeprefix("[").removesuffix("]"), int(port)


class TelemetryOptions(BaseModel):
    """[telemetry]: traces of single parts for a collector that speaks OTLP over gRPC."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = False
    endpoint: str = Field("http://127.0.0.1:4317", description="the collector; https:// for TLS")
    sample_ratio: float = Field(0.01, ge=0, le=1, description="share of the parts that are traced")
    always_rejects: bool = Field(True, description="trace every rejected part beside the sample")
    queue_capacity: int = Field(
        2048, ge=1, le=100_000, description="parts that may wait for the collector; one more has no trace"
    )
    timeout_s: float = Field(5.0, ge=0.1, le=60, description="how long the collector may take for a batch")

    @model_validator(mode="after")
    def _can_be_sent(self) -> Self:
        if not self.enabled:
            return self
        url = urlsplit(self.endpoint)
        if url.scheme not in ("http", "https") or not url.hostname or url.username is not None or url.query:
            raise ValueError(
                "endpoint is no address of a collector — http://host:port or https://host:port is needed, without "
                "credentials — for example http://127.0.0.1:4317"
            )
        if not telemetry_installed():
            raise ValueError(f"the traces need packages that are not installed — {INSTALL_TELEMETRY}")
        return self


class LogOptions(BaseModel):
    """[log]: what the station says beside its records. 1 MB = 1,000,000 bytes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="the least grave lines that are written; debug has a line for each part"
    )
    format: Literal["text", "json"] = Field("text", description="json: one object a line, for other programs")
    file: Path | None = Field(None, description="a file instead of stderr; its folder is made when absent")
    total_mb: float = Field(50.0, ge=0.01, le=100_000, description="of the file and those before it together")
    files: int = Field(5, ge=2, le=100, description="how many files the total is spread over")

    @property
    def file_bytes(self) -> int:
        """How large one file may become."""
        return round(self.total_mb * 1_000_000 / self.files)


def telemetry_installed() -> bool:
    """Return whether what the traces stand on is installed."""
    try:
        return all(
            find_spec(name) is not None
            for name in ("opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.grpc.trace_exporter")
        )
    except ModuleNotFoundError:
        return False


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

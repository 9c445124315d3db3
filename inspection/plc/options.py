"""What may be set about the PLC: the [plc] table of a configuration."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from inspection.ejector.board_options import Baud


class PlcOptions(BaseModel):
    """[plc]: whether and where a PLC is served, and what its silence means."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = False
    transport: Literal["tcp", "rtu"] = Field("tcp", description="over the network, or over a serial line")
    address: str = Field(
        "127.0.0.1:1502",
        pattern=r"^([\w.-]+|\[[0-9A-Fa-f:.]+\]):\d{1,5}$",
        description="tcp: host:port to listen on; Modbus knows no password, so leave it to the machine network",
    )
    port: str = Field("", description="rtu: the serial port, best /dev/serial/by-id/…")
    baud: Baud = Field(19200, description="rtu: bits per second")
    parity: Literal["N", "E", "O"] = Field("E", description="rtu: none, even or odd")
    stop_bits: Literal[1, 2] = Field(1, description="rtu")
    unit_id: int = Field(1, ge=1, le=247, description="rtu: the station's address on the line; tcp answers to any")
    plc_timeout_ms: float = Field(
        2000.0, ge=100, le=60_000, description="a PLC whose heartbeat does not change for so long is silent"
    )
    silence: Literal["block", "warn"] = Field(
        "block", description="block: nothing passes while the PLC is silent; warn: the operator is told"
    )
    inspect_window_ms: float | None = Field(
        None,
        gt=0,
        le=3_600_000,
        description="a result not shown so long after its trigger is a Fail; absent: travel time and two seconds",
    )
    results_capacity: int = Field(64, ge=1, le=10_000, description="results that may wait for the PLC")
    heartbeat_ms: float = Field(
        250.0, ge=50, le=10_000, description="time between two counts of the station's heartbeat"
    )
    max_clients: int = Field(4, ge=1, le=32, description="tcp: connections at a time; one more ends the idlest")
    commands: bool = Field(True, description="whether the PLC may start and stop the line")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.transport == "rtu" and self.enabled and not self.port:
            raise ValueError("transport rtu needs a port, such as /dev/serial/by-id/…")
        if self.transport == "tcp" and self.port:
            raise ValueError(f"port is {self.port!r}, but transport tcp has an address; leave it out, or set rtu")
        if self.listens_on[1] > 65_535:
            raise ValueError(f"address is {self.address!r}, but a port lies between 0 and 65535")
        return self

    @property
    def listens_on(self) -> tuple[str, int]:
        """Host and port of a tcp server; port 0 takes any free one."""
        host, _, port = self.address.rpartition(":")
        return host.removeprefix("[").removesuffix("]"), int(port)

    def window_ns(self, travel_s: float) -> int:
        """Return how long after its trigger a result may first be shown; travel_s: from photo-eye to ejector."""
        window_ms = self.inspect_window_ms if self.inspect_window_ms is not None else travel_s * 1e3 + 2000.0
        return round(window_ms * 1e6)

"""What the configuration may say of a camera that Aravis drives."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from camera.genicam.options import StreamingOptions


class Options(StreamingOptions):
    """Settings of GigE Vision and USB3 Vision cameras through Aravis."""

    packet_size: int = Field(
        default=0,
        ge=0,
        le=16_404,
        description="bytes of a packet on the network; 0: the largest that comes through (9000 on loopback)",
    )
    packet_delay: int | None = Field(
        default=None, ge=0, description="ticks of the device's clock between two packets; absent: as the device has it"
    )
    socket_buffer_mb: int | None = Field(
        default=None, ge=1, le=1024, description="what the kernel may hold back; absent: as much as it allows"
    )
    packet_socket: Literal["auto", "on", "off"] = Field(
        default="auto",
        description="receive beside the kernel's UDP; needs root; auto: off on loopback, else if allowed",
    )
    buffers: int = Field(
        default=20,
        ge=2,
        le=1000,
        description="pictures that may wait, for the station or for late packets: more than frame_retention_ms at the "
        "frame rate",
    )
    resend: bool = Field(default=True, description="ask the camera again for packets that did not come")
    packet_timeout_ms: float = Field(default=20.0, ge=0.1, le=1000, description="a packet so late is asked for again")
    frame_retention_ms: float = Field(
        default=100.0, ge=1, le=10_000, description="a picture whose packets stay away for so long is broken"
    )

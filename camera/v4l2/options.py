"""What a recipe may say about a camera that the kernel knows as /dev/video*."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, Self

from pydantic import Field, model_validator

from camera.device import DeviceOptions
from camera.v4l2 import abi
from camera.v4l2.formats import KNOWN


class Options(DeviceOptions):
    """Settings of a V4L2 camera; absent: as the device has it. Each is read back and compared before the first frame.

    device: a node (/dev/video0), the name of its link in /dev/v4l/by-id or by-path, or the serial number.
    """

    pixel_format: str | None = Field(
        default=None, description=f"its four-character code: {', '.join(KNOWN)}; absent: the first that is offered"
    )
    size: tuple[int, int] | None = Field(default=None, description="width and height, pixels")
    frame_rate_hz: float | None = Field(default=None, gt=0, le=10_000, description="pictures per second")
    exposure_us: int | None = Field(default=None, ge=100, le=60_000_000, description="a multiple of 100")
    gain: int | None = Field(default=None, description="in the device's own unit")
    white_balance_k: int | None = Field(default=None, ge=1_000, le=25_000, description="colour temperature, kelvin")
    focus: int | None = Field(default=None, description="in the device's own unit")
    controls: dict[str, bool | int | str] = Field(
        default_factory=dict,
        description="any other control, named as `v4l2-ctl -L` does; of a menu, the number or text of the entry",
    )
    autos: Literal["off", "as_is"] = Field(
        default="off", description="as_is: automatics stay as they are, only while values are looked for"
    )
    triggered: bool = Field(
        default=False, description="a wire triggers each picture (a control of the vendor's): silence is no fault"
    )
    buffers: int = Field(default=4, ge=2, le=32, description="pictures that wait in the kernel before one is dropped")

    @model_validator(mode="after")
    def _readable(self) -> Self:
        if self.pixel_format is not None and self.pixel_format not in KNOWN:
            raise ValueError(f"pixel_format = {self.pixel_format!r}: not read; set one of {', '.join(KNOWN)}")
        if self.size is not None and not all(1 <= side <= 65_535 for side in self.size):
            raise ValueError(f"size = {list(self.size)}: each side is 1 to 65535 pixels; mend it")
        if self.exposure_us is not None and self.exposure_us % 100:
            raise ValueError(f"exposure_us = {self.exposure_us}: the kernel counts in 100 µs; give a multiple of 100")
        return self

    @property
    def is_triggered(self) -> bool:
        """True where no picture comes of itself: then silence is no fault."""
        return self.triggered

    def by_meaning(self) -> Iterator[tuple[str, int, int]]:
        """Yield the options that are controls: the option's name, the control's number and the value in its unit."""
        exposure = None if self.exposure_us is None else self.exposure_us // 100
        for name, control, value in (
            ("exposure_us", abi.EXPOSURE_ABSOLUTE, exposure),
            ("gain", abi.GAIN, self.gain),
            ("white_balance_k", abi.WHITE_BALANCE_TEMPERATURE, self.white_balance_k),
            ("focus", abi.FOCUS_ABSOLUTE, self.focus),
        ):
            if value is not None:
                yield name, control, value

"""What a recipe may say about a GenICam camera: by what it means, not by what one vendor calls it."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from camera.device import DeviceOptions
from camera.genicam.nodes import Value

TriggerSource = Literal["free_run", "software", "line", "encoder", "action"]
Chunk = Literal["timestamp", "counter", "encoder", "exposure"]
_OFF = ("Off", "off", 0, False)


class GenicamOptions(DeviceOptions):
    """Settings of GigE Vision, USB3 Vision and GenTL cameras; absent: as the device has it (or its user set).

    Each is written to the device by its SFNC name, read back and compared before the first frame.
    """

    leave_as_is: bool = Field(
        default=False, description="nothing is written when the device is opened: to look at it, not for a station"
    )
    user_set: str = Field(default="", description="loaded before anything else: Default, UserSet1 …")
    pixel_format: str | None = Field(default=None, description="PFNC name: Mono8, BayerRG12p, RGB8 …")
    roi: tuple[int, int, int, int] | None = Field(default=None, description="x, y, width, height on the sensor, pixels")
    binning: tuple[int, int] | None = Field(default=None, description="horizontal, vertical")
    reverse_x: bool | None = Field(default=None, description="mirror left and right")
    reverse_y: bool | None = Field(default=None, description="mirror up and down")
    exposure_us: float | None = Field(default=None, gt=0, le=60_000_000, description="exposure time")
    gain: float | None = Field(default=None, description="in the device's unit, mostly dB")
    black_level: float | None = Field(default=None, description="what black gives, in the device's unit")
    gamma: float | None = Field(default=None, gt=0, le=10, description="1: pictures follow the light linearly")
    white_balance: tuple[float, float, float] | None = Field(default=None, description="red, green, blue ratios")
    frame_rate_hz: float | None = Field(default=None, gt=0, le=100_000, description="of a free-running camera")

    trigger: TriggerSource = Field(
        default="free_run",
        description="free_run; software: the station asks for each picture; line: a wire, such as a photo-eye's; "
        "encoder: every so many counts; action: an action command on the network",
    )
    trigger_line: str = Field(default="Line1", description="the input, where trigger is line or encoder")
    trigger_edge: Literal["rising", "falling", "any"] = Field(
        default="rising", description="which edge of the input begins an exposure"
    )
    trigger_delay_us: float | None = Field(default=None, ge=0, description="from the edge to the exposure")
    trigger_debounce_us: float | None = Field(default=None, ge=0, description="shorter pulses of the input are none")
    trigger_divider: int | None = Field(default=None, ge=1, description="counts of the encoder a picture")
    action_keys: tuple[int, int, int] | None = Field(default=None, description="device key, group key, group mask")

    strobe_line: str = Field(default="", description="the output that lights the flash: Line2 …; absent: none")
    strobe_delay_us: float | None = Field(default=None, ge=0, description="from the exposure's begin to the flash")
    strobe_duration_us: float | None = Field(default=None, gt=0, description="absent: as long as the exposure")

    chunks: tuple[Chunk, ...] = Field(default=(), description="what the device sends along with each picture")
    ptp: bool = Field(default=False, description="the device follows the network's PTP clock (IEEE 1588)")
    features: dict[str, Value] = Field(
        default_factory=dict, description="any other GenICam feature by name, written last and in this order"
    )

    @model_validator(mode="after")
    def _nothing_moves_by_itself(self) -> Self:
        for name, value in self.features.items():
            if name.endswith("Auto") and value not in _OFF:
                raise ValueError(
                    f"features.{name} = {value!r}: a station's pictures must not change by themselves; set it to "
                    '"Off" and give the value itself (`lineward cameras tune` helps to find it)'
                )
        return self

    @model_validator(mode="after")
    def _a_line_is_input_or_output(self) -> Self:
        if self.strobe_line and self.trigger in ("line", "encoder") and self.strobe_line == self.trigger_line:
            raise ValueError(
                f"strobe_line and trigger_line are both {self.strobe_line}: a line is an input or an output; name "
                "another one for the flash"
            )
        return self

    @property
    def is_triggered(self) -> bool:
        """True where no picture comes of itself: then silence is no fault."""
        return self.trigger != "free_run"


class StreamingOptions(GenicamOptions):
    """What the backends with buffers of their own need beside the camera's settings."""

    buffers: int = Field(default=10, ge=3, le=1000, description="pictures that wait for the station at most")
    trigger_answer_s: float = Field(
        default=1.0, gt=0, le=60, description="a software trigger without a picture for so long gave none"
    )

"""The replay camera: recorded pictures as if they came from a triggered camera now."""

from __future__ import annotations

import logging
import threading
from array import array
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from camera.belt import Belt
from camera.belt_camera import BeltCamera
from camera.commanded_belt import CommandedBelt
from camera.errors import CameraOpenError, CameraOptionsError, PixelFormatError
from camera.frame import Frame, Pixels
from camera.imagefile import ImageFileError
from camera.pixels import frame_size
from camera.raw_playback import RawRecording
from camera.raw_recording import Exposure
from camera.recording import Preloaded, Recording, open_recording

MAX_PROBLEMS = 1_000

_log = logging.getLogger(__name__)


class Options(BaseModel):
    """What is replayed, and how fast."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Path = Field(description="a folder of images, a raw recording, a .txt list of image files, or a video file")
    rate_hz: float | None = Field(
        default=None, ge=0, le=10_000, description="pictures per second; 0: as fast as taken; left out: as recorded"
    )
    trigger: Literal["own", "software"] = Field(
        default="own", description="own: at that rate; software: the next picture when the station asks for it"
    )
    loop: bool = Field(default=False, description="begin again after the last picture")
    recursive: bool = Field(default=False, description="images of the folders below, too")
    truth_from_folder: bool = Field(default=False, description="the name of an image's folder is its true class")
    pixel_format: str | None = Field(
        default=None, description="what the grey pictures really are, as recorded raw: BayerRG8, Mono12p … (PFNC)"
    )
    preload: bool = Field(default=False, description="decode everything before the start")
    preload_limit_mb: int = Field(default=1_000, ge=1, le=1_000_000, description="memory that preload may take")

    @model_validator(mode="after")
    def _one_source_of_time(self) -> Self:
        if self.trigger == "software" and self.rate_hz is not None:
            raise ValueError(
                f'rate_hz = {self.rate_hz:g} and trigger = "software": each says when a picture comes; leave one out'
            )
        return self

    @property
    def follows_recording(self) -> bool:
        """True where the recording's own times say when a picture comes."""
        return self.rate_hz is None and self.trigger == "own"


class ReplayCamera(BeltCamera):
    """A recording as a camera; owned by one grabbing thread, which also decodes.

    The trigger of a part is the moment at which its picture is due. A picture that cannot be decoded is a trigger
    without a frame: the counter shows the gap and `problems` says why. The device clock is the recording's time.
    Of a raw recording (`camera.raw_recording`) each exposure comes as it came: pixels, format, chunks, broken ones,
    gaps, times and delays; only that counter and clock begin anew.
    """

    def __init__(self, name: str, options: Options) -> None:
        super().__init__(name)
        self._options = options
        self._reading = threading.Lock()  # held while decoding, so that close() does not pull the file away
        self._recording: Recording | None = None  # kept after close(), for its truth
        self._raw: RawRecording | None = None  # what is known of its exposures, where it is a raw one
        self._readable = False
        self._times_ns: Sequence[int] = ()
        self._lap_ns = 0
        self._picture_size: tuple[int, int] | None = None
        self.problems: dict[str, str] = {}
        """Pictures that could not be shown, by name, and why; at most `MAX_PROBLEMS`."""
        self._damaged = 0

    def counters(self) -> dict[str, int]:
        """Add how many pictures could not be read, and 1 for an index that is damaged; a lap counts no more."""
        return {**super().counters(), "damaged": self._damaged}

    def _format_of(self, pixels: Pixels) -> str:
        return self._options.pixel_format or super()._format_of(pixels)

    def _frame(self, part: int, picture: Pixels, into: Pixels | None) -> Frame:
        frame, exposure = super()._frame(part, picture, into), self._recorded(part)
        if exposure is None:
            return frame
        return replace(frame, pixel_format=exposure.pixel_format, chunks=MappingProxyType(exposure.chunks))

    def _why_broken(self, part: int) -> str:
        exposure = self._recorded(part)
        return "" if exposure is None else exposure.broken

    def _exposed_device_ns(self, part: int) -> int | None:
        exposure = self._recorded(part)
        had_a_clock = exposure is None or exposure.device_ns is not None
        return super()._exposed_device_ns(part) if had_a_clock else None

    def _delay_ns(self, part: int) -> int:
        if self._raw is None or not self._options.follows_recording:
            return 0
        return self._raw.delay_ns((part - 1) % self._raw.count)

    def _recorded(self, part: int) -> Exposure | None:
        return None if self._raw is None else self._raw.about((part - 1) % self._raw.count)

    @property
    def lends_frames(self) -> bool:
        """True with `preload`: the decoded pictures stay in memory, read only, as long as anybody looks at one."""
        return self._options.preload

    @property
    def picture_size(self) -> tuple[int, int] | None:
        """Width and height of the first picture that can be read; a folder may hold other sizes, too."""
        return self._picture_size

    def truth(self, trigger_number: int) -> str:
        """Return the folder name of the picture of a part where `truth_from_folder` is set, else ''."""
        recording = self._recording
        if not self._options.truth_from_folder or recording is None:
            return ""
        return recording.path((trigger_number - 1) % recording.count).parent.name

    def _prepare(self) -> Belt:
        options = self._options
        path = options.path.expanduser()
        self.problems, self._damaged = {}, 0
        recording = open_recording(path, recursive=options.recursive, use_timestamps=options.follows_recording)
        try:
            self._raw = recording if isinstance(recording, RawRecording) else None
            self._check_raw()
            if options.preload:
                recording = Preloaded(recording, options.preload_limit_mb)
            self._lay_out(recording)
            self._recording, self._readable = recording, True
            self._require_a_picture(recording)
        except BaseException:
            self._readable = False
            recording.close()
            raise
        parts = None if options.loop else len(self._times_ns)
        if options.trigger == "software":
            return CommandedBelt(self._device_ns, parts=parts)
        return Belt(self._device_ns, parts=parts, paced=options.rate_hz != 0)

    def _check_raw(self) -> None:
        if self._raw is None:
            return
        if self._options.pixel_format is not None:
            raise CameraOptionsError(
                f"camera '{self.name}': pixel_format = {self._options.pixel_format!r}, and {self._options.path} is a "
                "raw recording, which knows the format of each frame; leave pixel_format out"
            )
        if self._raw.ending:
            self.problems[str(self._options.path)] = self._raw.ending
            self._damaged += self._raw.is_damaged
            _log.warning("camera '%s': %s", self.name, self._raw.ending)

    def _lay_out(self, recording: Recording) -> None:
        rate_hz, count = self._options.rate_hz, recording.count
        if count == 0 and self._raw is not None:
            raise CameraOpenError(
                f"camera '{self.name}': {self._options.path} is a raw recording without a frame "
                f"({self._raw.ending or 'it was ended before one came'}); record again"
            )
        if count == 0:
            raise CameraOpenError(
                f"camera '{self.name}': {self._options.path} holds no image (.jpg .png .bmp .tif); set path to one "
                "that does, or recursive = true for the folders below"
            )
        if self._raw is not None and (rate_hz == 0 or self._options.trigger == "software"):
            self._times_ns = self._raw.times_ns  # as fast as taken, with the stamps of then
        elif not self._options.follows_recording:
            step_ns = 1e9 / rate_hz if rate_hz else 1.0  # at rate 0 only the order counts
            self._times_ns = array("q", (round(index * step_ns) for index in range(count)))
        elif recording.times_ns is not None:
            self._times_ns = recording.times_ns
        else:
            raise CameraOptionsError(
                f"camera '{self.name}': {self._options.path} has no timing of its own; set rate_hz, or add a "
                "timestamps.csv with the columns file and t_s"
            )
        last_step_ns = self._times_ns[-1] - self._times_ns[-2] if count > 1 else round(1e9 / (rate_hz or 1.0))
        self._lap_ns = self._times_ns[-1] + last_step_ns

    def _require_a_picture(self, recording: Recording) -> None:
        for index in range(recording.count):
            if (picture := self._read(index)) is not None:
                with suppress(PixelFormatError):  # what is no picture of its format rejects its part, and says why
                    exposure = self._recorded(index + 1)
                    pixel_format = self._format_of(picture) if exposure is None else exposure.pixel_format
                    rows, columns = frame_size(picture, pixel_format)
                    self._picture_size = columns, rows
                return
        first = next(iter(self.problems.values()), "each was lost or came broken when it was recorded")
        raise CameraOpenError(
            f"camera '{self.name}': none of the {recording.count} pictures of {self._options.path} can be read; "
            f"the first: {first}"
        )

    def _picture(self, part: int) -> Pixels | None:
        return self._read((part - 1) % len(self._times_ns))

    def _read(self, index: int) -> Pixels | None:
        with self._reading:
            if self._recording is None or not self._readable:
                return None
            try:
                return self._recording.read(index)
            except (ImageFileError, CameraOpenError) as error:  # the latter: a video file that went away meanwhile
                self._note(str(self._recording.path(index)), str(error))
                return None

    def _note(self, name: str, text: str) -> None:
        if name not in self.problems and len(self.problems) < MAX_PROBLEMS:
            self.problems[name] = text
            self._damaged += 1
            _log.warning("camera '%s': a part without a frame: %s", self.name, text)

    def _device_ns(self, part: int) -> int:
        lap, index = divmod(part - 1, len(self._times_ns))
        return lap * self._lap_ns + self._times_ns[index]

    def _release(self) -> None:
        with self._reading:
            self._readable = False
            if self._recording is not None:
                self._recording.close()

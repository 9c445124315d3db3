"""Raw frames on disk, byte for byte, with their timing: the format (docs/cameras.md) and the one who writes it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from camera.frame import BrokenFrame, Frame

HEADER = "lineward-recording.json"
INDEX = "frames.jsonl"
FORMAT = "lineward raw recording"
VERSION = 1
_SUM_LETTERS = 16
MAX_FILE_BYTES = 1 << 30  # a file of pixels that is as large is followed by another


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="constants")


class Header(_Line):
    """What stands in the header, which is written before the first frame. started_wall_ns: Unix time."""

    format: str
    version: int
    started_wall_ns: int
    about: dict[str, str]


class Exposure(_Line):
    """One line of the index: an exposure as the camera gave it, and where its pixels are.

    number: of the line, from 1, so that one that is missing is noticed.
    unrecorded_before: exposures between the one before and this one that came, but were not kept. broken: why its
    pixels did not come whole; then there are none. sha256: of the pixels. sum: of the line itself; '' in recordings
    that were made before there was one. The others as in `camera.frame.Frame`.
    """

    number: int = Field(ge=1)
    counter: int
    device_ns: int | None
    received_host_ns: int
    lost_before: int = Field(ge=0)
    unrecorded_before: int = Field(default=0, ge=0)
    broken: str = ""
    pixel_format: str = ""
    shape: tuple[int, ...] = ()
    file: str = Field(default="", pattern=r"^(frames-\d{6}\.raw)?$")
    offset: int = Field(default=0, ge=0)
    size: int = Field(default=0, ge=0)
    sha256: str = ""
    chunks: dict[str, int | float] = {}
    sum: str = ""


class End(_Line):
    """The last line of the index of a recording that was ended: why, and what had been counted by then."""

    end: str
    frames: int
    broken: int
    lost: int
    unrecorded: int


class RawRecordingWriter:
    """A recording that grows; owned by one thread. What was written stays readable when the process is killed.

    The pixels of a frame are written before its line of the index, and neither is ever changed: a reader that stops
    at the first line without its pixels has every frame before whole.
    """

    def __init__(self, folder: Path, about: Mapping[str, str], started_wall_ns: int) -> None:
        """Begin a recording in an empty or new folder. Raises OSError, FileExistsError where there is one already."""
        folder.mkdir(parents=True, exist_ok=True)
        header = Header(format=FORMAT, version=VERSION, started_wall_ns=started_wall_ns, about=dict(about))
        with (folder / HEADER).open("x", encoding="utf-8") as file:
            json.dump(header.model_dump(), file, ensure_ascii=False, indent=1)
            file.flush()
            os.fsync(file.fileno())
        self._folder = folder
        self._index = os.open(folder / INDEX, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
        self._pixels = -1
        self._file = ""
        self._files = 0
        self._offset = 0
        self.frames = self.broken = self.lost = self.unrecorded = 0
        """What was counted: frames kept, broken ones, exposures that the camera lost, and such that were not kept."""
        self.bytes_written = 0

    def write(self, exposure: Frame | BrokenFrame, unrecorded_before: int = 0) -> None:
        """Append one exposure. lost_before of it counts those lost before the unrecorded ones, too. Raises OSError."""
        if isinstance(exposure, BrokenFrame):
            line = self._line(exposure, unrecorded_before, broken=exposure.why or "its pixels did not come whole")
        else:
            line = self._frame(exposure, unrecorded_before)
        _write_all(self._index, summed(line.model_dump_json(exclude_defaults=True).encode()))
        self.broken += isinstance(exposure, BrokenFrame)
        self.frames += isinstance(exposure, Frame)
        self.lost += exposure.lost_before
        self.unrecorded += unrecorded_before

    def close(self, why: str, unrecorded_after: int = 0) -> None:
        """End the recording: say why, and wait until all of it is on the disk. Idempotent. Raises OSError."""
        if self._index < 0:
            return
        self.unrecorded += unrecorded_after
        end = End(end=why, frames=self.frames, broken=self.broken, lost=self.lost, unrecorded=self.unrecorded)
        index, pixels = self._index, self._pixels
        self._index = self._pixels = -1
        try:
            if pixels >= 0:
                os.fsync(pixels)
            _write_all(index, end.model_dump_json().encode() + b"\n")
            os.fsync(index)
        finally:
            os.close(index)
            if pixels >= 0:
                os.close(pixels)

    def _frame(self, frame: Frame, unrecorded_before: int) -> Exposure:
        pixels = np.ascontiguousarray(frame.pixels)
        data = pixels.data.cast("B")
        self._make_room(len(data))
        offset = self._offset
        self._offset += len(data)
        _write_all(self._pixels, data)
        self.bytes_written += len(data)
        return self._line(
            frame,
            unrecorded_before,
            pixel_format=frame.pixel_format,
            shape=pixels.shape,
            file=self._file,
            offset=offset,
            size=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
            chunks=dict(frame.chunks),
        )

    def _line(self, exposure: Frame | BrokenFrame, unrecorded_before: int, **more: object) -> Exposure:
        return Exposure.model_validate(
            {
                "number": self.frames + self.broken + 1,
                "counter": exposure.counter,
                "device_ns": exposure.device_ns,
                "received_host_ns": exposure.received_host_ns,
                "lost_before": exposure.lost_before,
                "unrecorded_before": unrecorded_before,
                **more,
            }
        )

    def _make_room(self, size: int) -> None:
        if self._pixels >= 0 and self._offset + size <= MAX_FILE_BYTES:
            return
        if self._pixels >= 0:
            os.fsync(self._pixels)
            os.close(self._pixels)
            self._pixels = -1
        self._files += 1
        self._file, self._offset = f"frames-{self._files:06}.raw", 0
        self._pixels = os.open(self._folder / self._file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)


def summed(line: bytes) -> bytes:
    """Return a JSON object as a line of the index: with the sum of itself as its last key."""
    return line[:-1] + b',"sum":"' + hashlib.sha256(line).hexdigest()[:_SUM_LETTERS].encode() + b'"}\n'


def _write_all(file: int, data: bytes | memoryview) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(file, left) :]

"""A raw recording read back: each exposure at its time, lost and broken ones too, and how it ends."""

from __future__ import annotations

import hashlib
import math
import os
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import overload

import numpy as np
from pydantic import ValidationError

from camera.errors import CameraOpenError
from camera.frame import Pixels
from camera.imagefile import MAX_FILE_BYTES, ImageFileError
from camera.raw_recording import FORMAT, HEADER, INDEX, VERSION, End, Exposure, Header, summed

MAX_EXPOSURES = 100_000_000  # lost ones counted, too; a counter that ran wild is no recording
_CLOCKS_APART = 1e-3  # device and host clock differ by more: the device's does not count nanoseconds


class RawRecording:
    """A folder that `RawRecordingWriter` wrote, as `camera.recording.Recording`; not thread-safe.

    Its pictures are all exposures, so that a lost one keeps its place and its moment: `read` gives None for it, as for
    a broken one. The times are the device's where it has a clock, otherwise those at which the frames came.
    """

    def __init__(self, folder: Path) -> None:
        """Read header and index. Raises CameraOpenError, OSError; what is cut off only ends the recording earlier."""
        self._folder = folder
        self._file: tuple[str, int] = ("", -1)
        self.header = _header(folder / HEADER)
        self.ending = ""
        """Why there is less than was recorded: damage, or no end mark; '' where the recording is whole."""
        self.is_damaged = False
        """True where something was changed or taken away; one whose writer was killed just ends earlier."""
        self.end: End | None = None
        self._sizes: dict[str, int] = {}
        self._places: list[int] = []  # of each exposure, among all that took place
        self.exposures: list[Exposure] = []
        """What came, whole or broken, in its order."""
        for exposure in self._lines():
            last = self._places[-1] if self._places else -1
            self._places.append(last + exposure.lost_before + exposure.unrecorded_before + 1)
            self.exposures.append(exposure)
        self.count = self._places[-1] + 1 if self._places else 0
        moments_ns = _moments(self.exposures)
        self.times_ns: Sequence[int] = _Times(self._places, moments_ns)
        apart = [one.received_host_ns - at_ns for one, at_ns in zip(self.exposures, moments_ns, strict=True)]
        self._delays_ns = [one - min(apart) for one in apart]

    def about(self, index: int) -> Exposure | None:
        """Return what is known of exposure `index` (from 0), None of one that never arrived."""
        place = bisect_right(self._places, index) - 1
        return self.exposures[place] if place >= 0 and self._places[place] == index else None

    def delay_ns(self, index: int) -> int:
        """Return how much later than the fastest one the frame came after its exposure."""
        place = bisect_right(self._places, index) - 1
        return self._delays_ns[place] if place >= 0 and self._places[place] == index else 0

    def path(self, index: int) -> Path:
        """Return the file with the exposure as a fragment."""
        exposure = self.about(index)
        return self._folder / f"{INDEX if exposure is None else exposure.file or INDEX}#{index}"

    def read(self, index: int) -> Pixels | None:
        """Return the pixels of exposure `index`, None of a lost or broken one. Raises ImageFileError."""
        exposure = self.about(index)
        if exposure is None or exposure.broken:
            return None
        pixels = np.empty(exposure.size, np.uint8)
        try:
            came = os.preadv(self._opened(exposure.file), [pixels.data], exposure.offset)
        except OSError as error:
            raise ImageFileError(f"{self.path(index)}: cannot be read ({error.strerror or error})") from error
        if came != exposure.size or hashlib.sha256(pixels.data).hexdigest() != exposure.sha256:
            raise ImageFileError(
                f"{self.path(index)}: the pixels of exposure {exposure.counter} are not those that were recorded "
                f"(sha256 differs); record again, or take the folder from its copy"
            )
        return pixels.reshape(exposure.shape)

    def close(self) -> None:
        """Release the file. Idempotent."""
        if self._file[1] >= 0:
            os.close(self._file[1])
        self._file = ("", -1)

    def _opened(self, name: str) -> int:
        if self._file[0] != name:
            self.close()
            self._file = (name, os.open(self._folder / name, os.O_RDONLY))
        return self._file[1]

    def _lines(self) -> Iterator[Exposure]:
        """Give the lines of the index up to the first one that is not whole."""
        total, number = 0, 0
        if not (self._folder / INDEX).exists():
            raise CameraOpenError(
                f"{self._folder}: has no {INDEX}, the index that says where its frames are; take it from a copy of the "
                "folder, or record again"
            )
        with (self._folder / INDEX).open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.startswith(b'{"end"'):
                    self._finish(line, number)
                    return
                exposure, problem = self._exposure(line)
                if exposure is not None and exposure.number != number:
                    problem = f"has number {exposure.number}: lines before it are missing or doubled"
                elif exposure is not None:
                    total += exposure.lost_before + exposure.unrecorded_before + 1
                    if total > MAX_EXPOSURES:
                        problem = f"counts {total} exposures; at most {MAX_EXPOSURES} are replayed"
                if exposure is None or problem:
                    self.is_damaged = line.endswith(b"\n")
                    self.ending = f"{self._folder}: line {number} of {INDEX} {problem}; the recording ends before it"
                    return
                yield exposure
        self.ending = (
            f"{self._folder}: has no end mark after line {number} of {INDEX}: it is still being recorded, or whoever "
            "recorded it was killed; what was written before is whole"
        )

    def _exposure(self, line: bytes) -> tuple[Exposure | None, str]:
        if not line.endswith(b"\n"):
            return None, "is cut off"
        unsummed, has_sum, _ = line.rpartition(b',"sum":"')
        if has_sum and line != summed(unsummed + b"}"):
            return None, "is not as it was written (its sum differs)"
        try:
            exposure = Exposure.model_validate_json(line)
        except ValidationError as error:
            first = error.errors()[0]
            return None, f"is damaged ({'.'.join(map(str, first['loc']))}: {first['msg']})"
        if exposure.broken:
            return exposure, ""
        right = min(exposure.shape, default=0) > 0 and math.prod(exposure.shape) == exposure.size <= MAX_FILE_BYTES
        if not exposure.file or not exposure.pixel_format or not right:
            return None, f"describes no frame (shape {exposure.shape}, {exposure.size} bytes in '{exposure.file}')"
        if exposure.offset + exposure.size > self._size_of(exposure.file):
            return None, f"stands for pixels that {exposure.file} does not hold (anymore): the file is cut off"
        return exposure, ""

    def _size_of(self, name: str) -> int:
        if name not in self._sizes:
            file = self._folder / name
            self._sizes[name] = file.stat().st_size if file.is_file() else 0
        return self._sizes[name]

    def _finish(self, line: bytes, number: int) -> None:
        try:
            self.end = End.model_validate_json(line)
        except ValidationError:
            self.end = None
        if self.end is None or not line.endswith(b"\n"):
            self.ending = f"{self._folder}: line {number} of {INDEX}, the end mark, is damaged or cut off"
        elif self.end.frames + self.end.broken != number - 1:
            self.ending = (
                f"{self._folder}: line {number} of {INDEX}, the end mark, counts {self.end.frames} frames and "
                f"{self.end.broken} broken ones; there are {number - 1} lines before it"
            )
        self.is_damaged = bool(self.ending)


class _Times(Sequence[int]):
    """When each exposure took place, from 0: those that came at their moments, lost ones evenly between."""

    def __init__(self, places: list[int], moments_ns: list[int]) -> None:
        self._places, self._moments_ns = places, moments_ns
        span_ns = moments_ns[-1] - moments_ns[0] if moments_ns else 0
        self._step_ns = max(1, span_ns // max(1, places[-1] - places[0])) if places else 1
        self._lead_ns = places[0] * self._step_ns - moments_ns[0] if places else 0

    def __len__(self) -> int:
        return self._places[-1] + 1 if self._places else 0

    @overload
    def __getitem__(self, index: int) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[int]: ...
    def __getitem__(self, index: int | slice) -> int | Sequence[int]:
        if isinstance(index, slice):
            return [self[one] for one in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        index %= len(self)
        place = bisect_right(self._places, index) - 1
        if place < 0:
            return index * self._step_ns
        at, at_ns = self._places[place], self._moments_ns[place] + self._lead_ns
        if at == index:
            return at_ns
        following, following_ns = self._places[place + 1], self._moments_ns[place + 1] + self._lead_ns
        return at_ns + (following_ns - at_ns) * (index - at) // (following - at)


def _moments(exposures: list[Exposure]) -> list[int]:
    """Return when each exposure took place, growing: by the device's clock where it can be followed, else as it came.

    A device's clock can be followed where each exposure has its stamp, they grow, and it counts nanoseconds.
    """
    came = [one.received_host_ns for one in exposures]
    stamps = [one.device_ns for one in exposures if one.device_ns is not None]
    if len(stamps) == len(came) > 0 and all(before < after for before, after in pairwise(stamps)):
        host_ns, device_ns = came[-1] - came[0], stamps[-1] - stamps[0]
        if abs(host_ns - device_ns) <= 500_000_000 + _CLOCKS_APART * host_ns:
            return stamps
    growing: list[int] = []
    for moment_ns in came:
        growing.append(max(moment_ns, growing[-1] + 1) if growing else moment_ns)
    return growing


def _header(file: Path) -> Header:
    try:
        header = Header.model_validate_json(file.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        raise CameraOpenError(
            f"{file}: is no header of a recording ({'.'.join(map(str, first['loc']))}: {first['msg']}); record again, "
            "or set path to a folder that `lineward cameras record` wrote"
        ) from None
    if header.format != FORMAT or header.version != VERSION:
        raise CameraOpenError(
            f"{file}: says {header.format!r} version {header.version}; {FORMAT!r} version {VERSION} is read; read it "
            "with the Lineward that wrote it"
        )
    return header

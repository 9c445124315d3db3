"""What a replay plays: pictures in their order with their times, from images, a video or a raw recording."""

from __future__ import annotations

import csv
import math
import re
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from camera.errors import CameraOpenError
from camera.frame import Pixels
from camera.imagefile import MAX_PIXELS, SUFFIXES, ImageFileError, read_image
from camera.raw_playback import RawRecording
from camera.raw_recording import HEADER

TIMESTAMPS = "timestamps.csv"


class Recording(Protocol):
    """A finite, ordered set of pictures; not thread-safe, its owner guards it."""

    @property
    def count(self) -> int:
        """How many pictures there are."""
        ...

    @property
    def times_ns(self) -> Sequence[int] | None:
        """When each picture was taken, increasing from 0; None where the recording does not know."""
        ...

    def path(self, index: int) -> Path:
        """Return the file that picture `index` (from 0) lies in."""
        ...

    def read(self, index: int) -> Pixels | None:
        """Return picture `index` (from 0), None of an exposure without one. Raises ImageFileError."""
        ...

    def close(self) -> None:
        """Release what is held. Idempotent."""
        ...


class Folder:
    """Image files: those of a folder in natural order, those that its `timestamps.csv` names, or those of a list."""

    def __init__(self, files: Sequence[Path], times_ns: Sequence[int] | None) -> None:
        self._files = files
        self.count = len(files)
        self.times_ns = times_ns

    def path(self, index: int) -> Path:
        """Return the image file."""
        return self._files[index]

    def read(self, index: int) -> Pixels:
        """Return picture `index` (from 0). Raises ImageFileError."""
        return read_image(self._files[index])

    def close(self) -> None:
        """Nothing is held open between two pictures."""


class Video:
    """A video file through OpenCV's FFmpeg, read forwards; a jump back opens it again. Frames come as RGB8."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at = 0
        self._capture = self._opened()
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        count = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        if count < 1:
            self.close()
            raise CameraOpenError(
                f"{path}: the video does not state how many frames it has; copy it into an MP4 or AVI file"
            )
        self.count = count
        timed = math.isfinite(fps) and 0 < fps <= 10_000
        self.times_ns = array("q", (round(frame * 1e9 / fps) for frame in range(count))) if timed else None

    def path(self, index: int) -> Path:
        """Return the video file with the frame as a fragment."""
        return self._path.with_name(f"{self._path.name}#{index}")

    def read(self, index: int) -> Pixels:
        """Return picture `index` (from 0). Raises ImageFileError."""
        if index < self._at:
            self._capture.release()
            self._capture, self._at = self._opened(), 0
        while self._at < index and self._capture.grab():
            self._at += 1
        found, image = self._capture.read() if self._at == index else (False, None)
        if not found or image is None:
            raise ImageFileError(f"{self.path(index)}: cannot be decoded, or the video ends before it")
        self._at += 1
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)

    def close(self) -> None:
        """Release the file. Idempotent."""
        self._capture.release()

    def _opened(self) -> cv2.VideoCapture:
        capture = cv2.VideoCapture(str(self._path), cv2.CAP_FFMPEG)
        if not capture.isOpened():
            raise CameraOpenError(
                f"{self._path}: cannot be opened as a video; give a folder of images, a .txt list of them, or a video"
            )
        size = capture.get(cv2.CAP_PROP_FRAME_WIDTH) * capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
        if size > MAX_PIXELS:
            capture.release()
            raise CameraOpenError(
                f"{self._path}: {size / 1e6:.0f} megapixels a frame; at most {MAX_PIXELS / 1e6:.0f}; scale it down"
            )
        return capture


class Preloaded:
    """A recording decoded into memory up front, at most `limit_mb` of it; the pictures are read-only."""

    def __init__(self, recording: Recording, limit_mb: int) -> None:
        self.count, self.times_ns, self.path = recording.count, recording.times_ns, recording.path
        self._pictures: list[Pixels | ImageFileError | None] = []
        bytes_left = limit_mb * 1_000_000
        for index in range(self.count):
            picture = _read_or_error(recording, index)
            if picture is not None and not isinstance(picture, ImageFileError):
                picture.setflags(write=False)
                bytes_left -= picture.nbytes
            if bytes_left < 0:
                raise CameraOpenError(
                    f"{self.path(index)}: picture {index + 1} of {self.count} exceeds preload_limit_mb = "
                    f"{limit_mb}; raise it, replay fewer pictures, or set preload = false"
                )
            self._pictures.append(picture)
        recording.close()

    def read(self, index: int) -> Pixels | None:
        """Return picture `index` (from 0), None of an exposure without one. Raises ImageFileError."""
        picture = self._pictures[index]
        if isinstance(picture, ImageFileError):
            raise picture
        return picture

    def close(self) -> None:
        """Let go of the pictures. Idempotent."""
        self._pictures = []


def open_recording(path: Path, *, recursive: bool, use_timestamps: bool) -> Recording:
    """Open the folder, raw recording, list (.txt) or video at `path`. Raises CameraOpenError naming it."""
    try:
        return _open(path, recursive, use_timestamps)
    except OSError as error:
        raise CameraOpenError(f"{path}: {error.strerror or error}; make it readable for this user") from error


def _open(path: Path, recursive: bool, use_timestamps: bool) -> Recording:
    if path.is_dir():
        if (path / HEADER).is_file():
            return RawRecording(path)
        if use_timestamps and (path / TIMESTAMPS).is_file():
            return Folder(*_read_timestamps(path / TIMESTAMPS))
        pattern = "**/*" if recursive else "*"
        files = [file for file in path.glob(pattern) if file.suffix.lower() in SUFFIXES and file.is_file()]
        return Folder(sorted(files, key=lambda file: _natural(file.relative_to(path))), None)
    if not path.is_file():
        raise CameraOpenError(f"{path}: no such file or folder; set path to a folder of images, a list or a video file")
    if path.suffix.lower() == ".txt":
        return Folder(_read_list(path), None)
    return Video(path)


def _natural(path: Path) -> tuple[list[tuple[int, str]], str]:
    parts = re.split(r"(\d+)", path.as_posix().casefold())
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts], path.as_posix()


def _read_list(file: Path) -> list[Path]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CameraOpenError(f"{file}: cannot be read as a list ({error}); write one image path a line") from error
    return [file.parent / line.strip() for line in lines if line.strip()]


def _read_timestamps(file: Path) -> tuple[list[Path], list[int]]:
    files: list[Path] = []
    times_ns: list[int] = []
    try:
        with file.open(newline="", encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                files.append(file.parent / row["file"])
                times_ns.append(round(float(row["t_s"]) * 1e9))
                if len(times_ns) > 1 and times_ns[-1] <= times_ns[-2]:
                    raise ValueError(f"t_s = {row['t_s']} does not lie after the row before")
    except (OSError, KeyError, TypeError, ValueError, OverflowError, csv.Error) as error:
        raise CameraOpenError(
            f"{file}: data row {max(len(files), 1)} is wrong ({error}); the columns are file and t_s, "
            "t_s in increasing seconds; mend it, or set rate_hz"
        ) from error
    return files, [time_ns - times_ns[0] for time_ns in times_ns]


def _read_or_error(recording: Recording, index: int) -> Pixels | ImageFileError | None:
    try:
        return recording.read(index)
    except ImageFileError as error:
        return error

"""Network cameras by their RTSP address, through OpenCV's FFmpeg."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, Self

import cv2
import numpy as np
from pydantic import Field, model_validator

from camera.copying import check_room, put
from camera.device import DeviceOptions
from camera.errors import CameraLostError, CameraOpenError, Cause
from camera.frame import BrokenFrame, Frame, Pixels
from camera.interface import Camera
from camera.rtsp_address import PLACE, problem_of, require_answer, why_not, with_password
from camera.stream_clock import Stamp, StreamClock

_VARIABLE = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
_STALE_NS = 5_000_000_000  # a connection that nobody read from for so long is made anew
_ANSWER_S = 3.0  # how long a server may take to say that it is there
_BACKLOG = 1_000  # pictures that may wait when acquisition begins

_environment = threading.Lock()  # OpenCV takes FFmpeg's options from the process's environment


class Options(DeviceOptions):
    """Where the stream is, and how far behind it may be."""

    url: str = Field(
        description=f"rtsp://[user:{PLACE}@]host[:port]/path; the password itself never stands in the configuration"
    )
    password_env: str = Field(default="", description=f"the environment variable whose value {PLACE} stands for")
    password_file: Path | None = Field(default=None, description=f"the file whose only line {PLACE} stands for")
    transport: Literal["tcp", "udp"] = Field(
        default="tcp", description="udp: a lost packet damages pictures, and nobody can tell which"
    )
    size: tuple[int, int] | None = Field(default=None, description="width and height in pixels that it must have")
    frame_rate_hz: float | None = Field(
        default=None, gt=0, le=1_000, description="pictures per second; absent: learned from the stream"
    )
    frames: Literal["latest", "every"] = Field(
        default="latest",
        description="latest: what is older than max_lag_s is skipped and counted as lost; every: it is a fault",
    )
    max_lag_s: float = Field(default=0.3, ge=0.02, le=60, description="how old a picture may be beyond the usual")
    open_timeout_s: float = Field(default=5.0, ge=0.2, le=60, description="how long connecting may take")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if problem := problem_of(self.url):
            raise ValueError(problem)
        sources = (self.password_env != "") + (self.password_file is not None)
        if sources != (PLACE in self.url):
            raise ValueError(
                f"url, password_env, password_file: {sources} place(s) of a password, and {PLACE} is "
                f"{'in' if PLACE in self.url else 'not in'} the url; name one place where it has {PLACE}, else none"
            )
        if self.device:
            raise ValueError(f"device = {self.device!r}: an RTSP camera is found by its url alone; leave it out")
        if self.own_process and self.read_timeout_s >= self.watchdog_s:
            raise ValueError(
                f"silence_s = {self.read_timeout_s:g}, watchdog_s = {self.watchdog_s:g}: a silent camera would be "
                "taken for a hung driver; make watchdog_s longer"
            )
        return self

    @property
    def read_timeout_s(self) -> float:
        """How long a read may take: that long a stream may be silent, and a stop may have to wait."""
        return 2.0 if self.silence_s is None else self.silence_s


class RtspCamera(Camera):
    """One network stream, owned by one grabbing thread. It has neither trigger nor counter of its own.

    FFmpeg's reading cannot be cut short: a grab may take until the next picture, at most `silence_s`, whatever time
    it was given; `stop` and `close` from another thread wait for it as long. Pictures are BGR8, as they are decoded.
    """

    def __init__(self, name: str, options: Options) -> None:
        super().__init__(name)
        self._options = options
        self._lock = threading.Lock()  # held by whoever reads: OpenCV's capture is for one thread
        self._capture: cv2.VideoCapture | None = None
        self._connected_host_ns = 0
        self._size: tuple[int, int] = 0, 0
        self._clock = StreamClock(None, learns=True)
        self._counter = 0
        self._missing = 0
        self._counts = {"frames": 0, "broken_frames": 0, "lost_frames": 0, "wrong_size": 0}

    @property
    def picture_size(self) -> tuple[int, int] | None:
        """Width and height of the stream, once it was open."""
        return self._size if self._size[0] else None

    def counters(self) -> dict[str, int]:
        """Return frames, broken_frames (all of them wrong_size) and lost_frames (those skipped among them)."""
        return dict(self._counts)

    def check_settings(self) -> list[str]:
        """Return nothing, for it has none to read back; while nobody grabs, ask whether its server still answers.

        Raises CameraLostError when it does not.
        """
        if not self._is_started:
            require_answer(self.name, self._options.url, min(self._options.open_timeout_s, _ANSWER_S))
        return []

    def _open(self) -> None:
        self._counter = self._missing = 0
        self._counts = dict.fromkeys(self._counts, 0)
        with self._lock:
            self._connect()
            rate_hz = self._options.frame_rate_hz or self._stated_rate_hz()
            interval_ns = round(1e9 / rate_hz) if rate_hz else None
            self._clock = StreamClock(interval_ns, learns=self._options.frame_rate_hz is None)

    def _connect(self) -> None:
        options = self._options
        url = with_password(self.name, options.url, options.password_env, options.password_file)
        times = [
            cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
            round(options.open_timeout_s * 1e3),
            cv2.CAP_PROP_READ_TIMEOUT_MSEC,
            round(options.read_timeout_s * 500),  # FFmpeg reads twice before it gives up: once more to flush
        ]
        with _ffmpeg_options(f"rtsp_transport;{options.transport}"):
            capture = cv2.VideoCapture(url, cv2.CAP_FFMPEG, times)
        if not capture.isOpened():
            raise why_not(self.name, options.url, options.open_timeout_s)
        size = round(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), round(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        wanted = options.size or size
        if size != wanted or not all(size):
            capture.release()
            raise CameraOpenError(
                f"camera '{self.name}': {options.url} sends {size[0]}×{size[1]} pixels, size = {list(wanted)}; set the "
                "stream's size in the camera, or mend the option",
                Cause.REFUSED,
            )
        self._capture, self._size, self._connected_host_ns = capture, size, time.monotonic_ns()

    def _stated_rate_hz(self) -> float | None:
        assert self._capture is not None
        rate_hz = float(self._capture.get(cv2.CAP_PROP_FPS))
        return rate_hz if 0.5 <= rate_hz <= 250 else None  # MPEG's 90 kHz and 0 are no rates

    def _start(self) -> None:
        with self._lock:
            if self._capture is not None and time.monotonic_ns() - self._connected_host_ns > _STALE_NS:
                self._release()
            if self._capture is None:
                self._connect()
            self._clock.restarted()
            self._skip_backlog()
            self._missing = 0  # of what came before the start nothing is missing

    def _skip_backlog(self) -> None:
        """Read away what came since the connection was made: a picture that had to be waited for is the present."""
        for _ in range(_BACKLOG):
            asked_host_ns = time.monotonic_ns()
            self._read()
            waited_ns = time.monotonic_ns() - asked_host_ns
            if waited_ns > (self._clock.interval_ns() or 20_000_000) // 4:
                return

    def _grab(self, into: Pixels | None, timeout_s: float) -> Frame | BrokenFrame | None:
        del timeout_s  # FFmpeg's reading takes until the next picture
        with self._lock:
            check_room(self.name, into, math.prod(self._shape()))
            stamp = self._recent()
            return None if stamp is None else self._picture(stamp, into)

    def _recent(self) -> Stamp | None:
        """Read on until a picture is young enough; None where another thread stops the camera."""
        began_host_ns = time.monotonic_ns()
        limit_ns = self._options.max_lag_s * 1e9
        while self._is_started:
            stamp = self._read()
            if stamp.age_ns <= limit_ns:
                return stamp
            self._missing += 1
            patience_ns = self._options.read_timeout_s * 1e9 if self._options.frames == "latest" else 0
            if time.monotonic_ns() - began_host_ns > patience_ns:
                raise CameraLostError(
                    f"camera '{self.name}': pictures of {self._options.url} come {stamp.age_ns / 1e9:.1f} s late, at "
                    f"most {self._options.max_lag_s:g} are allowed (max_lag_s); lower the stream's rate or size",
                    Cause.NETWORK,
                )
        return None

    def _read(self) -> Stamp:
        """Read and decode the next picture, not yet converted. Raises CameraLostError."""
        asked_host_ns = time.monotonic_ns()
        if self._capture is None or not self._capture.grab():
            raise self._lost((time.monotonic_ns() - asked_host_ns) / 1e9)
        received_host_ns = time.monotonic_ns()
        stream_ns = round(self._capture.get(cv2.CAP_PROP_POS_MSEC) * 1e6)
        stamp = self._clock.take(stream_ns, received_host_ns)
        self._missing += stamp.lost_before
        return stamp

    def _lost(self, waited_s: float) -> CameraLostError:
        limit_s = self._options.read_timeout_s
        if waited_s > 0.45 * limit_s:
            return CameraLostError(
                f"camera '{self.name}': {self._options.url} sent nothing for {limit_s:g} s (silence_s); check cable, "
                "switch and power",
                Cause.SILENT,
            )
        return CameraLostError(
            f"camera '{self.name}': {self._options.url} ended the stream; check whether it begins anew by itself, and "
            "whether another viewer took its place",
            Cause.CONTROL_LOST,
        )

    def _picture(self, stamp: Stamp, into: Pixels | None) -> Frame | BrokenFrame:
        received_host_ns = time.monotonic_ns()
        lost_before, self._missing = self._missing, 0
        self._counter += lost_before + 1
        self._counts["lost_frames"] += lost_before
        about = (self.name, self._counter, stamp.device_ns, received_host_ns, lost_before)
        shape = self._shape()
        given = np.empty(shape, np.uint8) if into is None else into[: int(np.prod(shape))].reshape(shape)
        assert self._capture is not None
        whole, picture = self._capture.retrieve(given)
        if not whole or picture is None or picture.shape != shape:
            found = "none" if picture is None else "×".join(str(side) for side in picture.shape[1::-1])
            self._counts["broken_frames"] += 1
            self._counts["wrong_size"] += 1
            return BrokenFrame(*about, f"its size is {found}, {self._size[0]}×{self._size[1]} was agreed")
        if picture is not given:
            put(given, picture)
        self._counts["frames"] += 1
        return Frame(*about, "BGR8", given)

    def _shape(self) -> tuple[int, int, int]:
        return self._size[1], self._size[0], 3

    def _stop(self) -> None:
        with self._lock:
            self._release()  # nobody reads any more: what came meanwhile would be old at the next start

    def _close(self) -> None:
        with self._lock:
            self._release()

    def _release(self) -> None:
        if self._capture is not None:
            self._capture.release()
            self._capture = None


@contextmanager
def _ffmpeg_options(ours: str) -> Iterator[None]:
    """Give FFmpeg its options for one connection; those of the surroundings stay, and come back."""
    with _environment:
        before = os.environ.get(_VARIABLE)
        os.environ[_VARIABLE] = f"{before}|{ours}" if before else ours
        try:
            yield
        finally:
            if before is None:
                del os.environ[_VARIABLE]
            else:
                os.environ[_VARIABLE] = before

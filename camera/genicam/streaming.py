"""A camera over an SDK that delivers buffers: each gets its number, and is held against what was set."""

from __future__ import annotations

import logging
import threading
import time
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

import numpy as np
from pydantic import Field

from camera.copying import put
from camera.errors import CameraError, CameraLostError, CameraOpenError, Cause, NodeError, PixelFormatError
from camera.frame import BrokenFrame, Frame, Pixels, Trigger
from camera.genicam.block_ids import BlockIds
from camera.genicam.clock import latch_clock
from camera.genicam.nodes import Nodes
from camera.genicam.options import GenicamOptions
from camera.genicam.pfnc import canonical, frame_bytes, shaped
from camera.genicam.settings import Applied, apply
from camera.genicam.software_trigger import SoftwareTriggers
from camera.interface import Camera

_SLICE_S = 0.05  # how soon a waiting grab sees a stop
_LEAST_SILENCE_S, _SILENT_FRAMES = 2.0, 5
_COUNTED = ("frames", "broken_frames", "lost_frames", "underruns", "unexpected_frames", "wrong_size")

_log = logging.getLogger(__name__)
_NO_CHUNKS: Mapping[str, int | float] = MappingProxyType({})


class StreamingOptions(GenicamOptions):
    """What the backends with buffers of their own need beside the camera's settings."""

    buffers: int = Field(default=10, ge=3, le=1000, description="pictures that wait for the station at most")
    trigger_answer_s: float = Field(
        default=1.0, gt=0, le=60, description="a software trigger without a picture for so long gave none"
    )


@dataclass(frozen=True, slots=True)
class Received:
    """A buffer that the SDK delivered; valid until it is given back.

    data: the flat bytes of the image, as many as were filled. padding: bytes after each row. trouble: what is wrong
    with it by the SDK's own word, '' for a whole one. underruns: pictures that found no free buffer since the last
    one came. token: what the SDK knows it by.
    """

    block_id: int
    device_ns: int | None
    width: int
    height: int
    pixel_format: str
    padding: int
    data: Pixels
    trouble: str
    token: object
    underruns: int = 0
    chunks: Mapping[str, int | float] = field(default_factory=lambda: _NO_CHUNKS)


class Link(Protocol):
    """One open device under an SDK. From one thread at a time, but for `nodes`."""

    @property
    def nodes(self) -> Nodes:
        """Return the features of the device."""
        ...

    def block_ids(self) -> BlockIds:
        """Return what counts this device's block numbers."""
        ...

    def begin(self) -> None:
        """Let the device acquire into buffers of its picture. Raises CameraLostError."""
        ...

    def pop(self, timeout_s: float) -> Received | None:
        """Return the next buffer. Raises CameraLostError."""
        ...

    def give_back(self, received: Received) -> None:
        """Let the SDK fill the buffer again."""
        ...

    def is_ready(self) -> bool:
        """Return whether the device takes a software trigger now, as far as it tells. From any thread; never raises."""
        ...

    def end(self) -> None:
        """Let the device acquire no longer; what it had delivered is discarded. Never raises."""
        ...

    def close(self) -> None:
        """Let go of the device. Never raises."""
        ...

    def counted(self) -> Mapping[str, int]:
        """Return what the SDK itself counts, by the names of `Camera.counters`. From any thread; never raises."""
        ...


@dataclass(frozen=True, slots=True)
class Picture:
    """What each picture of an acquisition has to be."""

    width: int
    height: int
    pixel_format: str
    size: int

    def trouble_of(self, came: Received) -> str:
        """Return what is wrong with a whole buffer, '' for one that is as it was set."""
        if (came.width, came.height, came.pixel_format) != (self.width, self.height, self.pixel_format):
            return (
                f"{came.width}×{came.height} {came.pixel_format} came, {self.width}×{self.height} "
                f"{self.pixel_format} was set"
            )
        whole = self.size + came.padding * self.height
        if came.data.size not in (whole, whole - came.padding):
            return f"{came.data.size} bytes came, {self.width}×{self.height} {self.pixel_format} has {whole}"
        return ""


class StreamingCamera(Camera):
    """A GenICam camera over a `Link`; owned by one grabbing thread.

    A subclass opens the link. What came broken, in another size or in another format than was set is a BrokenFrame;
    pictures that found no buffer free make all broken that may stand in their place.
    """

    def __init__(self, name: str, options: StreamingOptions) -> None:
        super().__init__(name)
        self._streaming = options
        self._link: Link | None = None
        self._lock = threading.Lock()  # who waits in the link, starts or ends it
        self._pending: Received | None = None
        self.applied: tuple[Applied, ...] = ()

    @abstractmethod
    def _connect(self) -> Link:
        """Claim the device. Raises CameraOpenError."""

    def _open(self) -> None:
        options, link = self._streaming, self._connect()
        try:
            self.applied = apply(link.nodes, options, self.name)
            self._picture = self._set_picture(link.nodes)
            self._silence_s = options.silence_s or _default_silence_s(link.nodes)
            self._ids = link.block_ids()
        except (NodeError, CameraLostError) as error:
            link.close()
            raise CameraOpenError(f"camera '{self.name}': {error}", error.cause) from error
        except CameraError:
            link.close()
            raise
        self._counts = dict.fromkeys(_COUNTED, 0)
        self._triggers = SoftwareTriggers(int(options.trigger_answer_s * 1e9)) if self.takes_software_trigger else None
        self._forgotten = 0
        self._in_doubt = self._owed = 0
        self._last_stamp_ns: int | None = None
        self._clock_runs = True
        self._link = link

    def _start(self) -> None:
        with self._lock:
            self._begin()

    def _grab(self, into: Pixels | None, timeout_s: float) -> Frame | BrokenFrame | None:
        deadline = time.monotonic() + timeout_s
        while True:
            rest_s = deadline - time.monotonic()
            with self._lock:
                if not self._is_started or self._link is None:
                    return None
                result = self._next(self._link, into, max(0.0, min(_SLICE_S, rest_s)))
            if result is not None or rest_s <= 0:
                return result

    def _trigger(self) -> Trigger | None:
        assert self._triggers is not None  # takes_software_trigger
        link = self._opened()
        if not link.is_ready():
            return None
        now_host_ns = time.monotonic_ns()
        number = self._triggers.fire(now_host_ns)
        if number is None:
            return None
        try:
            link.nodes.execute("TriggerSoftware")
        except (NodeError, CameraLostError) as error:
            self._triggers.failed(number, str(error))
            if isinstance(error, CameraLostError):
                raise
        return Trigger(number, now_host_ns)

    def _device_now_ns(self) -> int | None:
        return latch_clock(self._opened().nodes) if self._clock_runs else None

    @property
    def takes_software_trigger(self) -> bool:
        """True where the configuration says that the station asks for each picture."""
        return self._streaming.trigger == "software"

    @property
    def picture_size(self) -> tuple[int, int] | None:
        """Width and height that the device was set to, once it is open."""
        return None if self._link is None else (self._picture.width, self._picture.height)

    @property
    def nodes(self) -> Nodes | None:
        """The GenICam features of the open device."""
        return None if self._link is None else self._link.nodes

    def counters(self) -> Mapping[str, int]:
        """Return what was counted since it was opened."""
        link = self._link
        return {} if link is None else {**self._counts, **link.counted()}

    def _stop(self) -> None:
        with self._lock:
            self._end()
            if self._triggers is not None:
                self._triggers.restarted()
                while (lost := self._triggers.next_lost(time.monotonic_ns())) is not None:
                    self._forgotten += lost.lost_before + 1

    def _close(self) -> None:
        with self._lock:
            link, self._link = self._link, None
            if link is not None:
                link.close()

    def _begin(self) -> None:
        link = self._opened()
        try:
            self._picture = self._set_picture(link.nodes)
            link.begin()
        except (NodeError, CameraOpenError) as error:
            link.end()
            raise CameraLostError(f"camera '{self.name}': it cannot be started: {error}", error.cause) from error
        self._ids.restarted()
        self._in_doubt = self._owed = 0
        self._last_host_ns = time.monotonic_ns()

    def _end(self) -> None:
        """Discard what was delivered; what of it was already known to be lost is told of by the next frame."""
        self._pending = None
        if self._triggers is None:
            self._ids.counter += self._owed
            self._forgotten += self._owed
        self._owed = 0
        self._opened().end()

    def _next(self, link: Link, into: Pixels | None, timeout_s: float) -> Frame | BrokenFrame | None:
        """Return what came within a slice of time, None for nothing. Raises CameraLostError."""
        if self._triggers is not None and (given_up := self._given_up(self._triggers)) is not None:
            return given_up
        came = self._pending or link.pop(timeout_s)
        if came is None:
            self._check_silence()
            return None
        self._last_host_ns = time.monotonic_ns()
        self._pending = came
        trouble = came.trouble or self._picture.trouble_of(came)
        if not trouble and into is not None:
            self._check_room(into)
        self._pending = None
        try:
            return self._exposure(came, trouble, into)
        finally:
            link.give_back(came)

    def _exposure(self, came: Received, trouble: str, into: Pixels | None) -> Frame | BrokenFrame | None:
        """Return the frame of a buffer, or the broken one; None for one that nobody asked for or that came before."""
        numbered = self._ids.take(came.block_id)
        if numbered is None:
            self._counts["unexpected_frames"] += 1
            return None
        counter, lost_before = self._with_underruns(came, *numbered)
        device_ns = self._stamp(came)
        trouble = trouble or ("" if not self._in_doubt else "pictures beside it were lost: it may be another part's")
        if self._triggers is not None:
            attributed = self._triggers.take(self._last_host_ns, device_ns, lost_before)
            if attributed is None:
                self._counts["unexpected_frames"] += 1
                return None
            counter, lost_before = attributed.number, attributed.lost_before
        lost_before, self._forgotten = lost_before + self._forgotten, 0
        self._counts["lost_frames"] += lost_before
        if trouble:
            self._counts["wrong_size"] += not came.trouble and not self._in_doubt
            return self._broken(counter, device_ns, lost_before, trouble)
        self._counts["frames"] += 1
        pixels = self._copied(came, into)
        return Frame(
            camera=self.name,
            counter=counter,
            device_ns=device_ns,
            received_host_ns=self._last_host_ns,
            lost_before=lost_before,
            pixel_format=self._picture.pixel_format,
            pixels=pixels,
            chunks=came.chunks,
        )

    def _with_underruns(self, came: Received, counter: int, lost_before: int) -> tuple[int, int]:
        """Return the counter and the loss before it, where some SDKs number only what they deliver.

        When pictures found no buffer free, as many as there are buffers were waiting already: the hole is beside one
        of those, nobody can tell which. All of them are in doubt; the loss is told of by the first one after them,
        less what the block numbers show by themselves.
        """
        self._counts["underruns"] += came.underruns
        if self._in_doubt:
            self._in_doubt -= 1
        if came.underruns:
            self._owed += came.underruns
            self._in_doubt = self._streaming.buffers
        self._owed -= min(self._owed, lost_before)
        if self._in_doubt or not self._owed:
            return counter, lost_before
        owed, self._owed = self._owed, 0
        self._ids.counter += owed
        return counter + owed, lost_before + owed

    def _stamp(self, came: Received) -> int | None:
        """Return the time stamp; None from the first one that does not come after the one before: it dates nothing.

        A clock that jumps back would give a picture to another part. TLSimu's begins anew each second.
        """
        stamp_ns, last_ns = came.device_ns, self._last_stamp_ns
        if stamp_ns is not None and last_ns is not None and stamp_ns <= last_ns and self._clock_runs:
            self._clock_runs = False
            _log.warning("camera '%s': its time stamps jump back (%d after %d): not used", self.name, stamp_ns, last_ns)
        self._last_stamp_ns = stamp_ns
        return stamp_ns if self._clock_runs else None

    def _copied(self, came: Received, into: Pixels | None) -> Pixels:
        """Return the pixels in memory of the caller: the one copy on their way."""
        picture = self._picture
        flat = np.empty(picture.size, np.uint8) if into is None else into[: picture.size]
        pixels = shaped(flat, picture.pixel_format, picture.width, picture.height)
        put(pixels, shaped(came.data, picture.pixel_format, picture.width, picture.height, came.padding))
        return pixels

    def _broken(self, counter: int, device_ns: int | None, lost_before: int, why: str) -> BrokenFrame:
        self._counts["broken_frames"] += 1
        return BrokenFrame(self.name, counter, device_ns, time.monotonic_ns(), lost_before, why)

    def _given_up(self, triggers: SoftwareTriggers) -> BrokenFrame | None:
        """Return the next trigger without a picture; begin anew once it is not certain whose the next one would be."""
        lost = triggers.next_lost(time.monotonic_ns())
        if lost is not None:
            missing, self._forgotten = lost.lost_before + self._forgotten, 0
            self._counts["lost_frames"] += missing
            return self._broken(lost.number, None, missing, lost.why)
        if triggers.must_restart:
            self._end()
            self._begin()
            triggers.restarted()
        return None

    def _check_silence(self) -> None:
        silent_s = (time.monotonic_ns() - self._last_host_ns) / 1e9
        if not self._streaming.is_triggered and silent_s > self._silence_s:
            raise CameraLostError(
                f"camera '{self.name}': no frame for {silent_s:.1f} s — one is due every {self._silence_s:g} s at most "
                "— check its cable and power",
                Cause.SILENT,
            )

    def _check_room(self, into: Pixels) -> None:
        if into.ndim != 1 or into.size < self._picture.size or into.dtype != np.uint8 or not into.flags.c_contiguous:
            raise ValueError(
                f"camera '{self.name}': the buffer is {into.dtype} of shape {into.shape}, the frame needs "
                f"{self._picture.size} bytes; pass a flat, contiguous uint8 buffer that large"
            )

    def _set_picture(self, nodes: Nodes) -> Picture:
        """Return what the device is set to. Raises CameraOpenError for a pixel format that nobody here reads."""
        pixel_format = canonical(str(nodes.get("PixelFormat")))
        width, height = int(nodes.get("Width")), int(nodes.get("Height"))
        try:
            return Picture(width, height, pixel_format, frame_bytes(pixel_format, width, height))
        except PixelFormatError as error:
            raise CameraOpenError(f"camera '{self.name}': {error}", Cause.REFUSED) from error

    def _opened(self) -> Link:
        assert self._link is not None  # the life cycle puts open() before
        return self._link


def _default_silence_s(nodes: Nodes) -> float:
    """Return five frames' time at the rate that the device says, two seconds at least."""
    for name in (
        "AcquisitionResultingFrameRate",
        "ResultingFrameRate",
        "ResultingFrameRateAbs",
        "AcquisitionFrameRate",
    ):
        try:
            rate_hz = float(nodes.get(name)) if nodes.has(name) else 0.0
        except NodeError:
            continue
        if rate_hz > 0:
            return max(_LEAST_SILENCE_S, _SILENT_FRAMES / rate_hz)
    return _LEAST_SILENCE_S

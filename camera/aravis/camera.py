"""A GigE Vision or USB3 Vision camera of any vendor, through Aravis."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from camera.aravis.binding import AravisError
from camera.aravis.connection import Connection
from camera.aravis.options import Options
from camera.aravis.stream import Received, Stream
from camera.errors import CameraError, CameraLostError, CameraOpenError, Cause, NodeError, PixelFormatError
from camera.frame import BrokenFrame, Frame, Pixels, Trigger
from camera.genicam.block_ids import BlockIds
from camera.genicam.clock import latch_clock
from camera.genicam.nodes import Nodes
from camera.genicam.pfnc import canonical, frame_bytes, name_of, shaped
from camera.genicam.settings import Applied, apply
from camera.genicam.software_trigger import SoftwareTriggers
from camera.interface import Camera

__all__ = ["AravisCamera", "Options"]

_SLICE_S = 0.05  # how soon a waiting grab sees a stop or the loss of the device
_LEAST_SILENCE_S, _SILENT_FRAMES = 2.0, 5


@dataclass(frozen=True, slots=True)
class _Picture:
    """What each frame of an acquisition has to be."""

    width: int
    height: int
    pixel_format: str

    @property
    def size(self) -> int:
        return frame_bytes(self.pixel_format, self.width, self.height)

    def trouble_of(self, came: Received) -> str:
        """Return what is wrong with a buffer that came, '' for one that is whole and as it was set."""
        if came.trouble:
            return came.trouble
        pixel_format = name_of(came.format_code)
        if (came.width, came.height, pixel_format) != (self.width, self.height, self.pixel_format):
            return f"{came.width}×{came.height} {pixel_format} came, {self.width}×{self.height} {self.pixel_format} was set"
        needed = self.size + came.padding * (self.height - 1)
        return "" if came.data.size >= needed else f"{came.data.size} of its {needed} bytes came"


class AravisCamera(Camera):
    """One camera under Aravis; owned by one grabbing thread. The library receives packets on a thread of its own.

    After a loss nothing is asked of the device any more: each question would wait 2.5 s for an answer.
    """

    def __init__(self, name: str, options: Options) -> None:
        super().__init__(name)
        self._options = options
        self._connection: Connection | None = None
        self._stream: Stream | None = None
        self._lock = threading.Lock()  # who waits in the stream, makes it or ends it
        self._pending: Received | None = None
        self.applied: tuple[Applied, ...] = ()

    def _open(self) -> None:
        options = self._options
        if options.chunks:
            raise CameraOpenError(
                f"camera '{self.name}': chunks = {options.chunks!r}: this backend does not read them; leave them out, or "
                'set backend = "genicam"',
                Cause.REFUSED,
            )
        connection = Connection(self.name, options)
        try:
            self.applied = apply(connection.nodes, options, self.name)
            connection.settle_network()
            self._picture = self._set_picture(connection)
            self._silence_s = options.silence_s or self._default_silence_s(connection.nodes)
            self._ids = BlockIds() if connection.is_gige and not _extended(connection.nodes) else BlockIds(64, False)
        except (NodeError, CameraLostError, AravisError) as error:
            connection.close()
            raise CameraOpenError(str(error), error.cause) from error
        except CameraError:
            connection.close()
            raise
        self._connection = connection
        self._counts = dict.fromkeys(("frames", "broken_frames", "lost_frames", "unexpected_frames", "wrong_size"), 0)
        self._earlier: dict[str, int] = {}
        self._triggers = SoftwareTriggers(int(options.trigger_answer_s * 1e9)) if self.takes_software_trigger else None
        self._forgotten = 0

    def _start(self) -> None:
        with self._lock:
            self._begin()

    def _grab(self, into: Pixels | None, timeout_s: float) -> Frame | BrokenFrame | None:
        deadline = time.monotonic() + timeout_s
        while self._is_started:
            rest_s = deadline - time.monotonic()
            with self._lock:
                result = self._next(into, max(0.0, min(_SLICE_S, rest_s)))
            if result is not None or rest_s <= 0:
                return result
        return None

    def _trigger(self) -> Trigger | None:
        assert self._triggers is not None
        connection, now_host_ns = self._opened(), time.monotonic_ns()
        number = self._triggers.fire(now_host_ns)
        if number is None:
            return None
        try:
            connection.nodes.execute("TriggerSoftware")
        except (NodeError, CameraLostError) as error:
            self._triggers.failed(number, str(error))
            if isinstance(error, CameraLostError):
                connection.give_up()
                raise
        return Trigger(number, now_host_ns)

    def _device_now_ns(self) -> int | None:
        connection = self._opened()
        return None if connection.is_lost else latch_clock(connection.nodes)

    @property
    def takes_software_trigger(self) -> bool:
        """True where the configuration says that the station asks for each picture."""
        return self._options.trigger == "software"

    @property
    def picture_size(self) -> tuple[int, int] | None:
        """Width and height that the device was set to, once it is open."""
        return (self._picture.width, self._picture.height) if self._connection is not None else None

    @property
    def nodes(self) -> Nodes | None:
        """The GenICam features of the open device."""
        return None if self._connection is None else self._connection.nodes

    def counters(self) -> Mapping[str, int]:
        """Return what was counted since it was opened, and what the network was set to."""
        connection, stream = self._connection, self._stream
        if connection is None:
            return {}
        current = stream.counted() if stream is not None else {}
        received = {name: self._earlier.get(name, 0) + current.get(name, 0) for name in {*self._earlier, *current}}
        network = {
            "packet_size": connection.packet_size,
            "socket_buffer_bytes": connection.socket_buffer_bytes,
            "socket_buffer_too_small": int(connection.socket_buffer_is_short(self._picture.size)),
        }
        return {**self._counts, **received, **(network if connection.is_gige else {})}

    def _stop(self) -> None:
        with self._lock:
            self._end()
            if self._triggers is not None:
                self._triggers.restarted()
                while (lost := self._triggers.next_lost(time.monotonic_ns())) is not None:
                    self._forgotten += lost.lost_before + 1

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _begin(self) -> None:
        """Make a stream and let the device acquire. Raises CameraLostError."""
        connection = self._opened()
        try:
            self._picture = self._set_picture(connection)
            self._stream = connection.stream(int(connection.nodes.get("PayloadSize")))
            self._ids.restarted()
            self._missing_packets = 0
            connection.nodes.execute("AcquisitionStart")
        except (AravisError, NodeError) as error:
            self._end()
            raise CameraLostError(
                f"camera '{self.name}': acquisition cannot be started ({error}); it is closed and opened again",
                Cause.REFUSED,
            ) from error
        except CameraLostError:
            connection.give_up()
            self._end()
            raise
        self._last_host_ns = time.monotonic_ns()

    def _end(self) -> None:
        """Let the device acquire no longer, unless it is lost, and give the stream up with all that it holds."""
        connection, stream = self._opened(), self._stream
        if stream is None:
            return
        if not connection.is_lost:
            try:
                connection.nodes.execute("AcquisitionStop")
            except (NodeError, CameraLostError):
                connection.give_up()
        self._pending = None
        for name, count in stream.counted().items():
            self._earlier[name] = self._earlier.get(name, 0) + count
        self._stream = None
        if connection.is_lost:
            connection.leave(stream)
        else:
            stream.close()

    def _next(self, into: Pixels | None, timeout_s: float) -> Frame | BrokenFrame | None:
        """Return what came within a slice of time, None for nothing. Raises CameraLostError."""
        if self._triggers is not None and (given_up := self._given_up(self._triggers)) is not None:
            return given_up
        stream = self._stream
        if stream is None:
            return None
        came = self._pending or stream.pop(timeout_s)
        if came is None:
            self._check_alive()
            return None
        self._last_host_ns = time.monotonic_ns()
        self._pending = came
        trouble = self._picture.trouble_of(came)
        if not trouble and into is not None:
            self._check_room(into)
        self._pending = None
        try:
            return self._exposure(came, trouble, into)
        finally:
            stream.give_back(came)

    def _exposure(self, came: Received, trouble: str, into: Pixels | None) -> Frame | BrokenFrame | None:
        """Return the frame of a buffer, or the broken one; None for one that was not asked for or came before."""
        numbered = self._ids.take_next() if came.frame_id is None else self._ids.take(came.frame_id)
        if numbered is None:
            self._counts["unexpected_frames"] += 1
            return None
        counter, lost_before = numbered
        if self._triggers is not None:
            attributed = self._triggers.take(self._last_host_ns, came.device_ns, lost_before)
            if attributed is None:
                self._counts["unexpected_frames"] += 1
                return None
            counter, lost_before = attributed.number, attributed.lost_before + self._forgotten
            self._forgotten = 0
        self._counts["lost_frames"] += lost_before
        if trouble:
            why = f"{trouble}{self._missing()}" if came.trouble else trouble
            return self._broken(counter, came.device_ns, lost_before, why, not came.trouble)
        self._counts["frames"] += 1
        return Frame(
            camera=self.name,
            counter=counter,
            device_ns=came.device_ns,
            received_host_ns=self._last_host_ns,
            lost_before=lost_before,
            pixel_format=self._picture.pixel_format,
            pixels=self._copied(came, into),
        )

    def _copied(self, came: Received, into: Pixels | None) -> Pixels:
        """Return the pixels in memory of the caller: the one copy on their way."""
        picture = self._picture
        size = picture.size
        flat = np.empty(size, np.uint8) if into is None else into[:size]
        pixels = shaped(flat, picture.pixel_format, picture.width, picture.height)
        source = came.data[: size + came.padding * (picture.height - 1)]
        np.copyto(pixels, shaped(source, picture.pixel_format, picture.width, picture.height, came.padding))
        return pixels

    def _broken(self, counter: int, device_ns: int | None, lost: int, why: str, is_wrong: bool = False) -> BrokenFrame:
        self._counts["broken_frames"] += 1
        self._counts["wrong_size"] += is_wrong
        return BrokenFrame(self.name, counter, device_ns, time.monotonic_ns(), lost, why)

    def _missing(self) -> str:
        """Return how many packets went missing since this was asked last, for people; '' for none."""
        assert self._stream is not None  # a buffer of it is at hand
        counted = self._stream.counted()["missing_packets"]
        missing, self._missing_packets = counted - self._missing_packets, counted
        return f" ({missing} packets are missing)" if missing > 0 else ""

    def _given_up(self, triggers: SoftwareTriggers) -> BrokenFrame | None:
        """Return the next trigger without a picture; begin anew once it is not certain whose picture would come next."""
        lost = triggers.next_lost(time.monotonic_ns())
        if lost is not None:
            missing, self._forgotten = lost.lost_before + self._forgotten, 0
            return self._broken(lost.number, None, missing, lost.why)
        if triggers.must_restart and not self._opened().is_lost:
            self._end()
            self._begin()
            triggers.restarted()
        return None

    def _check_alive(self) -> None:
        """Raise CameraLostError once control is lost, or a free-running camera has sent nothing for too long."""
        connection = self._opened()
        if connection.is_lost:
            raise CameraLostError(
                f"camera '{self.name}': it does not answer any more and control of it is lost; check its cable, power "
                "and address",
                Cause.CONTROL_LOST,
            )
        silent_s = (time.monotonic_ns() - self._last_host_ns) / 1e9
        if not self._options.is_triggered and silent_s > self._silence_s:
            connection.give_up()
            raise CameraLostError(
                f"camera '{self.name}': no frame for {silent_s:.1f} s — one is due every {self._silence_s:g} s at most — "
                "check its cable and power; if it never sends one, lower packet_size",
                Cause.SILENT,
            )

    def _check_room(self, into: Pixels) -> None:
        if into.ndim != 1 or into.size < self._picture.size or into.dtype != np.uint8 or not into.flags.c_contiguous:
            raise ValueError(
                f"camera '{self.name}': the buffer is {into.dtype} of shape {into.shape}, the frame needs "
                f"{self._picture.size} bytes; pass a flat, contiguous uint8 buffer that large"
            )

    def _set_picture(self, connection: Connection) -> _Picture:
        """Return what the device is set to. Raises CameraOpenError for a pixel format that nobody here reads."""
        nodes = connection.nodes
        pixel_format = canonical(str(nodes.get("PixelFormat")))
        picture = _Picture(int(nodes.get("Width")), int(nodes.get("Height")), pixel_format)
        try:
            _ = picture.size
        except PixelFormatError as error:
            raise CameraOpenError(f"camera '{self.name}': {error}", Cause.REFUSED) from error
        return picture

    def _default_silence_s(self, nodes: Nodes) -> float:
        """Return five frames' time at the rate that the device says, two seconds at least."""
        for name in ("AcquisitionResultingFrameRate", "ResultingFrameRate", "AcquisitionFrameRate"):
            if nodes.has(name):
                try:
                    rate_hz = float(nodes.get(name))
                except NodeError:
                    continue
                return max(_LEAST_SILENCE_S, _SILENT_FRAMES / rate_hz) if rate_hz > 0 else _LEAST_SILENCE_S
        return _LEAST_SILENCE_S

    def _opened(self) -> Connection:
        assert self._connection is not None  # the life cycle puts open() before
        return self._connection


def _extended(nodes: Nodes) -> bool:
    """Return whether a GigE Vision 2 device numbers its frames with 64 bits."""
    name = "GevGVSPExtendedIDMode"
    try:
        return nodes.has(name) and nodes.get(name) in ("On", 1, True)
    except NodeError:
        return False

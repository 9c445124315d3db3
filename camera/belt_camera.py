"""What the cameras without hardware share: a belt gives the times, the driver gives a picture for each part."""

from __future__ import annotations

import time
from abc import abstractmethod
from typing import ClassVar

from camera.belt import Belt
from camera.commanded_belt import CommandedBelt
from camera.copying import check_room, put
from camera.frame import BrokenFrame, Frame, Pixels, Trigger
from camera.interface import Camera


class BeltCamera(Camera):
    """A camera whose parts come from a `Belt`; a driver fills in `_prepare`, `_picture` and `_release`.

    Frames and triggers carry the part's number. Pictures are made in the grabbing thread ahead of the crossing, so
    a frame is late only where making it takes longer than the belt leaves. `exhausted` becomes True when all frames
    were taken and (if anybody called `wait_trigger`) all triggers, too: each thread ends when its call gave None
    and `exhausted` is True.
    """

    reports_triggers: ClassVar[bool] = True

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._belt: Belt | None = None
        self._leader: BeltCamera | None = None
        self._ready: tuple[int, Pixels | None] | None = None
        self._last_counter = 0
        self._lost_frames = 0

    @property
    def exhausted(self) -> bool:
        """True once a finite belt has given everything; it stays true after stop and close."""
        return self._belt is not None and self._belt.finished

    @property
    def waits_for_host(self) -> bool:
        """True where the belt moves by handshake."""
        return self._belt is not None and not self._belt.paced

    @property
    def takes_software_trigger(self) -> bool:
        """True where the belt waits for the host's command."""
        return isinstance(self._belt, CommandedBelt)

    def counters(self) -> dict[str, int]:
        """Return how many parts had no picture since it was opened, and how many triggers nobody ever read."""
        dropped = 0 if self._belt is None else self._belt.dropped_triggers
        return {"lost_frames": self._lost_frames, "dropped_triggers": dropped}

    def _trigger(self) -> Trigger | None:
        belt = self._opened_belt()
        return belt.command() if isinstance(belt, CommandedBelt) else None

    def _open(self) -> None:
        self._belt = self._prepare()
        self._last_counter = 0
        self._lost_frames = 0

    def follow(self, leader: BeltCamera) -> None:
        """Look at the same belt as another camera, which is started first: both see a part where it is."""
        self._leader = leader

    def _start(self) -> None:
        leader = None if self._leader is None else self._leader._belt
        self._opened_belt().run(None if leader is None else leader.origin_host_ns)

    def _stop(self) -> None:
        self._opened_belt().halt()

    def _cease(self) -> bool:
        leader = None if self._leader is None else self._leader._belt
        self._opened_belt().cease(None if leader is None else leader.last)
        return True

    def _close(self) -> None:
        self._ready = None
        self._release()

    def _wait_trigger(self, timeout_s: float) -> Trigger | None:
        return self._opened_belt().next_trigger(_until_host_ns(timeout_s))

    def _device_now_ns(self) -> int | None:
        return self._opened_belt().now_ns()

    def _grab(self, into: Pixels | None, timeout_s: float) -> Frame | BrokenFrame | None:
        belt, until_host_ns = self._opened_belt(), _until_host_ns(timeout_s)
        while not belt.frames_done:
            part = belt.next_frame
            picture = self._picture_ahead(part)
            if picture is not None:
                check_room(self.name, into, picture.size)
            if not belt.take_frame(part, self._delay_ns(part), until_host_ns):
                return None
            if picture is not None:
                return self._frame(part, picture, into)
            if why := self._why_broken(part):
                return self._broken(part, why)
            self._lost_frames += 1
        belt.await_end(until_host_ns)
        return None

    def _frame(self, part: int, picture: Pixels, into: Pixels | None) -> Frame:
        received_host_ns = time.monotonic_ns()
        if into is not None:
            pixels = into[: picture.size].reshape(picture.shape)
            put(pixels, picture)
        else:
            pixels = picture if picture.flags.writeable or self.lends_frames else picture.copy()
        return Frame(
            camera=self.name,
            counter=part,
            device_ns=self._exposed_device_ns(part),
            received_host_ns=received_host_ns,
            lost_before=self._lost_before(part),
            pixel_format=self._format_of(pixels),
            pixels=pixels,
        )

    def _broken(self, part: int, why: str) -> BrokenFrame:
        received_host_ns, device_ns = time.monotonic_ns(), self._exposed_device_ns(part)
        return BrokenFrame(self.name, part, device_ns, received_host_ns, self._lost_before(part), why)

    def _lost_before(self, part: int) -> int:
        lost_before, self._last_counter = part - self._last_counter - 1, part
        return lost_before

    def _exposed_device_ns(self, part: int) -> int | None:
        belt = self._opened_belt()
        return belt.crossed_host_ns(part) if isinstance(belt, CommandedBelt) else self._device_ns(part)

    def _format_of(self, pixels: Pixels) -> str:
        return "Mono8" if pixels.ndim == 2 else "RGB8"

    def _picture_ahead(self, part: int) -> Pixels | None:
        ready = self._ready
        if ready is None or ready[0] != part:
            ready = self._ready = (part, self._picture(part))
        return ready[1]

    def _opened_belt(self) -> Belt:
        assert self._belt is not None  # the life cycle puts open() before
        return self._belt

    def _delay_ns(self, part: int) -> int:
        """Time from the crossing of `part` to its last pixel."""
        del part
        return 0

    def _why_broken(self, part: int) -> str:
        """Tell why an exposure without a picture came broken, '' where nothing came of it at all."""
        del part
        return ""

    @abstractmethod
    def _prepare(self) -> Belt:
        """Claim what the pictures come from, and lay out the belt. Raises CameraOpenError."""

    @abstractmethod
    def _picture(self, part: int) -> Pixels | None:
        """Give the picture of `part`, None for a lost frame; a read-only array is lent or copied (`lends_frames`)."""

    @abstractmethod
    def _device_ns(self, part: int) -> int:
        """Time stamp of the exposure of `part` on the device's own clock."""

    @abstractmethod
    def _release(self) -> None:
        """Let go of what `_prepare` claimed; a picture may be in the making in another thread."""


def _until_host_ns(timeout_s: float) -> int:
    return time.monotonic_ns() + round(timeout_s * 1e9)

"""One camera as the contract's checks see it: how to make it, and what may be expected of it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from camera.backends import make_camera
from camera.contract.expecting import ContractError, LossError, expect, expect_some
from camera.frame import BrokenFrame, Frame, Pixels, Trigger
from camera.interface import Camera
from camera.scene import Scene

_REFUSED_S = 0.02  # between two attempts to trigger a device that does not take one yet


@dataclass(frozen=True)
class CameraUnderTest:
    """One row: a camera with all of its parts soon, and what makes it wait. Every check makes cameras of its own.

    backend, options: as `make_camera` takes them. The options let frames come by themselves, some in each second, or
    at the suite's own call where they set a trigger from software.
    """

    backend: str
    options: Mapping[str, object]
    label: str = ""
    """What the row is called in reports."""
    slow: Mapping[str, object] | None = None
    """Options over those that put the next frame far away; None: nothing makes the grabbing thread wait."""
    commanded: Mapping[str, object] | None = None
    """All options of a camera that waits for a trigger from software; None: it never takes one."""
    endless: Mapping[str, object] = field(default_factory=dict)
    """Options over `commanded` that take the end away from a source that has one."""
    restarted: Mapping[str, object] = field(default_factory=dict)
    """Options over those for the restart: a driver that grabs ahead drops what was not taken at a stop."""

    free_running: bool = True
    """It tells of no triggers, and what a frame shows is not the part with its number; False: `reports_triggers`."""
    finite: bool = False
    """It ends after `parts` frames; a real camera never does."""
    handshake: bool = False
    """The next part comes when the host asks for it, and not before."""
    stamped: bool = True
    """Its frames carry a time stamp of the device."""
    link_may_lose: bool = False
    """Nobody has seen to it that no picture is lost on its way: one that is told of is the link's, not the driver's."""
    has_clock: bool = True
    """The clock that stamps its frames can be asked."""
    device_clock: bool = True
    """A frame carries the time of a clock of the device's own, not the moment of its trigger."""

    shape: tuple[int, ...] | None = None
    """Of the pixels of each frame; None: whatever the first one has."""
    pixel_format: str | None = None
    """PFNC name; None: whatever the first frame has."""
    grey_of: Callable[[int], int] | None = None
    """The grey level of the picture of a part, by its number; None: the pictures do not tell."""

    scene: Scene | None = None
    """What a simulated camera looks at."""
    camera_name: str = "top"
    parts: int = 12
    """How many frames a check looks at."""
    patience_s: float = 30.0
    """A wait that ends in the first place; reached only by a fault."""

    def camera(self, **changes: object) -> Camera:
        """Make the camera whose frames come soon."""
        return self._made({**self.options, **changes})

    def slow_camera(self) -> Camera:
        """Make the camera whose next frame is far away, where there is one."""
        return self._made({**self.options, **(self.slow or {})})

    def commanded_camera(self, **changes: object) -> Camera:
        """Make the camera that waits for a trigger from software."""
        return self._made({**(self.commanded or {}), **changes})

    def next_frame(self, camera: Camera, into: Pixels | None = None) -> Frame | None:
        """Grab, after a trigger where the camera is waiting for one; None at the end. A broken frame fails."""
        if camera.takes_software_trigger:
            self.await_trigger(camera)
        return self.whole(camera.grab(into, self.patience_s))

    def whole(self, grabbed: Frame | BrokenFrame | None) -> Frame | None:
        """Return what a grab gave. Raises ContractError for a broken frame where nothing is wrong with the link."""
        if isinstance(grabbed, BrokenFrame):
            broken = LossError if self.link_may_lose else ContractError
            raise broken(f"frame {grabbed.counter} came broken: {grabbed.why}")
        return grabbed

    def next_after(self, before: int, frame: Frame) -> Frame:
        """Return a frame that was to be number `before` + 1. Raises LossError where the link may lose and it is told.

        Told of is a loss whose size the counter bears out; any other gap is for the check to find.
        """
        lost = frame.lost_before
        if self.link_may_lose and lost > 0 and frame.counter == before + lost + 1:
            raise LossError(f"frames that did not come before frame {frame.counter}: {lost}")
        return frame

    def first_frame(self, camera: Camera) -> Frame:
        """Grab the first frame of a camera that was just opened; it must come."""
        return self.next_after(0, self.some_frame(camera))

    def some_frame(self, camera: Camera, into: Pixels | None = None) -> Frame:
        """Grab a frame that must come."""
        return expect_some(self.next_frame(camera, into), f"no frame came in {self.patience_s:g} s")

    def all_frames(self, camera: Camera) -> list[Frame]:
        """Return all frames of a source that ends, the first `parts` of one that does not."""
        frames: list[Frame] = []
        until = time.monotonic() + self.parts * self.patience_s
        while not camera.exhausted and (self.finite or len(frames) < self.parts):
            frame = self.next_frame(camera)
            if frame is not None:
                frames.append(self.next_after(frames[-1].counter if frames else 0, frame))
            expect(time.monotonic() < until, f"{len(frames)} of {self.parts} frames came in time")
        return frames

    def await_trigger(self, camera: Camera) -> Trigger | None:
        """Trigger a device once it takes one: it may still be getting rid of the exposure before its restart."""
        until = time.monotonic() + self.patience_s
        while not camera.exhausted and time.monotonic() < until:
            if (trigger := camera.trigger()) is not None:
                return trigger
            expect(camera.grab(None, _REFUSED_S) is None, "a frame came without a trigger")
        return None

    def frame_bytes(self) -> int:
        """Return the size of a frame; a camera of unknown shape is asked for one."""
        if self.shape is not None:
            return math.prod(self.shape)
        with self.camera() as camera:
            camera.start()
            return int(self.some_frame(camera).pixels.nbytes)

    def _made(self, options: Mapping[str, object]) -> Camera:
        return make_camera(self.backend, self.camera_name, options, scene=self.scene)

"""A camera that does not give the triggers: its frames are matched with the parts that others gave birth to."""

from __future__ import annotations

from collections.abc import Callable

from camera.frame import Frame
from camera.interface import Camera
from inspection.camera_loop import CameraEvents, CameraLoop
from inspection.flow import PartFlow


class ViewLine(CameraLoop):
    """Hands each frame to the flow, which finds its part by place and counter. view: which view of a part it shows."""

    def __init__(
        self,
        camera: Camera,
        flow: PartFlow,
        view: int,
        wait_for_room: Callable[[float], bool],
        events: CameraEvents,
    ) -> None:
        super().__init__(camera, wait_for_room, events)
        self._flow = flow
        self._view = view

    def take(self, frame: Frame) -> None:
        """Have the frame matched and scored."""
        self._flow.on_view_frame(self._view, frame)

    def reopening(self) -> None:
        """Forget what the camera counted before."""
        self._flow.on_view_restarted(self._view)

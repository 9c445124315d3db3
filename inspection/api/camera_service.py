"""CameraService: what the cameras do, pictures of them, and a trigger from software."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from typing import TypeVar

import grpc

from inspection.api import v1 as pb
from inspection.api import v1_grpc as pb_grpc
from inspection.api.answers import Context, streaming, unary
from inspection.api.errors import RefusedError
from inspection.api.refusals import carried_out
from inspection.api.status_messages import camera_message
from inspection.api.watchers import Watchers
from inspection.camera_history import CameraReport
from inspection.control import LineControl, NoPictureError, NoSuchCameraError

MAX_CAMERA_WATCHERS = 64  # more than one caller may have
_LOOK_S = 0.25
_ANYWAY_S = 5.0
_Answer = TypeVar("_Answer")


class CameraService(pb_grpc.CameraServiceServicer):
    """Owned by the server; its methods run on the server's event loop, whatever may block in `calls`.

    A picture may take seconds: it is waited for in `snapshots`, so that it holds no command up.
    """

    def __init__(self, control: LineControl, calls: Executor, snapshots: Executor) -> None:
        self._control = control
        self._calls, self._snapshots = calls, snapshots
        self._watchers = Watchers("cameras", MAX_CAMERA_WATCHERS)

    def stop(self) -> None:
        """End every stream with UNAVAILABLE, each within a fraction of a second."""
        self._watchers.stop()

    @unary
    async def ListCameras(  # noqa: N802 - the name in the proto
        self, _request: pb.ListCamerasRequest, _context: Context
    ) -> pb.ListCamerasResponse:
        """Return every camera."""
        cameras = await self._call(self._control.camera_reports)
        return pb.ListCamerasResponse(cameras=[camera_message(camera) for camera in cameras])

    @streaming
    async def WatchCameras(  # noqa: N802 - the name in the proto
        self, _request: pb.WatchCamerasRequest, context: Context
    ) -> AsyncIterator[pb.WatchCamerasResponse]:
        """Stream every camera, at once, when one changes, and every five seconds."""
        self._watchers.admit(context)
        loop = asyncio.get_running_loop()
        seen, due_s = None, 0.0
        while True:
            self._watchers.check()
            cameras = await self._call(self._control.camera_reports)
            states = [_state(camera) for camera in cameras]
            if states != seen or loop.time() >= due_s:
                seen, due_s = states, loop.time() + _ANYWAY_S
                yield pb.WatchCamerasResponse(cameras=[camera_message(camera) for camera in cameras])
            await asyncio.sleep(_LOOK_S)

    @unary
    async def GetSnapshot(  # noqa: N802 - the name in the proto
        self, request: pb.GetSnapshotRequest, _context: Context
    ) -> pb.GetSnapshotResponse:
        """Return a picture of one camera."""
        try:
            shot = await self._call(lambda: self._control.snapshot(request.camera), self._snapshots)
        except NoSuchCameraError as error:
            raise RefusedError(grpc.StatusCode.NOT_FOUND, "CAMERA", str(error), field="camera") from error
        except NoPictureError as error:
            raise RefusedError(grpc.StatusCode.FAILED_PRECONDITION, "PICTURE", str(error)) from error
        return pb.GetSnapshotResponse(
            data=shot.png,
            content_type="image/png",
            width=shot.width,
            height=shot.height,
            pixel_format=shot.pixel_format,
            age_ms=shot.age_ms,
        )

    @unary
    async def TriggerCamera(  # noqa: N802 - the name in the proto
        self, _request: pb.TriggerCameraRequest, _context: Context
    ) -> pb.TriggerCameraResponse:
        """Have the first camera make a picture now."""
        part = await self._call(lambda: carried_out(self._control, self._control.trigger_once))
        return pb.TriggerCameraResponse(part=part)

    async def _call(self, function: Callable[[], _Answer], pool: Executor | None = None) -> _Answer:
        return await asyncio.get_running_loop().run_in_executor(pool or self._calls, function)


def _state(camera: CameraReport) -> tuple[object, ...]:
    return camera.name, camera.state, camera.cause, camera.detail

"""The cameras of a station, each with its loop: the first gives the triggers, the others see further views."""

from __future__ import annotations

from collections.abc import Callable

from camera.backends import BACKENDS, make_camera
from camera.belt_camera import BeltCamera
from camera.interface import Camera
from camera.scene import Scene
from inspection.camera_loop import CameraEvents, CameraLoop
from inspection.config import StationConfig
from inspection.flow import PartFlow
from inspection.free_run_line import FreeRunEvents, FreeRunLine
from inspection.line import Line
from inspection.motion import Motion
from inspection.simulation.scene import SyntheticScene
from inspection.tracking.device_clock import DeviceClock
from inspection.tracking.free_run import FreeRunTriggers
from inspection.tracking.geometry import Geometry
from inspection.tracking.matched_view import MatchedView
from inspection.tracking.matching import Matcher
from inspection.view_line import ViewLine


def make_lines(
    config: StationConfig,
    flow: PartFlow,
    scene: Scene | None,
    wait_for_room: Callable[[float], bool],
    events: Callable[[str], CameraEvents],
    free_run_events: FreeRunEvents,
) -> list[CameraLoop]:
    """Open every camera and return their loops, the first camera's first. Raises CameraError; then none is open.

    scene: what lies on the belt of a simulated camera. events: what to tell of a camera, by its name.
    """
    cameras: list[Camera] = []
    try:
        for section in config.cameras:
            camera = make_camera(section.backend, section.name, section.options, scene=scene)
            cameras.append(camera)
            if isinstance(camera, BeltCamera) and isinstance(cameras[0], BeltCamera) and camera is not cameras[0]:
                camera.follow(cameras[0])
            camera.open()
    except BaseException:
        for camera in cameras:
            camera.close()
        raise
    first, *others = cameras
    lines: list[CameraLoop] = [_first_line(config, first, flow, wait_for_room, events(first.name), free_run_events)]
    for place, camera in enumerate(others):
        lines.append(ViewLine(camera, flow, config.camera.frames + place, wait_for_room, events(camera.name)))
    return lines


def _first_line(
    config: StationConfig,
    camera: Camera,
    flow: PartFlow,
    wait_for_room: Callable[[float], bool],
    events: CameraEvents,
    free_run_events: FreeRunEvents,
) -> CameraLoop:
    if config.free_run is None:
        return Line(camera, flow, config.camera.frames, wait_for_room, events)
    settings = config.free_run.settings()
    return FreeRunLine(camera, flow, lambda: FreeRunTriggers(settings), wait_for_room, events, free_run_events)


def matched_views(config: StationConfig, geometry: Geometry, motion: Motion) -> dict[int, MatchedView]:
    """Return the views of the cameras that do not give the triggers, by their number in a part.

    Raises ValueError where a frame of theirs could never be matched for sure.
    """
    closest = config.geometry.closest(geometry.takes_behind)
    views = {}
    for place, camera in enumerate(config.cameras[1:]):
        matcher = Matcher(config.geometry.match_settings(camera, closest))
        views[config.camera.frames + place] = MatchedView(matcher, DeviceClock(), motion.position_at)
    return views


def scene_of(config: StationConfig) -> SyntheticScene | None:
    """Return what lies on the belt, for cameras that have none of their own; its textures take 100 MB."""
    if not any(BACKENDS[camera.backend].needs_scene for camera in config.cameras):
        return None
    return SyntheticScene(config.simulation.seed, config.simulation.defect_rate)

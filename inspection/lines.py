"""The cameras of a station, each with its loop: the first gives the triggers, the others see further views."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from camera.backends import backend_row, make_camera
from camera.belt_camera import BeltCamera
from camera.interface import Camera
from camera.scene import Scene
from inspection.camera_loop import CameraEvents, CameraLoop
from inspection.config import StationConfig
from inspection.config.region import beyond_picture, view_regions
from inspection.errors import ConfigError
from inspection.flow import PartFlow
from inspection.free_run_line import FreeRunEvents, FreeRunLine
from inspection.line import Line
from inspection.simulation.scene import SyntheticScene
from inspection.tracking.free_run import FreeRunTriggers
from inspection.view_line import ViewLine


@dataclass(frozen=True, slots=True)
class LineEvents:
    """What the cameras' loops tell the station, and what they ask of it."""

    camera: Callable[[str], CameraEvents]  # what to tell of a camera, by its name
    free_run: FreeRunEvents
    wait_for_room: Callable[[float], bool]
    photo_eye: Callable[[int], None] | None = None  # a simulated controller's input, where there is one


def make_lines(config: StationConfig, flow: PartFlow, scene: Scene | None, events: LineEvents) -> list[CameraLoop]:
    """Open every camera and return their loops, the first camera's first.

    scene: what lies on the belt of a simulated camera. Raises CameraError or ConfigError; then none is open.
    """
    cameras: list[Camera] = []
    try:
        for place, section in enumerate(config.cameras):
            camera = make_camera(section.backend, section.name, section.options, scene=scene)
            cameras.append(camera)
            if isinstance(camera, BeltCamera) and isinstance(cameras[0], BeltCamera) and camera is not cameras[0]:
                camera.follow(cameras[0])
            camera.open()
            _check_regions(config, place, camera)
    except BaseException:
        for camera in cameras:
            camera.close()
        raise
    lines = [_first_line(config, cameras[0], flow, events)]
    for place, camera in enumerate(cameras[1:]):
        view = config.camera.frames + place
        lines.append(ViewLine(camera, flow, view, events.wait_for_room, events.camera(camera.name)))
    return lines


def _check_regions(config: StationConfig, place: int, camera: Camera) -> None:
    """Raise ConfigError where a region reaches out of the camera's pictures: no part could ever be judged."""
    if any(view_regions(config)) and (problems := beyond_picture(config, place, camera.picture_size)):
        raise ConfigError("; ".join(problems))


def _first_line(config: StationConfig, camera: Camera, flow: PartFlow, events: LineEvents) -> CameraLoop:
    of_camera = events.camera(camera.name)
    if config.free_run is not None:
        settings = config.free_run.settings()
        return FreeRunLine(
            camera, flow, lambda: FreeRunTriggers(settings), events.wait_for_room, of_camera, events.free_run
        )
    if config.ejector.is_controller:
        photo_eye = events.photo_eye if camera.reports_triggers else None
        return ViewLine(camera, flow, 0, events.wait_for_room, of_camera, photo_eye)
    return Line(camera, flow, config.camera.frames, events.wait_for_room, of_camera)


def scene_of(config: StationConfig) -> SyntheticScene | None:
    """Return what lies on the belt, for cameras that have none of their own; its textures take 100 MB."""
    if not any(backend_row(camera.backend).needs_scene for camera in config.cameras):
        return None
    return SyntheticScene(config.simulation.seed, config.simulation.defect_rate)

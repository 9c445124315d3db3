"""The cameras of a station, each with its loop: the first gives the triggers, the others see further views."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from camera.backends import backend_row, make_camera
from camera.belt_camera import BeltCamera
from camera.errors import CameraOpenError, Cause
from camera.interface import Camera
from camera.scene import Scene
from inspection.camera_loop import CameraLoop
from inspection.camera_presence import CameraEvents
from inspection.config import StationConfig
from inspection.config.identity import beyond_code_picture
from inspection.config.region import beyond_picture, view_regions
from inspection.config.straightening import other_size
from inspection.errors import ConfigError
from inspection.flow import PartFlow
from inspection.free_run_line import FreeRunEvents, FreeRunLine
from inspection.line import Line
from inspection.simulation.coded import CodedScene
from inspection.simulation.scene import SyntheticScene
from inspection.tracking.free_run import FreeRunTriggers
from inspection.view_line import ViewLine


@dataclass(frozen=True, slots=True)
class LineEvents:
    """What the cameras' loops tell the station, and what they ask of it."""

    camera: Callable[[str], CameraEvents]  # what to tell of a camera, by its name
    free_run: FreeRunEvents
    wait_for_room: Callable[[float], bool]
    config: Callable[[], StationConfig]  # the present one: a recipe may have changed it
    photo_eye: Callable[[int], None] | None = None  # a simulated controller's input, where there is one


def make_lines(config: StationConfig, flow: PartFlow, scene: Scene | None, events: LineEvents) -> list[CameraLoop]:
    """Open every camera and return their loops, the first camera's first.

    scene: what lies on the belt of a simulated camera. A device that is not there yet, or held by another program, is
    lost from the beginning and opened when it comes. Raises CameraError or ConfigError; then none is open.
    """
    cameras: list[Camera] = []
    absent: dict[int, CameraOpenError] = {}
    try:
        for place, section in enumerate(config.cameras):
            camera = make_camera(section.backend, section.name, section.options, scene=scene)
            cameras.append(camera)
            if isinstance(camera, BeltCamera) and isinstance(cameras[0], BeltCamera) and camera is not cameras[0]:
                camera.follow(cameras[0])
            try:
                camera.open()
            except CameraOpenError as error:
                if not _may_come(section.backend, error):
                    raise
                absent[place] = error
            else:
                if misfit := misfit_of(config, place, camera):
                    raise ConfigError(misfit)
    except BaseException:
        for camera in cameras:
            camera.close()
        raise
    told = [
        replace(events.camera(camera.name), misfit=partial(_present_misfit, events.config, place))
        for place, camera in enumerate(cameras)
    ]
    lines = [_first_line(config, cameras[0], flow, events, told[0])]
    for place, camera in enumerate(cameras[1:], 1):
        view = config.camera.frames + place - 1
        lines.append(ViewLine(camera, flow, view, events.wait_for_room, told[place]))
    for place, why in absent.items():
        lines[place].absent(why)
    return lines


def _present_misfit(config: Callable[[], StationConfig], place: int, camera: Camera) -> str:
    return misfit_of(config(), place, camera)


def _may_come(backend: str, error: CameraOpenError) -> bool:
    """Return whether a camera may be opened later as it is: a PC boots faster than a camera.

    A setting that the device refuses, and a missing library or permission, are for somebody to mend.
    """
    return backend_row(backend).is_device and error.cause not in (Cause.REFUSED, Cause.INSTALLATION)


def misfit_of(config: StationConfig, place: int, camera: Camera) -> str:
    """Return how regions or references do not fit an open camera's pictures, so that no part could ever be judged.

    Empty where they fit, and where nobody knows the size of the pictures yet.
    """
    section, problems = config.cameras[place], []
    if any(view_regions(config)):
        problems += beyond_picture(config, place, camera.picture_size)
    if config.identity.region is not None:
        problems += beyond_code_picture(config, place, camera.picture_size)
    if section.lens is not None or section.align is not None:
        problems += other_size(section, camera.picture_size)
    return "; ".join(problems)


def _first_line(
    config: StationConfig, camera: Camera, flow: PartFlow, events: LineEvents, of_camera: CameraEvents
) -> CameraLoop:
    if config.free_run is not None:
        settings = config.free_run.settings()
        return FreeRunLine(
            camera, flow, lambda: FreeRunTriggers(settings), events.wait_for_room, of_camera, events.free_run
        )
    if config.ejector.is_controller:
        photo_eye = events.photo_eye if camera.reports_triggers else None
        return ViewLine(camera, flow, 0, events.wait_for_room, of_camera, photo_eye)
    return Line(camera, flow, config.camera.frames, events.wait_for_room, of_camera)


def scene_of(config: StationConfig) -> Scene | None:
    """Return what lies on the belt, for cameras that have none of their own; its textures take 100 MB."""
    if not any(backend_row(camera.backend).needs_scene for camera in config.cameras):
        return None
    belt = config.simulation
    parts = SyntheticScene(belt.seed, belt.defect_rate, shift_px=belt.shift_px, turn_deg=belt.turn_deg)
    return CodedScene(parts, belt.seed, belt.code_trouble_rate) if belt.codes else parts

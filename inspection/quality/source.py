"""Pictures to learn from: a camera of the station, or a recording in its place, measured as the line would."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from camera.backends import make_camera
from camera.errors import PixelFormatError
from camera.figures import Figures, measure
from camera.interface import Camera
from inspection.config import StationConfig
from inspection.config.cameras import CameraSection
from inspection.config.region import view_regions
from inspection.errors import ConfigError
from inspection.lines import scene_of
from inspection.offline.asking import whole_frames


def camera_named(config: StationConfig, name: str | None) -> tuple[int, CameraSection]:
    """Return a camera of the station and its place; the first without a name. Raises ConfigError for none such."""
    for place, section in enumerate(config.cameras):
        if name in (None, section.name):
            return place, section
    raise ConfigError(
        f"there is no camera '{name}'; the station has {', '.join(camera.name for camera in config.cameras)}"
    )


def measured(
    config: StationConfig, place: int, recording: Path | None, count: int, timeout_s: float, pixel_format: str | None
) -> Iterator[Figures]:
    """Measure up to `count` pictures of a camera, or of a recording, in the region where the model looks.

    Ends early at the end of a recording, or when no picture came for `timeout_s`. Raises CameraError, or ConfigError
    where the region reaches out of the picture.
    """
    section = config.cameras[place]
    before = sum(camera.frames for camera in config.cameras[:place])
    regions = view_regions(config)[before : before + section.frames]
    with _made(config, section, recording, pixel_format) as camera:
        for number, frame in enumerate(whole_frames(camera, count, timeout_s)):
            region = regions[number % len(regions)]
            try:
                yield measure(frame.pixels, frame.pixel_format, None if region is None else region.rectangle)
            except PixelFormatError as error:
                raise ConfigError(f"camera '{section.name}': {error}") from error


def _made(config: StationConfig, section: CameraSection, recording: Path | None, pixel_format: str | None) -> Camera:
    if recording is None:
        return make_camera(section.backend, section.name, section.options, scene=scene_of(config))
    options: dict[str, Any] = {"path": str(recording), "rate_hz": 0}
    if pixel_format is not None:
        options["pixel_format"] = pixel_format
    return make_camera("replay", section.name, options)

"""What a sound configuration names that is not there on this machine: found before the line is started."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from camera.backends import backend_row, installing, make_camera
from inspection.api.access_file import read_access
from inspection.api.tls import read_pair
from inspection.config.cameras import CameraSection
from inspection.config.identity import beyond_code_picture
from inspection.config.region import beyond_picture, view_regions
from inspection.config.sections import StationConfig
from inspection.config.straightening import other_size, straighteners
from inspection.ejector.options import make_ejector
from inspection.identity import codes
from inspection.identity.words import Source
from inspection.plant.installed import check_installed as check_installed_for_plant
from inspection.plc.plc import check_installed
from inspection.process_priority import refusal
from inspection.recipe import matched_views
from inspection.simulation.coded import STRIP
from inspection.simulation.scene import HEIGHT, WIDTH
from models.bundle import load_bundle
from models.references import resolve_bundle


def missing_here(config: StationConfig) -> list[str]:
    """Return one sentence for each thing that `run` would refuse on this machine; nothing is opened for longer."""
    checks: tuple[Callable[[StationConfig], None], ...] = (
        _priority, _model, _drivers, _pictures, _straight, _port, _plc, _geometry, _records, _api, _plant, _codes,
    )  # fmt: skip
    problems = []
    for check in checks:
        try:
            check(config)
        except Exception as error:
            if not isinstance(getattr(error, "exit_code", None), int):
                raise
            problems.append(str(error))
    return problems


class _MissingError(Exception):
    exit_code = 1


def _model(config: StationConfig) -> None:
    load_bundle(resolve_bundle(config.model.bundle))


def _api(config: StationConfig) -> None:
    """Read certificates and tokens; a certificate that has expired stops no line, but nobody would talk to it."""
    if not config.api.enabled:
        return
    if config.api.tokens is not None:
        read_access(config.api.tokens)
    if config.api.has_tls:
        pair = read_pair(config.api)
        if pair.has_expired(time.time()):
            text = f"{pair.trouble(time.time())} — clients refuse it — renew it: docs/security.md"
            raise _MissingError(text)


def _plant(config: StationConfig) -> None:
    check_installed_for_plant(config.plant)


def _priority(config: StationConfig) -> None:
    if text := refusal(config.inference.priority):
        raise _MissingError(text)


def _drivers(config: StationConfig) -> None:
    """Look for the libraries that the cameras' drivers stand on."""
    problems = [
        f"camera '{camera.name}': what backend '{camera.backend}' stands on is not installed — {how}"
        for camera in config.cameras
        if (how := installing(backend_row(camera.backend)))
    ]
    if problems:
        raise _MissingError("; ".join(problems))


def _pictures(config: StationConfig) -> None:
    """Look for recordings, and hold regions against the pictures of cameras that need no hardware."""
    problems = []
    for place, camera in enumerate(config.cameras):
        path = camera.options.get("path")
        if path is not None and not Path(str(path)).expanduser().exists():
            problems.append(f"camera.path {path}: does not exist — a folder, a list or a video is needed — mend it")
        else:
            size = _picture_size(config, camera)
            problems += beyond_picture(config, place, size) + beyond_code_picture(config, place, size)
    if problems:
        raise _MissingError("; ".join(problems))


def _straight(config: StationConfig) -> None:
    """Read calibrations and references, and hold them against each other and the pictures of the camera."""
    straighteners(config, view_regions(config))
    problems = [one for camera in config.cameras for one in other_size(camera, _known_size(config, camera))]
    if problems:
        raise _MissingError("; ".join(problems))


def _known_size(config: StationConfig, camera: CameraSection) -> tuple[int, int] | None:
    """Return the size of a camera's pictures where a file depends on it; None where nobody knows, or none does."""
    path = camera.options.get("path")
    if (camera.lens is None and camera.align is None) or (path and not Path(str(path)).expanduser().exists()):
        return None
    return _picture_size(config, camera)


def _picture_size(config: StationConfig, camera: CameraSection) -> tuple[int, int] | None:
    if camera.backend == "simulated":
        return WIDTH + (STRIP if config.simulation.codes else 0), HEIGHT
    if camera.backend != "replay":
        return None
    with make_camera("replay", camera.name, {**camera.options, "preload": False}) as replay:
        return replay.picture_size


def _geometry(config: StationConfig) -> None:
    """Hold the way of a part against what this ejector needs, as the station does when it starts."""
    geometry = config.geometry
    ejector = make_ejector(
        config.ejector, margin_ms=geometry.margin_ms, motion=geometry.followed_by, course=geometry.course()
    )
    try:
        geometry.geometry(config.ejector, ejector.lead_ns)
        matched_views(config, geometry.motion())
    except ValueError as error:
        raise _MissingError(f"geometry: {error}") from None


def _port(config: StationConfig) -> None:
    _require_port("ejector.port", config.ejector.port, "board")


def _require_port(key: str, port: str, what: str) -> None:
    if not port:
        return
    if not Path(port).exists():
        raise _MissingError(
            f"{key} {port}: does not exist — `lineward doctor` lists the ports that do — plug the {what} in, or mend "
            "the path"
        )
    if not Path(port).is_char_device():
        raise _MissingError(f"{key} {port}: is no serial port — `lineward doctor` lists those that are — mend the path")


def _records(config: StationConfig) -> None:
    """Look whether the folder of the records is there, or can be made."""
    folder = config.records.dir.expanduser().absolute()
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        what = "is no folder" if not there.is_dir() else "may not be written to by this user"
        raise _MissingError(f"records.dir {folder}: {there} {what} — a folder that can be made is needed — mend it")


def _codes(config: StationConfig) -> None:
    if config.identity.source is Source.CODE:
        codes.check_installed()


def _plc(config: StationConfig) -> None:
    if not config.plc.enabled:
        return
    check_installed()
    _require_port("plc.port", config.plc.port or "", "adapter")

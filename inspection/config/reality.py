"""What a sound configuration names that is not there on this machine: found before the line is started."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from camera.backends import make_camera
from inspection.config.cameras import CameraSection
from inspection.config.region import beyond_picture
from inspection.config.sections import StationConfig
from inspection.ejector.options import make_ejector
from inspection.plc.plc import check_installed
from inspection.process_priority import refusal
from inspection.recipe import matched_views
from inspection.simulation.scene import HEIGHT, WIDTH
from models.bundle import load_bundle
from models.references import resolve_bundle


def missing_here(config: StationConfig) -> list[str]:
    """Return one sentence for each thing that `run` would refuse on this machine; nothing is opened for longer."""
    checks: tuple[Callable[[StationConfig], None], ...] = (_priority, _model, _pictures, _port, _plc, _geometry)
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


def _priority(config: StationConfig) -> None:
    if text := refusal(config.inference.priority):
        raise _MissingError(text)


def _pictures(config: StationConfig) -> None:
    """Look for recordings, and hold regions against the pictures of cameras that need no hardware."""
    problems = []
    for place, camera in enumerate(config.cameras):
        path = camera.options.get("path")
        if path is not None and not Path(str(path)).expanduser().exists():
            problems.append(f"camera.path {path}: does not exist — a folder, a list or a video is needed — mend it")
        else:
            problems += beyond_picture(config, place, _picture_size(camera))
    if problems:
        raise _MissingError("; ".join(problems))


def _picture_size(camera: CameraSection) -> tuple[int, int] | None:
    if camera.backend == "simulated":
        return WIDTH, HEIGHT
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
    port = config.ejector.port
    if port and not Path(port).exists():
        raise _MissingError(
            f"ejector.port {port}: does not exist — `lineward doctor` lists the ports that do — plug the board in, or "
            "mend the path"
        )


def _plc(config: StationConfig) -> None:
    if not config.plc.enabled:
        return
    check_installed()
    port = config.plc.port
    if port and not Path(port).exists():
        raise _MissingError(
            f"plc.port {port}: does not exist — `lineward doctor` lists the ports that do — plug the adapter in, or "
            "mend the path"
        )

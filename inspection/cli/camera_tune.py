"""`lineward cameras tune`: a page for whoever focuses, lights and exposes a camera."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from inspection.cli.camera_choice import CameraArgument, OptionOption, choose_camera, station_file_of


def tune(
    camera: CameraArgument,
    option: OptionOption = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the page, 0 for any free one.")] = 8090,
    write: Annotated[
        Path | None,
        typer.Option(metavar="STATION.TOML", help="The file that a button of the page writes; that of CAMERA if any."),
    ] = None,
    settings_file: Annotated[
        Path | None,
        typer.Option("--settings", metavar="FILE.TOML", help="Where a button writes all settings of the device."),
    ] = None,
    language: Annotated[str, typer.Option(help="en or ko; the page can switch.")] = "en",
) -> None:
    """Open a page on this PC with the live picture, its figures and the camera's settings; Ctrl-C ends it."""
    station = write or station_file_of(camera)
    if station is not None and not station.is_file():
        raise typer.BadParameter(f"{station}: there is no such file; write one with `lineward config example`")
    choice = choose_camera(camera, option or ())
    from inspection.tuning.server import tune_camera

    tune_camera(choice, port, language, station, settings_file or Path(f"{_plain(choice.name)}-settings.toml"))


def _plain(name: str) -> str:
    """Return a camera's name as one of a file."""
    return "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in name)

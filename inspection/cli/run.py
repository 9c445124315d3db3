"""`lineward run`: one station from its configuration file, until it is told to end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inspection.cli.ending import told_to_end

if TYPE_CHECKING:
    from inspection.cli.status_view import StatusView
    from inspection.station import Station


def run(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The station's TOML file.")],
    start: Annotated[
        bool, typer.Option(help="Start the line at once, or wait for Start on the page or the API.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print each status as one JSON object a line.")] = False,
) -> None:
    """Run a station until Ctrl-C, SIGTERM, or the end of a finite source."""
    from inspection.cli.status_view import StatusView
    from inspection.config import load_config
    from inspection.config.promises import unkept_promises
    from inspection.control import State
    from inspection.observability.log_lines import Naming
    from inspection.observability.logs import StationLog
    from inspection.service import Service

    config = load_config(file)
    over = told_to_end()
    view = StatusView(as_json=as_json)
    for sentence in unkept_promises(config):
        view.note(sentence)
    with StationLog(config.log, Naming(config.station.name)) as log, Service(config, log) as service:
        view.opened(service)
        station = service.station
        _tell_recipe(station, view)
        wants_start = start and _may_start(station, view) and not _started(station)
        with view:
            while not over.wait(0.5) and not station.finished:
                if wants_start and station.state is not State.ERROR:
                    wants_start = not _started(station)
                view.show(station.status())
                service.tend()
        service.station.stop_line()
        view.show(service.station.status())


def _tell_recipe(station: Station, view: StatusView) -> None:
    if station.recipe is not None and station.recipe.version:
        view.note(f"Recipe {station.recipe} is prepared, as it was when the station ended.")


def _may_start(station: Station, view: StatusView) -> bool:
    """Return whether the line may start by itself; say why it waits for somebody."""
    if station.recipe is None:
        view.note("The line stands: the recipe that was prepared cannot be prepared again. Prepare one.")
        return False
    if station.lots.interrupted:
        names = ", ".join(station.lots.interrupted)
        view.note(f"The line stands: lot {names} was interrupted. Resume, stop or abort it, or start the line.")
        return False
    return True


def _started(station: Station) -> bool:
    """Start the line; False where a camera is awaited: a PC boots faster than one. Raises StateError."""
    from inspection.control import StateError

    try:
        if not station.waits_for_cameras:
            station.start_line()
            return True
    except StateError:
        if not station.waits_for_cameras:
            raise
    return False

"""`lineward run`: one station from its configuration file, until it is told to end."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
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
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    view = StatusView(as_json=as_json)
    for sentence in unkept_promises(config):
        view.note(sentence)
    with StationLog(config.log, Naming(config.station.name)) as log, Service(config, log) as service:
        view.opened(service)
        station = service.station
        if station.recipe is not None and station.recipe.version:
            view.note(f"Recipe {station.recipe} is prepared, as it was when the station ended.")
        if start and station.recipe is None:
            start = False
            view.note("The line stands: the recipe that was prepared cannot be prepared again. Prepare one.")
        if start and station.lots.interrupted:
            start = False
            names = ", ".join(station.lots.interrupted)
            view.note(f"The line stands: lot {names} was interrupted. Resume, stop or abort it, or start the line.")
        wants_start = start and not _started(station)
        with view:
            while not over.wait(0.5) and not station.finished:
                if wants_start and station.state is not State.ERROR:
                    wants_start = not _started(station)
                view.show(station.status())
                service.tend()
        service.station.stop_line()
        view.show(service.station.status())


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

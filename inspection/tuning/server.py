"""The tuning page from start to stop: its camera, its two threads, its port, its browsers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn

from inspection.page.server import app_with, check_language, listen, server_of
from inspection.texts import load_catalogue
from inspection.tuning.commands import Commands
from inspection.tuning.looking import Looking
from inspection.tuning.loop import TuningLoop
from inspection.tuning.pictures import TuningPictures
from inspection.tuning.view import show_tuning

if TYPE_CHECKING:
    from inspection.cli.camera_choice import Choice


_LOOK_S = 0.2
_END_S = 15.0


def tune_camera(choice: Choice, port: int, language: str, station: Path | None, settings: Path) -> None:
    """Serve the page until a signal ends it; the camera is closed then.

    Raises CameraError when the camera cannot be opened, PageUsageError or PortTakenError before that.
    """
    check_language(language)
    listener = listen("127.0.0.1", port)
    try:
        camera = choice.make(loop=True)
        with camera:
            loop = TuningLoop(choice, camera)
            looking = Looking(loop)
            commands = Commands(loop, looking, station, settings)
            loop.start()
            looking.start()
            try:
                url = f"http://127.0.0.1:{listener.getsockname()[1]}"
                print(load_catalogue(language).text("tuning.address", url=url, camera=choice.name), flush=True)
                app = app_with(TuningPictures(looking).router, lambda texts: show_tuning(commands, texts), language)
                signal.signal(signal.SIGTERM, signal.default_int_handler)  # a service manager ends it as Ctrl-C does
                server = server_of(app)
                threading.Thread(target=_end_for_certain, args=(server,), name="end", daemon=True).start()
                with contextlib.suppress(KeyboardInterrupt):
                    asyncio.run(server.serve(sockets=[listener]))
            finally:
                looking.stop()
                loop.stop()
                loop.camera.close()
    finally:
        listener.close()


def _end_for_certain(server: uvicorn.Server) -> None:
    """End the process where it does not end by itself soon after it was told to: whoever waits wants the camera back.

    The driver's process ends with this one, and gives the camera free.
    """
    while not server.should_exit:
        time.sleep(_LOOK_S)
    time.sleep(_END_S)  # a process that ends takes this thread along
    print(
        f"the camera was not closed within {_END_S:.0f} s: it was let go with its driver", file=sys.stderr, flush=True
    )
    os._exit(0)

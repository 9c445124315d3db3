"""The tuning page from start to stop: its camera, its two threads, its port, its browsers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from inspection.page.server import app_with, check_language, listen, server_of
from inspection.texts import load_catalogue
from inspection.tuning.commands import Commands
from inspection.tuning.looking import Looking
from inspection.tuning.loop import TuningLoop
from inspection.tuning.pictures import TuningPictures
from inspection.tuning.view import show_tuning

if TYPE_CHECKING:
    from inspection.cli.camera_choice import Choice


_END_S = 15.0


def tune_camera(choice: Choice, port: int, language: str, station: Path | None, settings: Path) -> None:
    """Serve the page until a signal ends it; the camera is closed then.

    Raises CameraError when the camera cannot be opened, PageUsageError or PortTakenError before that.
    """
    check_language(language)
    texts = load_catalogue(language)

    @cache
    def farewell() -> None:
        print(texts.text("tuning.closing", camera=choice.name), flush=True)

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
                with contextlib.suppress(KeyboardInterrupt):
                    # before anybody can know of the page: a service manager ends it as Ctrl-C does
                    signal.signal(signal.SIGTERM, signal.default_int_handler)
                    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
                    print(texts.text("tuning.address", url=url, camera=choice.name), flush=True)
                    app = app_with(TuningPictures(looking).router, lambda texts: show_tuning(commands, texts), language)
                    asyncio.run(server_of(app, farewell).serve(sockets=[listener]))
            finally:
                farewell()
                with _for_certain():
                    looking.stop()
                    loop.stop()
                    loop.camera.close()
    finally:
        listener.close()


@contextlib.contextmanager
def _for_certain() -> Iterator[None]:
    """End the process where the camera is not closed soon: a driver in this process may never return from its call.

    Whoever waits wants the camera back, and the system gives it free with the process.
    """
    closed = threading.Event()

    def end() -> None:
        if not closed.wait(_END_S):
            told = f"the camera was not closed within {_END_S:.0f} s: it was let go with its driver"
            print(told, file=sys.stderr, flush=True)
            os._exit(0)

    threading.Thread(target=end, name="end", daemon=True).start()
    try:
        yield
    finally:
        closed.set()

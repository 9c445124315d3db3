"""`python -m inspection.page`: serve the operators' page beside a running station."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import threading

from inspection.background import give_way
from inspection.page.errors import PageError
from inspection.page.server import serve
from inspection.texts import LANGUAGES


def _end_with_stdin() -> None:
    """End the page when its owner has gone, also when that was killed: a page without its station holds a port."""
    while os.read(sys.stdin.fileno(), 1024):
        pass
    signal.raise_signal(signal.SIGTERM)


def main() -> int:
    """Serve the page until Ctrl-C; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m inspection.page", description=__doc__)
    parser.add_argument("--api", default="127.0.0.1:50051", help="address of the station's API (default: %(default)s)")
    parser.add_argument("--host", default="127.0.0.1", help="address to serve on; this PC only, for now")
    parser.add_argument("--port", type=int, default=8080, help="port to serve on, 0 for any (default: %(default)s)")
    parser.add_argument("--language", help=f"{', '.join(LANGUAGES)} (default: what the browser asks for)")
    parser.add_argument(
        "--until-stdin-closes", action="store_true", help="end together with the program that holds standard input"
    )
    options = parser.parse_args()
    give_way()
    if options.until_stdin_closes:
        threading.Thread(target=_end_with_stdin, name="stdin", daemon=True).start()
    if not 0 <= options.port <= 65535:
        parser.error(f"--port {options.port} is no port: choose one from 1 to 65535, or 0 for any free one")
    try:
        port_is = "[page] port in the station's file" if options.until_stdin_closes else "--port"
        asyncio.run(serve(options.api, options.host, options.port, options.language, port_is))
    except PageError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())

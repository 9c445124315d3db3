"""The ejector's own process: it starts the scheduler on the link that the station handed down, and little else.

It outlives a station that dies: whatever kills that, the rejects that it had armed still fire. Kept small on purpose:
no numpy, no OpenCV, no validation library.
"""

from __future__ import annotations

import signal
import socket
import sys

from inspection.ejector.boards import make_board
from inspection.ejector.link import Link
from inspection.ejector.loop import GOODBYE_LIMIT_NS, Scheduler
from inspection.ejector.realtime import become_punctual
from inspection.ejector.settings import Settings


def main(arguments: list[str]) -> None:
    """Run the scheduler. `arguments`: the descriptor of the link's socket, the settings as JSON."""
    connection = socket.socket(fileno=int(arguments[0]))
    settings = Settings.from_json(arguments[1])
    board = make_board(settings)
    scheduler = Scheduler(settings, Link(connection), board, become_punctual())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the station ends the ejector, not the terminal
    signal.signal(signal.SIGTERM, lambda _number, _frame: scheduler.end_within(GOODBYE_LIMIT_NS))
    scheduler.run()


if __name__ == "__main__":
    main(sys.argv[1:])

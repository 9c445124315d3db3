"""The scheduler's end of the link to the station: neither direction ever blocks it."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Iterator

from inspection.ejector.messages import LONGEST, Message, decode_all, encode, pack

_BURST = 64
_BACKLOG = 8192


class Link:
    """A connected packet socket. Owned by the scheduler's thread.

    What the station does not take at once waits in a bounded backlog; when that is full, the newest is dropped and
    counted, and the station, which waits for a report on each part, treats the part as unconfirmed.
    """

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self._connection = connection
        self._backlog: deque[bytes] = deque()
        self._packet = b""  # taken off the backlog, not sent yet
        self.ended = False
        self.lost_reports = 0

    def fileno(self) -> int:
        """The descriptor to wait on."""
        return self._connection.fileno()

    @property
    def congested(self) -> bool:
        """Whether packets wait for room in the socket."""
        return bool(self._packet or self._backlog)

    def receive(self) -> Iterator[Message]:
        """Give the messages that have arrived, a bounded number at a time; sets `ended` at the end of the link."""
        for _ in range(_BURST):
            if self.ended:
                return
            try:
                packet = self._connection.recv(LONGEST)
            except BlockingIOError:
                return
            except ConnectionResetError:
                continue  # the station died with reports unread; what it had sent before can still be read
            if not packet:
                self.ended = True
                return
            yield from decode_all(packet)

    def send(self, message: Message) -> None:
        """Send a message with the next `flush`, after those that still wait."""
        if self.ended:
            return
        if len(self._backlog) >= _BACKLOG:
            self.lost_reports += 1
            return
        self._backlog.append(encode(message))

    def flush(self) -> None:
        """Send as much of the backlog as the socket takes, many messages to a packet."""
        while self._packet or self._backlog:
            if not self._packet:
                self._packet = pack(self._backlog)
            try:
                self._connection.send(self._packet)
            except BlockingIOError:
                return
            except OSError:
                self._backlog.clear()  # nobody is left to be told; `receive` sees the end of the link
            self._packet = b""

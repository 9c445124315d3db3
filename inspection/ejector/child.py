"""Starting, talking to and ending one ejector process, from the station's side."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import inspection
from inspection.ejector.errors import EjectorOpenError
from inspection.ejector.messages import LONGEST, Health, Message, decode_all
from inspection.ejector.settings import Settings

_SOCKET_BYTES = 1 << 20  # room for about a thousand packets in each direction
_BURST = 256


class Child:
    """One running ejector process and our end of its link. Owned by the client, which guards `send` and `hang_up`."""

    def __init__(self, settings: Settings) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BYTES)
            end.setblocking(False)
        self._socket = ours
        self.ended = False
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "inspection.ejector.process", str(theirs.fileno()), settings.to_json()],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=package_environment(),
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def fileno(self) -> int:
        """The link's descriptor, readable when something was reported or the process ended."""
        return self._socket.fileno()

    def send(self, packet: bytes) -> bool:
        """Send a packet of messages without waiting; return False when the process takes nothing or has gone."""
        try:
            self._socket.send(packet)
        except OSError:
            return False
        return True

    def receive(self) -> Iterator[Message]:
        """Give what has been reported, a bounded number at a time; sets `ended` when the process has gone."""
        for _ in range(_BURST):
            try:
                packet = self._socket.recv(LONGEST)
            except BlockingIOError:
                return
            except ConnectionResetError:
                continue  # it died with messages unread; what it had reported before can still be read
            if not packet:
                self.ended = True
                return
            yield from decode_all(packet)

    def first_health(self, timeout_s: float) -> Health:
        """Wait for the first health, which says whether the port is open. Raises EjectorOpenError."""
        end_s = time.monotonic() + timeout_s
        while not self.ended and (left_s := end_s - time.monotonic()) > 0:
            select.select([self], [], [], left_s)
            for message in self.receive():
                if isinstance(message, Health):
                    return message
        state = "ended by itself" if self.ended else f"said nothing for {timeout_s:g} s"
        raise EjectorOpenError(
            f"the ejector's process {state} — it must report its port first — the lines above, on standard error, "
            "say why; `lineward doctor` checks the installation"
        )

    def hang_up(self) -> None:
        """Close the link without a goodbye: the process fires what is armed in it, makes the board safe and ends."""
        self._socket.close()

    def wait(self, timeout_s: float) -> int | None:
        """Wait for the process to end, kill it if it takes longer; return its exit status, None if it cannot end."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
        try:
            return self._process.wait(1.0)
        except subprocess.TimeoutExpired:
            return None


def package_environment() -> dict[str, str]:
    """Return our environment, with the folder that this package was imported from first on the path."""
    folder = str(Path(inspection.__file__).resolve().parents[1])
    path = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (folder, path)))}

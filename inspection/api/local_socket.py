"""The station's own socket: programs of the user who runs the station, as its page, need no token there."""

from __future__ import annotations

import logging
import os
import stat
import tempfile
from pathlib import Path

from inspection.api.address import is_loopback

_log = logging.getLogger(__name__)


def make_socket_place(port: int) -> Path:
    """Return where the station on `port` shall have its socket, in a folder that nobody but this user can enter.

    Where somebody else has taken the usual folder it is one that only the page is told of: commands then need a token.
    """
    folder = _folders()[0]
    folder.mkdir(mode=0o700, exist_ok=True)
    if not _is_private(folder):
        other = Path(tempfile.mkdtemp(prefix="lineward-"))
        _log.warning("%s is not this user's alone: the page's socket is in %s, commands need a token", folder, other)
        folder = other
    return folder / _name(port)


def local_address(address: str) -> str:
    """Return the socket of this user's station at a loopback address, as gRPC takes it; '' when there is none."""
    host, _, port = address.rpartition(":")
    if not port.isdecimal() or not is_loopback(host):
        return ""
    for folder in _folders():
        socket = folder / _name(int(port))
        try:
            if _is_private(folder) and stat.S_ISSOCK(socket.lstat().st_mode):
                return f"unix:{socket}"
        except OSError:
            continue
    return ""


def _folders() -> list[Path]:
    """Return where a socket may be, best first: a service may have no runtime folder where a terminal has one."""
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR", ""))
    usual = Path(tempfile.gettempdir(), f"lineward-{os.getuid()}")
    return [runtime / "lineward", usual] if runtime.is_absolute() and runtime.is_dir() else [usual]


def _name(port: int) -> str:
    return f"api-{port}.sock"


def _is_private(folder: Path) -> bool:
    found = folder.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077

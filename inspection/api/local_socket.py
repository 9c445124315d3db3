"""The station's own socket: programs of the user who runs the station, as its page, need no token there."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from inspection.api.address import is_loopback
from inspection.api.errors import ApiError


def local_socket(port: int, *, make: bool = False) -> Path:
    """Return where the station on `port` has its socket, in a folder that nobody but this user can enter.

    make: have the folder afterwards. Raises ApiError when somebody else has made it.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    folder = Path(runtime, "lineward") if runtime else Path(tempfile.gettempdir(), f"lineward-{os.getuid()}")
    if make:
        folder.mkdir(mode=0o700, parents=False, exist_ok=True)
        if not _is_private(folder):
            raise ApiError(
                f"{folder}: belongs to somebody else, or others may enter it — a folder of this user's own with mode "
                "0700 is needed for the page's socket — remove it, or set XDG_RUNTIME_DIR"
            )
    return folder / f"api-{port}.sock"


def local_address(address: str) -> str:
    """Return the socket of this user's station at a loopback address, as gRPC takes it; '' when there is none."""
    host, _, port = address.rpartition(":")
    if not port.isdecimal() or not is_loopback(host):
        return ""
    socket = local_socket(int(port))
    try:
        is_ours = _is_private(socket.parent) and stat.S_ISSOCK(socket.lstat().st_mode)
    except OSError:
        return ""
    return f"unix:{socket}" if is_ours else ""


def _is_private(folder: Path) -> bool:
    found = folder.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077

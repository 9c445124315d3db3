"""The address of an RTSP camera: its password from outside the configuration, and why nobody answers there."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path
from urllib.parse import quote, urlsplit

from camera.errors import CameraLostError, CameraOpenError, Cause

PLACE = "{password}"
PORTS = {"rtsp": 554, "rtsps": 322}


def problem_of(url: str) -> str:
    """Return what is wrong with an address, '' where nothing is; never with a password in the text."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        return f"url: {error}; give rtsp://host[:port]/path"
    if parts.scheme not in PORTS or not host:
        return "url: no address of a camera; give rtsp://host[:port]/path or rtsps://…"
    if parts.password is not None and parts.password != PLACE:
        return (
            f"url: holds the password of user {parts.username!r}; write {PLACE} in its place, and name where it is "
            "with password_env or password_file"
        )
    if any(ord(letter) <= 32 or ord(letter) == 127 for letter in url):
        return "url: holds a space or a control character; write it as %20 …"
    return ""


def with_password(camera: str, url: str, variable: str, file: Path | None) -> str:
    """Return the address with its password put in, encoded as an address needs it. Raises CameraOpenError."""
    if PLACE not in url:
        return url
    if variable:
        password = os.environ.get(variable, "")
        where = f"the environment variable {variable}"
    else:
        where = str(file)
        try:
            password = Path(where).read_text("utf-8").strip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise CameraOpenError(
                f"camera '{camera}': its password cannot be read from {where} ({error}); mend password_file",
                Cause.INSTALLATION,
            ) from None
    if not password:
        raise CameraOpenError(
            f"camera '{camera}': {where} holds no password; set it for the user that the station runs as",
            Cause.INSTALLATION,
        )
    return url.replace(PLACE, quote(password, safe=""))


def require_answer(camera: str, url: str, timeout_s: float) -> None:
    """Ask a server, without a session, what it can do; any answer will do. Raises CameraLostError where none comes."""
    host, port = _place(url)
    why, cause = "it takes a connection and does not answer", Cause.SILENT
    try:
        with socket.create_connection((host, port), timeout_s) as connection:
            if urlsplit(url).scheme == "rtsps" or _status(connection, "OPTIONS", url, timeout_s):
                return
    except OSError as error:
        why, cause = _why(error), Cause.ABSENT
    raise CameraLostError(
        f"camera '{camera}': {url}: {why} ({host} port {port}), while no pictures are taken; check power, cable and "
        "switch",
        cause,
    )


def why_not(camera: str, url: str, timeout_s: float) -> CameraOpenError:
    """Ask an address that gave no stream what is wrong with it; `url` without its password."""
    parts = urlsplit(url)
    host, port = _place(url)
    where = f"camera '{camera}': {url}"
    try:
        with socket.create_connection((host, port), timeout_s) as connection:
            status = "" if parts.scheme == "rtsps" else _status(connection, "DESCRIBE", url, timeout_s)
    except OSError as error:
        return CameraOpenError(
            f"{where}: {_why(error)} ({host} port {port}); check power, cable, address and subnet", Cause.ABSENT
        )
    if status.startswith("401"):
        return CameraOpenError(
            f"{where}: the camera refuses user or password; check both in a browser, it may lock after some tries",
            Cause.REFUSED,
        )
    if status.startswith("404"):
        return CameraOpenError(f"{where}: the camera has no stream of this path (404); see its manual", Cause.REFUSED)
    if status.startswith(("453", "503")):
        return CameraOpenError(
            f"{where}: the camera gives no further stream ({status}); end another viewer", Cause.HELD
        )
    said = f"it answers {status!r}" if status else "it does not answer as an RTSP server"
    return CameraOpenError(
        f"{where}: no pictures came within {timeout_s:g} s; {said}; try transport = "
        '"tcp", or H.264 or MJPEG as its codec',
        Cause.SILENT,
    )


def _place(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or PORTS[parts.scheme]


def _why(error: OSError) -> str:
    return "nobody answers in time" if isinstance(error, TimeoutError) else str(error.strerror or error)


def _status(connection: socket.socket, method: str, url: str, timeout_s: float) -> str:
    """Ask something about the stream, without credentials; return the status and its text, '' for none."""
    bare = re.sub(r"//[^/@]*@", "//", url)
    connection.settimeout(timeout_s)
    connection.sendall(f"{method} {bare} RTSP/1.0\r\nCSeq: 1\r\nAccept: application/sdp\r\n\r\n".encode())
    try:
        line = connection.makefile("rb").readline(200).decode("latin-1").strip()
    except OSError:
        return ""
    return line.partition(" ")[2] if line.startswith("RTSP/1.") else ""

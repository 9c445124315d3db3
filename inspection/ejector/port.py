"""One serial port, opened for ourselves alone, whose failures arrive as two kinds of error with a next step."""

from __future__ import annotations

import errno
import os
import select
import stat
import termios
from pathlib import Path

import serial
from serial.tools import list_ports

from inspection.ejector.errors import EjectorLostError, EjectorOpenError

_CHUNK = 256


class SerialPort:
    """A raw, exclusively opened serial port. Owned by the board driver that created it; never blocks on reading.

    path: device path; a by-id path survives re-plugging. write_timeout_s: the longest that one write may block.
    """

    def __init__(self, path: str, *, baud: int, parity: str, write_timeout_s: float) -> None:
        self._path = path
        self._baud = baud
        self._parity = parity
        self._write_timeout_s = write_timeout_s
        self._serial: serial.Serial | None = None
        self.detail = ""

    def open(self) -> None:
        """Open the port, take it exclusively and ask for low latency. Raises EjectorOpenError."""
        self.close()
        _refuse_what_is_no_port(self._path)
        try:
            port = serial.Serial(
                self._path,
                baudrate=self._baud,
                parity=self._parity,
                timeout=0,
                write_timeout=self._write_timeout_s,
                exclusive=True,
            )
        except (OSError, ValueError, termios.error) as error:  # SerialException is an OSError
            raise EjectorOpenError(_why_not_opened(self._path, error)) from error
        self._serial = port
        self.detail = _ask_for_low_latency(port)

    def write(self, data: bytes) -> None:
        """Write all of it at once. Raises EjectorLostError when the port has gone or takes nothing any more."""
        port = self._opened()
        try:
            written = self._write_now(port, data)
            if written < len(data):
                port.write(data[written:])
        except serial.SerialTimeoutException as error:
            raise EjectorLostError(
                f"serial port {self._path} took no bytes for {self._write_timeout_s * 1e3:g} ms — it must take "
                "each command at once — check the board and its cable; the port is opened again by itself"
            ) from error
        except OSError as error:
            raise self._lost(error) from error

    @staticmethod
    def _write_now(port: serial.Serial, data: bytes) -> int:
        """Write what the port takes at once; pyserial's own `write` waits for room afterwards, too."""
        try:
            return os.write(port.fileno(), data)
        except BlockingIOError:
            return 0

    def read(self) -> bytes:
        """Return what has arrived, empty when nothing has. Raises EjectorLostError when the port has gone."""
        try:
            return self._opened().read(_CHUNK)
        except OSError as error:
            raise self._lost(error) from error

    def wait(self, timeout_s: float) -> None:
        """Wait until something can be read, at most `timeout_s`."""
        select.select([self.fileno()], [], [], max(0.0, timeout_s))

    def fileno(self) -> int:
        """The descriptor of the open port."""
        return int(self._opened().fileno())

    def close(self) -> None:
        """Release the port. Idempotent, never raises."""
        port, self._serial = self._serial, None
        if port is not None:
            try:
                port.close()
            except OSError:
                return  # the device has gone: nothing is left to release

    def _opened(self) -> serial.Serial:
        if self._serial is None:
            raise EjectorLostError(f"serial port {self._path} is not open — it is opened again by itself")
        return self._serial

    def _lost(self, error: OSError) -> EjectorLostError:
        return EjectorLostError(
            f"serial port {self._path} has gone ({error}) — nothing can be rejected until it is back — "
            "plug the board in again; the port is opened again by itself"
        )


def _refuse_what_is_no_port(path: str) -> None:
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 — the scheduler's process stays small
    except PermissionError as error:
        raise EjectorOpenError(_why_not_opened(path, error)) from error
    except OSError as error:
        known = ", ".join(available_ports()) or "none"
        raise EjectorOpenError(
            f"serial port {path!r} does not exist — this machine has: {known} — "
            "plug the board in, or set the ejector's port to one that exists"
        ) from error
    if not stat.S_ISCHR(mode):
        kind = "a directory" if stat.S_ISDIR(mode) else "a file"
        raise EjectorOpenError(
            f"{path!r} is {kind}, not a serial port — a port is a device such as /dev/ttyUSB0 or "
            "/dev/serial/by-id/… — set the ejector's port to one"
        )


def _why_not_opened(path: str, error: Exception) -> str:
    number = getattr(error, "errno", None)
    if number in (errno.EAGAIN, errno.EBUSY):
        return (
            f"serial port {path} is held exclusively by another program — only one may drive the board — "
            f"end it (`fuser -v {path}` names it) and start again"
        )
    if number in (errno.EACCES, errno.EPERM):
        return (
            f"no permission to open serial port {path} — the user must be in the group of the port — "
            "run `sudo usermod -aG dialout $USER`, log in again"
        )
    if number in (errno.ENXIO, errno.ENODEV, errno.EIO):
        return f"serial port {path} has no device behind it ({error}) — plug the board in again and start again"
    return (
        f"{path} cannot be used as a serial port ({error}) — a port is a device such as /dev/ttyUSB0 — "
        "check the ejector's port, baud rate and parity"
    )


def _ask_for_low_latency(port: serial.Serial) -> str:
    try:
        port.set_low_latency_mode(True)
    except (OSError, ValueError, NotImplementedError):
        return "this port has no low-latency mode"
    return "low-latency mode is on"


def available_ports() -> list[str]:
    """Return the serial ports that this machine has, the names that survive re-plugging first."""
    by_id = Path("/dev/serial/by-id")
    lasting = sorted(str(path) for path in by_id.iterdir()) if by_id.is_dir() else []
    return lasting + sorted(port.device for port in list_ports.comports())

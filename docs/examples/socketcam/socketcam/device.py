"""The device, in software: `python -m socketcam.device /run/socketcam/one.camera` is a camera that one can pull out."""

from __future__ import annotations

import argparse
import contextlib
import os
import selectors
import socket
import sys
import time
from pathlib import Path

from socketcam.camera import HEADER

HEIGHT, WIDTH = 48, 64


def grey(number: int) -> int:
    """Return the grey level of the picture with that number."""
    return 15 * ((number - 1) % 16) + 7


class Device:
    """A camera: exposes at a rate or at a command, and loses what nobody reads."""

    def __init__(self, path: Path) -> None:
        self._loop = selectors.DefaultSelector()
        self._doors = [_listening(path), _listening(Path(f"{path}.pictures"))]
        self._control: socket.socket | None = None
        self._pictures: socket.socket | None = None
        self._unsent = b""
        self._counter = 0
        self._period_ns = 0
        self._due_ns = 0
        self._next_is_short = False
        self._loop.register(self._doors[0], selectors.EVENT_READ, self._connected)
        self._loop.register(sys.stdin, selectors.EVENT_READ, self._hurt)

    def run(self) -> None:
        """Be a camera until somebody pulls it out."""
        while True:
            wait_s = max(0.0, (self._due_ns - time.monotonic_ns()) / 1e9) if self._period_ns else None
            for key, _ in self._loop.select(wait_s):
                key.data()
            if self._period_ns and time.monotonic_ns() >= self._due_ns:
                self._due_ns = max(self._due_ns + self._period_ns, time.monotonic_ns())
                self._expose()

    def _connected(self) -> None:
        link, _ = self._doors[0].accept()
        if self._control is not None:
            link.sendall(b"held\n")
            link.close()
            return
        self._control, self._counter = link, 0
        self._loop.register(link, selectors.EVENT_READ, self._command)
        link.sendall(b"ready\n")

    def _command(self) -> None:
        assert self._control is not None
        words = self._control.recv(64).decode().split()
        if not words:
            self._halt()
            self._loop.unregister(self._control)
            self._control.close()
            self._control = None
            return
        self._control.sendall(f"{self._answer(*words)}\n".encode())

    def _answer(self, command: str, value: str = "") -> str:
        match command:
            case "start":
                self._halt()
                self._pictures, _ = self._doors[1].accept()
                self._pictures.setblocking(False)
                self._period_ns = round(1e9 / float(value)) if float(value) else 0
                self._due_ns = time.monotonic_ns() + self._period_ns
            case "stop":
                self._halt()
            case "clock":
                return str(time.monotonic_ns())
            case "trigger":
                return str(self._counter) if self._expose() else "busy"
        return "ok"

    def _expose(self) -> bool:
        """Take a picture; False where the one before is not read out: at a rate it is lost, and has its number."""
        busy = self._pictures is None or bool(self._send())
        if busy and not self._period_ns:
            return False
        self._counter += 1
        if busy:
            return False
        pixels = bytes([grey(self._counter)]) * (HEIGHT * WIDTH)
        if self._next_is_short:
            pixels, self._next_is_short = pixels[: len(pixels) // 2], False
        self._unsent = HEADER.pack(self._counter, time.monotonic_ns(), HEIGHT, WIDTH, len(pixels)) + pixels
        self._send()
        return True

    def _send(self) -> int:
        """Send what there is room for; return what is left."""
        assert self._pictures is not None
        with contextlib.suppress(BlockingIOError, ConnectionError):
            self._unsent = self._unsent[self._pictures.send(self._unsent) :] if self._unsent else b""
        return len(self._unsent)

    def _halt(self) -> None:
        self._period_ns, self._unsent = 0, b""
        if self._pictures is not None:
            self._pictures.close()
            self._pictures = None

    def _hurt(self) -> None:
        """Take a command of a test: `short` sends half of the next picture."""
        if not os.read(sys.stdin.fileno(), 64):
            raise SystemExit
        self._next_is_short = True
        print("done", flush=True)


def _listening(path: Path) -> socket.socket:
    door = socket.socket(socket.AF_UNIX)
    path.unlink(missing_ok=True)
    door.bind(str(path))
    door.listen()
    return door


def main() -> None:
    """Read the command line and be a camera."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    device = Device(parser.parse_args().path)
    print("ready", flush=True)
    device.run()


if __name__ == "__main__":
    main()

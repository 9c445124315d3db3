"""Reads a GigE Vision camera's registers without taking control of it: whether somebody has it, and its user name."""

from __future__ import annotations

import socket
import struct

PORT = 3956
# GigE Vision 2.0, chapter 28 (bootstrap registers).
_USER_NAME, _USER_NAME_SIZE = 0x00E8, 16
_PRIVILEGE, _APPLICATION_ADDRESS = 0x0A00, 0x0A14
_KEY, _ACKNOWLEDGE = 0x42, 0x01  # the first byte of every command, and the flag that asks for an answer
_READ_MEMORY, _READ_MEMORY_ANSWER = 0x0084, 0x0085
_HEADER = struct.Struct(">BBHHH")


class Registers:
    """The registers of the camera at an address, over UDP; reading them disturbs nobody. Close it after use."""

    def __init__(self, address: str, timeout_s: float = 0.25) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.settimeout(timeout_s)
        self._socket.connect((address, PORT))
        self._request = 0

    def __enter__(self) -> Registers:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def user_name(self) -> str:
        """Return the name that the user gave the camera, '' for none. Raises OSError where it does not answer."""
        return self._read(_USER_NAME, _USER_NAME_SIZE).split(b"\0")[0].decode(errors="replace")

    def controller(self) -> str | None:
        """Return who controls the camera: an address, or "another program" where it does not say; None for nobody.

        Raises OSError where the camera does not answer.
        """
        if not int.from_bytes(self._read(_PRIVILEGE, 4)) & 0b11:  # bit 31: exclusive, bit 30: control
            return None
        address = self._read(_APPLICATION_ADDRESS, 4)
        return "another program" if address == bytes(4) else f"a program on {socket.inet_ntoa(address)}"

    def _read(self, address: int, size: int) -> bytes:
        """Return some bytes of the camera's memory; one repetition, for a datagram may be lost."""
        for attempt in (0, 1):
            self._request = self._request % 0xFFFF + 1
            head = _HEADER.pack(_KEY, _ACKNOWLEDGE, _READ_MEMORY, 8, self._request)
            self._socket.send(head + struct.pack(">IHH", address, 0, size))
            try:
                return self._answer(size)
            except TimeoutError:
                if attempt:
                    raise
        raise AssertionError("unreachable")

    def _answer(self, size: int) -> bytes:
        while True:  # an answer to the repetition may be preceded by the late one to the first
            answer = self._socket.recv(576)
            if len(answer) < _HEADER.size:
                continue
            status, command, _, request = struct.unpack(">HHHH", answer[: _HEADER.size])
            if command == _READ_MEMORY_ANSWER and request == self._request:
                if status or len(answer) < _HEADER.size + 4 + size:
                    raise OSError(f"the camera refused to be read (status 0x{status:04X})")
                return answer[_HEADER.size + 4 :][:size]

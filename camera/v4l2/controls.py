"""The controls of a V4L2 device by name: found, written, read back and compared."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from camera.v4l2 import abi
from camera.v4l2.node import VideoNode

Value = bool | int | str

_WRITABLE = (abi.CTRL_TYPE_INTEGER, abi.CTRL_TYPE_BOOLEAN, abi.CTRL_TYPE_MENU, abi.CTRL_TYPE_INTEGER_MENU)


class ControlRefusedError(Exception):
    """A control is not there or does not take a value; the text is one line of the list that the camera reports."""


@dataclass(frozen=True, slots=True)
class Auto:
    """A control that lets the device change its pictures by itself, what switches it off, and what it drives."""

    id: int
    off: tuple[int, ...]  # the first that the device knows
    drives: int | None


AUTOS = (
    Auto(abi.EXPOSURE_AUTO, (1, 2), abi.EXPOSURE_ABSOLUTE),  # manual, or shutter priority: a fixed time
    Auto(abi.EXPOSURE_AUTO_PRIORITY, (0,), None),  # it would lower the frame rate in the dark
    Auto(abi.AUTOGAIN, (0,), abi.GAIN),
    Auto(abi.AUTO_WHITE_BALANCE, (0,), abi.WHITE_BALANCE_TEMPERATURE),
    Auto(abi.FOCUS_AUTO, (0,), abi.FOCUS_ABSOLUTE),
    Auto(abi.HUE_AUTO, (0,), abi.HUE),
    Auto(abi.AUTOBRIGHTNESS, (0,), abi.BRIGHTNESS),
    Auto(abi.ISO_SENSITIVITY_AUTO, (0,), abi.ISO_SENSITIVITY),
)


@dataclass(frozen=True, slots=True)
class Limits:
    """One control and the values that it takes. entries: of a menu, the numbers of those that are there."""

    id: int
    name: str
    type: int
    minimum: int
    maximum: int
    step: int
    default: int
    flags: int
    entries: dict[int, str]

    @property
    def is_usable(self) -> bool:
        """True for one that can be written as a number."""
        return self.type in _WRITABLE and not self.flags & (abi.CTRL_FLAG_DISABLED | abi.CTRL_FLAG_READ_ONLY)

    def text(self) -> str:
        """Return the values that it takes, for people."""
        if self.entries:
            return ", ".join(f"{number} {entry!r}" for number, entry in self.entries.items())
        return f"{self.minimum} … {self.maximum}" + (f" in steps of {self.step}" if self.step > 1 else "")

    def number(self, value: Value) -> int:
        """Return the number that stands for a value. Raises ControlRefusedError for one that it does not take."""
        wanted = int(value) if not isinstance(value, str) else self._entry(value)
        if wanted is None or not self._takes(wanted):
            raise ControlRefusedError(f"{self.name} = {value!r}: the camera takes {self.text()}")
        return wanted

    def _takes(self, number: int) -> bool:
        if self.entries:
            return number in self.entries
        return self.minimum <= number <= self.maximum and (number - self.minimum) % max(self.step, 1) == 0

    def _entry(self, text: str) -> int | None:
        return next((number for number, entry in self.entries.items() if entry.lower() == text.lower()), None)


class Controls:
    """All controls of an open node, by name and by number; owned by whoever opens the camera."""

    def __init__(self, node: VideoNode) -> None:
        self._node = node
        found = list(_enumerate(node))
        self.by_name = {control.name: control for control in found}
        self.by_id = {control.id: control for control in found}

    def named(self, name: str) -> Limits:
        """Return the control with that name, as `v4l2-ctl` writes it. Raises ControlRefusedError."""
        control = self.by_name.get(name)
        if control is None or not control.is_usable:
            known = ", ".join(sorted(name for name, control in self.by_name.items() if control.is_usable)) or "none"
            raise ControlRefusedError(f"{name}: the camera has no such control that can be set; it has {known}")
        return control

    def write(self, control: Limits, number: int) -> None:
        """Write a control. Raises ControlRefusedError."""
        try:
            self._node.call(abi.S_CTRL, abi.Control(control.id, number))
        except OSError as error:
            raise ControlRefusedError(
                f"{control.name} = {number}: refused ({error.strerror}); the camera takes {control.text()}"
            ) from error

    def read(self, control: Limits) -> int | None:
        """Read a control back; None for one that can only be written."""
        if control.flags & abi.CTRL_FLAG_WRITE_ONLY:
            return None
        answer = abi.Control(control.id)
        try:
            self._node.call(abi.G_CTRL, answer)
        except OSError as error:
            raise ControlRefusedError(f"{control.name}: cannot be read back ({error.strerror})") from error
        return int(answer.value)


def plain_name(name: str) -> str:
    """Return a control's name as `v4l2-ctl` writes it: small letters, everything else an underscore."""
    return re.sub(r"[^0-9a-z]+", "_", name.lower()).strip("_")


def _enumerate(node: VideoNode) -> Iterator[Limits]:
    query = abi.QueryControl(id=abi.CTRL_FLAG_NEXT_CTRL)
    while True:
        try:
            node.call(abi.QUERYCTRL, query)
        except OSError:
            return
        yield Limits(
            id=query.id,
            name=plain_name(query.name.decode("utf-8", "replace")),
            type=query.type,
            minimum=query.minimum,
            maximum=query.maximum,
            step=query.step,
            default=query.default_value,
            flags=query.flags,
            entries=_entries(node, query),
        )
        query = abi.QueryControl(id=query.id | abi.CTRL_FLAG_NEXT_CTRL)


def _entries(node: VideoNode, control: abi.QueryControl) -> dict[int, str]:
    entries: dict[int, str] = {}
    if control.type not in (abi.CTRL_TYPE_MENU, abi.CTRL_TYPE_INTEGER_MENU):
        return entries
    for index in range(control.minimum, control.maximum + 1):
        entry = abi.QueryMenu(control.id, index)
        try:
            node.call(abi.QUERYMENU, entry)
        except OSError:
            continue  # a menu may have holes
        raw = bytes(entry)[8:40]
        is_number = control.type == abi.CTRL_TYPE_INTEGER_MENU
        value = str(int.from_bytes(raw[:8], "little", signed=True)) if is_number else raw.split(b"\0")[0].decode()
        entries[index] = value
    return entries

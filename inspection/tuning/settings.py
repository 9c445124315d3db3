"""The settings of a device that somebody who tunes it may change: what they are, may be, and how they are written."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from camera.errors import CameraError, NodeError
from camera.genicam.nodes import Node, Nodes, Value
from camera.genicam.options import GenicamOptions
from camera.genicam.settings import LIGHT, apply_light
from camera.genicam.writing import Applied
from camera.pixels import FORMATS
from inspection.tuning.errors import TuningError
from inspection.tuning.white_balance import Ratios

NUMBERS = ("exposure_us", "gain", "black_level", "gamma", "frame_rate_hz")
"""The options that are one number, in the order in which the page shows them."""

ONCE = ("ExposureAuto", "GainAuto", "BalanceWhiteAuto")
"""Automatic functions that may run once here; a station refuses every one that stays on."""

_COLOURS = ("Red", "Green", "Blue")


@dataclass(frozen=True, slots=True)
class Number:
    """One number as the device has it now. least, most: None where the device does not say."""

    key: str
    value: float
    least: float | None
    most: float | None
    unit: str


@dataclass(frozen=True, slots=True)
class Settings:
    """What the device offers, and how it stands. once: automatic functions that can run once.

    balance: red, green, blue; None where it cannot be set. roi: x, y, width, height; None where it is not known.
    """

    numbers: tuple[Number, ...] = ()
    once: tuple[str, ...] = ()
    balance: Ratios | None = None
    pixel_format: str = ""
    pixel_formats: tuple[str, ...] = ()
    roi: tuple[int, int, int, int] | None = None
    sensor: tuple[int, int] | None = None
    user_sets: tuple[str, ...] = ()


def read(nodes: Nodes | None) -> Settings:
    """Ask the device for all settings at once; empty for one without features. Raises CameraLostError."""
    if nodes is None:
        return Settings()
    formats, sets = _look(nodes, "PixelFormat"), _look(nodes, "UserSetSelector")
    return Settings(
        numbers=tuple(number for key in NUMBERS if (number := _number(nodes, key)) is not None),
        once=tuple(name for name in ONCE if (node := _look(nodes, name)) and "Once" in node.entries and node.writable),
        balance=_balance(nodes),
        pixel_format=str(formats.value) if formats is not None and formats.value is not None else "",
        pixel_formats=tuple(name for name in formats.entries if name in FORMATS) if formats is not None else (),
        roi=_roi(nodes),
        sensor=_sensor(nodes),
        user_sets=tuple(name for name in sets.entries if name != "Default") if sets is not None else (),
    )


def write(nodes: Nodes, wanted: Mapping[str, object], camera: str) -> dict[str, object]:
    """Write options of the light while the camera runs, and return each as the device has it now.

    Raises TuningError for what no device takes, CameraError for what this one does not take: it names the limits.
    """
    try:
        options = GenicamOptions.model_validate(dict(wanted))
    except ValidationError as error:
        found = error.errors()[0]
        raise TuningError(f"{found['loc'][0]} = {found['input']!r}: {_allowed(nodes, found)}") from None
    stand = apply_light(nodes, options, camera)
    got: dict[str, object] = {}
    for key in wanted:
        values = [_plain(one) for one in stand if one.feature in LIGHT[key]]
        if values:
            got[key] = _ratios(options.white_balance, stand) if key == "white_balance" else values[-1]
    return got


class Once:
    """An automatic function that the device runs once: begun, then asked until it has ended. Of the grabbing thread."""

    _ASK_EVERY_S = 0.2

    def __init__(self, nodes: Nodes, name: str, longest_s: float) -> None:
        """Begin. Raises NodeError where the device cannot."""
        self.name = name
        nodes.set(name, "Once")
        now_host_ns = time.monotonic_ns()
        self._until_host_ns = now_host_ns + round(longest_s * 1e9)
        self._next_host_ns = now_host_ns

    def has_ended(self, nodes: Nodes) -> bool:
        """Return whether it is over; one that does not end in time is switched off. Raises NodeError."""
        now_host_ns = time.monotonic_ns()
        if now_host_ns < self._next_host_ns:
            return False
        self._next_host_ns = now_host_ns + round(self._ASK_EVERY_S * 1e9)
        if nodes.get(self.name) != "Once":
            return True
        if now_host_ns < self._until_host_ns:
            return False
        nodes.set(self.name, "Off")
        return True


def outcome_of_once(settings: Settings) -> dict[str, object]:
    """Return what an automatic function may have changed, as options of the station's file."""
    found: dict[str, object] = {one.key: one.value for one in settings.numbers if one.key in ("exposure_us", "gain")}
    if settings.balance is not None:
        found["white_balance"] = settings.balance
    return found


def stepped(number: Number, up: bool) -> float:
    """Return the next value of a number at a touch of + or −: a tenth of it, or a twentieth of a range around 0.

    A value that would leave the device's limits ends at them.
    """
    if number.key in ("exposure_us", "frame_rate_hz"):
        value = number.value * 1.1 if up else number.value / 1.1
    else:
        span = number.most - number.least if number.most is not None and number.least is not None else 20.0
        value = number.value + (span if up else -span) / 20
    value = max(value, number.least) if number.least is not None else value
    return float(f"{min(value, number.most) if number.most is not None else value:.5g}")


def _number(nodes: Nodes, key: str) -> Number | None:
    node = next((found for name in LIGHT[key] if (found := _look(nodes, name)) is not None), None)
    if node is None or isinstance(node.value, str | bool) or node.value is None:
        return None
    return Number(key, node.value, node.minimum, node.maximum, node.unit)


def _allowed(nodes: Nodes, refused: ErrorDetails) -> str:
    """Return what an option may be: the narrower of what any device takes and what this one does."""
    key, limits = str(refused["loc"][0]), refused.get("ctx", {})
    number = _number(nodes, key) if key in NUMBERS else None
    if number is None or number.least is None or number.most is None:
        return refused["msg"]
    least = max(number.least, limits.get("ge", limits.get("gt", number.least)))
    most = min(number.most, limits.get("le", number.most))
    return f"{least:.10g} to {most:.10g} {number.unit}".strip() + " is possible; choose a value between"


def _balance(nodes: Nodes) -> Ratios | None:
    """Return the ratios of red, green and blue; a colour that the device cannot set is 1. None without red and blue."""
    selector = _look(nodes, "BalanceRatioSelector")
    name = next((name for name in LIGHT["white_balance"] if nodes.has(name)), None)
    if selector is None or name is None or not {"Red", "Blue"} <= set(selector.entries):
        return None
    found = []
    try:
        for colour in _COLOURS:
            if colour in selector.entries:
                nodes.set("BalanceRatioSelector", colour)
                found.append(float(nodes.get(name)))
            else:
                found.append(1.0)
        if selector.value is not None:
            nodes.set("BalanceRatioSelector", selector.value)
    except NodeError:
        return None
    return found[0], found[1], found[2]


def _ratios(wanted: Ratios | None, stand: tuple[Applied, ...]) -> Ratios:
    got = dict(zip(_COLOURS, wanted or (1.0, 1.0, 1.0), strict=True))
    for one in stand:
        if one.feature in LIGHT["white_balance"] and one.got is not None:
            got.update({str(entry): float(one.got) for _, entry in one.selected})
    return got["Red"], got["Green"], got["Blue"]


def _plain(one: Applied) -> Value:
    return one.wanted if one.got is None else one.got


def _roi(nodes: Nodes) -> tuple[int, int, int, int] | None:
    width, height = _whole(nodes, "Width"), _whole(nodes, "Height")
    if width is None or height is None:
        return None
    return _whole(nodes, "OffsetX") or 0, _whole(nodes, "OffsetY") or 0, width, height


def _sensor(nodes: Nodes) -> tuple[int, int] | None:
    for across, down in (("WidthMax", "HeightMax"), ("SensorWidth", "SensorHeight")):
        width, height = _whole(nodes, across), _whole(nodes, down)
        if width and height:
            return width, height
    return None


def _whole(nodes: Nodes, name: str) -> int | None:
    node = _look(nodes, name)
    return None if node is None or not isinstance(node.value, int) else node.value


def _look(nodes: Nodes, name: str) -> Node | None:
    try:
        return nodes.node(name) if nodes.has(name) else None
    except NodeError:
        return None


def refusal(error: Exception) -> str:
    """Return an error's words as the page shows them."""
    return str(error) if isinstance(error, CameraError | TuningError) else f"{type(error).__name__}: {error}"

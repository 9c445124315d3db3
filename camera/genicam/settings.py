"""Brings a GenICam device to what the configuration says, under SFNC names or older ones, and proves it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from camera.errors import CameraOpenError, Cause, NodeError
from camera.genicam.chunks import CHUNKS
from camera.genicam.nodes import CachedNodes, Node, Nodes, Value
from camera.genicam.options import GenicamOptions
from camera.genicam.pfnc import named_among
from camera.genicam.triggering import strobe, trigger
from camera.genicam.writing import Applied, Selected, Writing, is_selector, limits, read_back

LIGHT = {
    "exposure_us": ("ExposureTime", "ExposureTimeAbs"),
    "frame_rate_hz": ("AcquisitionFrameRate", "AcquisitionFrameRateAbs"),
    "gain": ("Gain", "GainAbs", "GainRaw"),
    "black_level": ("BlackLevel", "BlackLevelAbs", "BlackLevelRaw"),
    "gamma": ("Gamma",),
    "white_balance": ("BalanceRatio", "BalanceRatioAbs", "BalanceRatioRaw"),
}
"""What each option of a picture's light is called by devices, the present name first."""

_OFF: tuple[Value, ...] = ("Off", "Manual", "None", 0, False)
_AUTO = re.compile(r"(Auto|AutoBalance|AutoSet)$")
_AUTO_SELECTORS = {"GainAuto": "GainSelector", "BlackLevelAuto": "BlackLevelSelector"}
_ALL = ("All", "AnalogAll", "DigitalAll")


def apply(nodes: Nodes, options: GenicamOptions, camera: str) -> tuple[Applied, ...]:
    """Write all settings in an order that works, read each back and return them as they stand.

    The device must be open and acquire nothing. Raises CameraOpenError (REFUSED) that lists every setting that the
    device cannot do, gives back otherwise, or an automatic function that stays on; CameraLostError.
    """
    if options.leave_as_is:
        return ()
    if options.user_set:
        load_user_set(nodes, options.user_set, camera)
    writing = Writing(nodes)
    writing.put_if_there("AcquisitionMode", "Continuous")
    _autos_off(writing)
    _geometry(writing, options)
    trigger(writing, options)
    _light(writing, options)
    _colour(writing, options)
    strobe(writing, options)
    _chunks(writing, options)
    if options.ptp:
        writing.put("ptp", ("PtpEnable", "GevIEEE1588"), True)
    _features(writing, options)
    _autos_are_off(writing)
    writing.settle()
    for size, offset in (("Width", "OffsetX"), ("Height", "OffsetY")):
        _on_sensor(writing, "roi" if options.roi is not None else "", size, offset)
    return writing.finish(camera)


def apply_light(nodes: Nodes, options: GenicamOptions, camera: str) -> tuple[Applied, ...]:
    """Write exposure, frame rate, gain, black level, gamma and white balance alone, as far as `options` names them.

    The device may acquire meanwhile. Returns and raises as `apply`.
    """
    writing = Writing(nodes)
    _light(writing, options)
    _colour(writing, options)
    return writing.finish(camera)


def check(nodes: Nodes, applied: Sequence[Applied], leave: Sequence[str] = ()) -> list[str]:
    """Return what is no longer as it was applied, a line each: somebody changed it, or the device forgot it.

    leave: selectors that must not be moved now; what lies behind another entry of theirs is not looked at. A device
    that is triggered by software exposes for the trigger that its selector stands on. Raises CameraLostError.
    """
    if isinstance(nodes, CachedNodes):
        nodes.forget()
    rows = ((one, read_back(nodes, one)) for one in applied if not _would_move(nodes, one, leave))
    return [f"{one.feature} = {one.wanted}: {wrong}" for one, wrong in rows if wrong is not None]


def _would_move(nodes: Nodes, one: Applied, leave: Sequence[str]) -> bool:
    try:
        return any(selector in leave and nodes.get(selector) != entry for selector, entry in one.selected)
    except NodeError:
        return False


def load_user_set(nodes: Nodes, name: str, camera: str) -> None:
    """Bring the device to the settings that it keeps itself under a name. Raises CameraOpenError (REFUSED)."""
    _user_set(nodes, name, camera, "UserSetLoad")


def save_user_set(nodes: Nodes, name: str, camera: str) -> None:
    """Let the device keep its settings under a name, over a power cycle. Raises CameraOpenError (REFUSED)."""
    _user_set(nodes, name, camera, "UserSetSave")


def _user_set(nodes: Nodes, name: str, camera: str, command: str) -> None:
    try:
        nodes.set("UserSetSelector", name)
        nodes.execute(command)
    except NodeError as error:
        known = nodes.node("UserSetSelector").entries if nodes.has("UserSetSelector") else ()
        allowed = f"one of {', '.join(known)}" if known else "the device keeps no user sets"
        what = f"camera '{camera}': user_set = {name!r}: {command} failed: {error}"
        raise CameraOpenError(f"{what} — {allowed} — change or leave out user_set", Cause.REFUSED) from error


def _autos_off(writing: Writing) -> None:
    """Stop what would change pictures by itself. What stays on is refused at the end."""
    for name, selected in _autos(writing):
        for selector, entry in selected:
            writing.try_to(selector, entry)
        node = writing.look(name)
        if node is not None and node.value is not None and node.value not in _OFF:
            for off in _OFF[:3] if node.entries else _OFF[3:4]:
                if not node.entries or off in node.entries:
                    writing.try_to(name, off)
                    break


def _autos_are_off(writing: Writing) -> None:
    for name, selected in _autos(writing):
        for selector, entry in selected:
            writing.try_to(selector, entry)
        node = writing.look(name)
        if node is not None and node.value is not None and node.value not in _OFF:
            where = "".join(f" at {selector} = {entry}" for selector, entry in selected)
            writing.refuse(
                "", name, "Off", f"it stays {node.value}{where}; a station's pictures must not change by themselves"
            )


def _autos(writing: Writing) -> list[tuple[str, Selected]]:
    """Return every automatic function of the device, once for each entry of its selector."""
    found: list[tuple[str, Selected]] = []
    for name in writing.nodes.names():
        if _AUTO.search(name) and not name.startswith(("Chunk", "Event")) and writing.nodes.has(name):
            selector = _AUTO_SELECTORS.get(name, "")
            node = writing.look(selector) if selector else None
            entries = node.entries if node is not None and node.writable else ()
            found.extend([(name, ((selector, entry),)) for entry in entries] or [(name, ())])
    return found


def _geometry(writing: Writing, options: GenicamOptions) -> None:
    if options.binning is not None:
        for name, pixels in zip(("BinningHorizontal", "BinningVertical"), options.binning, strict=True):
            _put_unless(writing, "binning", name, pixels, 1)
    if options.pixel_format is not None:
        node = writing.look("PixelFormat")
        name = named_among(options.pixel_format, node.entries if node is not None else ()) or options.pixel_format
        writing.put("pixel_format", "PixelFormat", name)
    if options.roi is not None:
        x, y, width, height = options.roi
        writing.put("roi", "Width", width, exact=True)
        writing.put("roi", "Height", height, exact=True)
        _put_unless(writing, "roi", "OffsetX", x, 0)
        _put_unless(writing, "roi", "OffsetY", y, 0)
    if options.reverse_x is not None:
        _put_unless(writing, "reverse_x", "ReverseX", options.reverse_x, False)
    if options.reverse_y is not None:
        _put_unless(writing, "reverse_y", "ReverseY", options.reverse_y, False)


def _on_sensor(writing: Writing, option: str, size: str, offset: str) -> None:
    """Refuse a region that breaks the device's own steps, or reaches beyond its sensor, though the device took it.

    There are devices that take any number, and send black or shifted pixels for what is not there (SFNC 2.7, chapter
    Image Format Control: OffsetX + Width is at most WidthMax).
    """
    written = {feature for feature, _ in writing.applied}
    now = {name: node for name in (size, offset) if (node := writing.look(name)) is not None}
    for name, node in now.items():
        steps = 0 if node.minimum is None else (_number(node) - node.minimum) / (node.increment or 1)
        if name in written and steps != round(steps):
            writing.refuse(option, name, _number(node), f"the device takes it, and says that it does not{limits(node)}")
    most = _sensor_side(writing, size)
    end = sum(_number(node) for node in now.values())
    if written.intersection(now) and most is not None and end > most[1]:
        why = f"with {offset} it ends at pixel {end:g} — {most[0]} is {most[1]:g} — move it, or make it smaller"
        writing.refuse(option, size, _number(now[size]) if size in now else end, why)


def _sensor_side(writing: Writing, size: str) -> tuple[str, float] | None:
    """Return how far a region may reach, with the name of who says so; None where the device does not tell.

    The sensor's own height is none for a camera that stacks lines: it takes more of them than its sensor has.
    """
    most = writing.look(f"{size}Max")
    if most is not None and _number(most) > 0:
        return f"{size}Max", _number(most)
    sensor, node = writing.look(f"Sensor{size}"), writing.look(size)
    if sensor is None or node is None or _number(sensor) <= 0 or (node.maximum or 0) > _number(sensor):
        return None
    return f"Sensor{size}", _number(sensor)


def _number(node: Node) -> float:
    """Return the value of a feature that is a number, 0 for one that has none now."""
    return node.value if isinstance(node.value, (int, float)) else 0


def _put_unless(writing: Writing, option: str, name: str, value: Value, without: Value) -> None:
    """Write a setting, unless a device that does not have it is as wanted: `without` is what such a one does."""
    if value != without or writing.nodes.has(name):
        writing.put(option, name, value, exact=True)


def _light(writing: Writing, options: GenicamOptions) -> None:
    if options.exposure_us is not None:
        writing.put_if_there("ExposureMode", "Timed")
        writing.put("exposure_us", LIGHT["exposure_us"], options.exposure_us)
    if options.frame_rate_hz is not None:
        writing.put_if_there(("AcquisitionFrameRateEnable", "AcquisitionFrameRateEnabled"), True)
        writing.put("frame_rate_hz", LIGHT["frame_rate_hz"], options.frame_rate_hz)
    if options.gain is not None:
        writing.put("gain", LIGHT["gain"], options.gain, _standing_on(writing, "GainSelector", _ALL))
    if options.black_level is not None:
        selected = _standing_on(writing, "BlackLevelSelector", _ALL)
        writing.put("black_level", LIGHT["black_level"], options.black_level, selected)
    if options.gamma is not None:
        writing.put_if_there(("GammaEnable", "GammaEnabled"), True)
        writing.put_if_there("GammaSelector", "User")
        writing.put("gamma", LIGHT["gamma"], options.gamma)


def _standing_on(writing: Writing, selector: str, entries: Sequence[str]) -> Selected:
    entry = writing.entry(selector, entries)
    return () if entry is None else ((selector, entry),)


def _colour(writing: Writing, options: GenicamOptions) -> None:
    if options.white_balance is None:
        return
    for colour, wanted in zip(("Red", "Green", "Blue"), options.white_balance, strict=True):
        entry = writing.entry("BalanceRatioSelector", (colour,))
        if entry is not None:
            writing.put("white_balance", LIGHT["white_balance"], wanted, (("BalanceRatioSelector", entry),))
        elif colour != "Green" or wanted != 1:  # many devices have red and blue alone, beside a green of 1
            writing.refuse(
                "white_balance", "BalanceRatioSelector", colour, f"the device cannot set {colour} to {wanted:g}"
            )


def _chunks(writing: Writing, options: GenicamOptions) -> None:
    if not options.chunks:
        return
    writing.put("chunks", "ChunkModeActive", True)
    for chunk in options.chunks:
        entry = writing.entry("ChunkSelector", CHUNKS[chunk].selectors)
        if entry is None:
            node = writing.look("ChunkSelector")
            known = f" — one of {', '.join(node.entries)}" if node is not None and node.entries else ""
            writing.refuse("chunks", "ChunkSelector", chunk, f"the device sends no such chunk{known}")
        else:
            writing.put("chunks", "ChunkEnable", True, (("ChunkSelector", entry),))


def _features(writing: Writing, options: GenicamOptions) -> None:
    """Write the rest in its order; a selector stands for all that follow it."""
    selected: dict[str, Value] = {}
    for name, value in options.features.items():
        node = writing.look(name)
        if node is not None and node.kind == "command":
            _execute(writing, name, value)
            continue
        exact = node is not None and node.kind == "integer"
        writing.put(f"features.{name}", name, value, tuple(selected.items()), exact)
        if is_selector(name):
            selected[name] = value


def _execute(writing: Writing, name: str, value: Value) -> None:
    if value is not True:
        writing.refuse(f"features.{name}", name, value, "it is a command — true executes it")
        return
    try:
        writing.nodes.execute(name)
    except NodeError as error:
        writing.refuse(f"features.{name}", name, value, str(error))

"""Writes what the options say to a V4L2 device, reads all of it back, and refuses a device that differs."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

from camera.errors import CameraOpenError, Cause
from camera.genicam.writing import Applied
from camera.v4l2 import abi
from camera.v4l2.controls import AUTOS, ControlRefusedError, Controls, Limits
from camera.v4l2.formats import JPEG, KNOWN, bytes_per_pixel
from camera.v4l2.node import VideoNode
from camera.v4l2.options import Options

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Stream:
    """What the device will send. row_bytes: of one row without its padding; 0 where pictures are encoded."""

    code: str
    width: int
    height: int
    row_bytes: int
    stride: int
    size_bytes: int
    rate_hz: float | None
    settings: tuple[Applied, ...]


def apply(node: VideoNode, camera: str, options: Options) -> Stream:
    """Set the device up as the options say; what they leave open stays as the device has it, autos apart.

    Raises CameraOpenError: HELD where another program streams, REFUSED with all differences together.
    """
    problems: list[str] = []
    settings: list[Applied] = []
    code = _code(node, options, problems)
    if problems:
        raise _refused(camera, node, problems)
    pix = _format(node, options, code, problems, settings)
    rate_hz = _rate(node, options, problems, settings)
    _controls(node, options, problems, settings)
    if problems:
        raise _refused(camera, node, problems)
    row_bytes = 0 if code in JPEG else pix.width * bytes_per_pixel(code)
    stride = max(pix.bytesperline, row_bytes)
    return Stream(code, pix.width, pix.height, row_bytes, stride, pix.sizeimage, rate_hz, tuple(settings))


def _refused(camera: str, node: VideoNode, problems: list[str]) -> CameraOpenError:
    lines = "\n  ".join(problems)
    return CameraOpenError(
        f"camera '{camera}': {node.path} does not take {len(problems)} setting(s):\n  {lines}\n"
        "Mend the options; `v4l2-ctl --list-formats-ext --list-ctrls-menus` shows what it takes.",
        Cause.REFUSED,
    )


def _code(node: VideoNode, options: Options, problems: list[str]) -> str:
    offered = node.formats()
    readable = [code for code in offered if code in KNOWN]
    if options.pixel_format is None and readable:
        return readable[0]
    if options.pixel_format not in readable:
        asked = "" if options.pixel_format is None else f" = {options.pixel_format!r}"
        problems.append(f"pixel_format{asked}: the camera offers {', '.join(readable) or 'none that is read'}; set one")
    return options.pixel_format or ""


def _format(
    node: VideoNode, options: Options, code: str, problems: list[str], settings: list[Applied]
) -> abi.PixFormat:
    request = abi.Format(type=abi.CAPTURE)
    node.claim(abi.G_FMT, request)
    pix = request.fmt.pix
    pix.pixelformat, pix.field = abi.fourcc(code), abi.FIELD_NONE
    pix.bytesperline = pix.sizeimage = 0
    if options.size is not None:
        pix.width, pix.height = options.size
    node.claim(abi.S_FMT, request)
    pix = request.fmt.pix
    got = abi.fourcc_text(pix.pixelformat)
    settings.append(Applied("pixel_format", code, got))
    if got != code:
        problems.append(f"pixel_format = {code!r}: the camera took {got!r} instead")
    if pix.field != abi.FIELD_NONE:
        problems.append("the camera sends interlaced half pictures; set it to progressive ones, or take another size")
    if options.size is not None:
        settings.append(Applied("size", "{}×{}".format(*options.size), f"{pix.width}×{pix.height}"))
        if (pix.width, pix.height) != options.size:
            problems.append(f"size = {list(options.size)}: the camera took [{pix.width}, {pix.height}] instead")
    return pix  # type: ignore[no-any-return]  # ctypes fields have no types


def _rate(node: VideoNode, options: Options, problems: list[str], settings: list[Applied]) -> float | None:
    """Set and read the frame rate; a device may have none. One part in a hundred off is taken: it counts in 100 ns."""
    request, asked_hz = abi.StreamParameters(type=abi.CAPTURE), options.frame_rate_hz
    try:
        node.call(abi.G_PARM, request)
        settable = bool(request.parm.capture.capability & abi.CAP_TIMEPERFRAME)
        if asked_hz is not None and settable:
            request.parm.capture.timeperframe = abi.Fraction(1_000_000, round(asked_hz * 1_000_000))
            node.call(abi.S_PARM, request)
    except OSError:
        settable = False
    frame = request.parm.capture.timeperframe
    got_hz = frame.denominator / frame.numerator if settable and frame.numerator else None
    if asked_hz is not None:
        settings.append(Applied("frame_rate_hz", asked_hz, got_hz))
        if got_hz is None:
            problems.append(f"frame_rate_hz = {asked_hz:g}: the camera's rate cannot be set; leave it out")
        elif abs(got_hz - asked_hz) > 0.01 * asked_hz:
            problems.append(f"frame_rate_hz = {asked_hz:g}: the camera took {got_hz:g} instead")
    return got_hz


def _controls(node: VideoNode, options: Options, problems: list[str], settings: list[Applied]) -> None:
    controls = Controls(node)
    written: list[tuple[Limits, int]] = []
    for plan in (_autos(controls, options), _stated(controls, options, problems)):
        for control, number in plan:
            try:
                controls.write(control, number)
                written.append((control, number))
            except ControlRefusedError as refused:
                problems.append(str(refused))
    last = {control.id: (control, number) for control, number in written}
    for control, number in last.values():  # after all: one control may move another
        try:
            got = controls.read(control)
        except ControlRefusedError as refused:
            problems.append(str(refused))
            continue
        settings.append(Applied(control.name, number, got))
        if got is not None and got != number:
            problems.append(f"{control.name} = {number}: the camera gives back {got}")


def _autos(controls: Controls, options: Options) -> Iterator[tuple[Limits, int]]:
    """Yield what switches the autos off, and the device's default for what each drove: else it stays where it was."""
    if options.autos == "as_is":
        return
    for auto in AUTOS:
        control = controls.by_id.get(auto.id)
        if control is None or not control.is_usable:
            continue
        off = next((number for number in auto.off if not control.entries or number in control.entries), None)
        if off is None:
            _log.warning("%s cannot be switched off: pictures may change by themselves", control.name)
            continue
        yield control, off
        driven = controls.by_id.get(auto.drives or 0)
        if driven is not None and driven.is_usable:
            yield driven, driven.default


def _stated(controls: Controls, options: Options, problems: list[str]) -> Iterator[tuple[Limits, int]]:
    for name, number_of_control, value in options.by_meaning():
        control = controls.by_id.get(number_of_control)
        try:
            if control is None or not control.is_usable:
                problems.append(f"{name}: the camera has no such control; leave it out")
                continue
            yield control, control.number(value)
        except ControlRefusedError as refused:
            unit = " (in units of 100 µs)" if name == "exposure_us" else ""
            problems.append(f"{name}{unit}: {refused}")
    for name, wanted in options.controls.items():
        try:
            control = controls.named(name)
            if options.autos == "off" and any(auto.id == control.id for auto in AUTOS):
                problems.append(
                    f"{name}: an automatic is off in production; give the value that it drives, or "
                    'autos = "as_is" while values are looked for'
                )
                continue
            yield control, control.number(wanted)
        except ControlRefusedError as refused:
            problems.append(str(refused))

"""What makes a GenICam device expose, and what it lights meanwhile: its trigger input and its strobe output."""

from __future__ import annotations

from camera.genicam.options import GenicamOptions
from camera.genicam.writing import Selected, Writing

_EDGES = {"rising": "RisingEdge", "falling": "FallingEdge", "any": "AnyEdge"}
_ENCODERS = ("Encoder0", "Encoder1", "Encoder2")
_ACTIONS = ("Action1", "Action0")
_FRAME = ("FrameStart", "ExposureStart", "AcquisitionStart")


def trigger(writing: Writing, options: GenicamOptions) -> None:
    """Let a frame start where the options say, and by nothing else."""
    start = _every_trigger_off(writing)
    if options.trigger == "free_run":
        return
    source = _source(writing, options)
    if source is not None:
        writing.put("trigger", "TriggerSource", source, start)
    if options.trigger in ("line", "encoder"):
        _input(writing, options, start)
    if options.trigger == "action":
        _action(writing, options)
    if options.trigger_delay_us is not None:
        writing.put("trigger_delay_us", ("TriggerDelay", "TriggerDelayAbs"), options.trigger_delay_us, start)
    writing.put("trigger", "TriggerMode", "On", start)


def _every_trigger_off(writing: Writing) -> Selected:
    """Switch all triggers off, so that none of an earlier use holds the pictures back; return the one of a frame."""
    node = writing.look("TriggerSelector")
    if node is None:
        writing.put_if_there("TriggerMode", "Off")
        return ()
    for entry in node.entries:
        writing.try_to("TriggerSelector", entry)
        mode = writing.look("TriggerMode")
        if mode is not None and mode.value is not None and mode.value != "Off":
            writing.put("trigger", "TriggerMode", "Off", (("TriggerSelector", entry),))
    entry = writing.entry("TriggerSelector", _FRAME) or "FrameStart"
    selected = (("TriggerSelector", entry),)
    writing.put_if_there("TriggerMode", "Off", selected)
    return selected


def _source(writing: Writing, options: GenicamOptions) -> str | None:
    if options.trigger == "software":
        return "Software"
    if options.trigger == "line":
        return options.trigger_line
    if options.trigger == "action":
        return writing.entry("TriggerSource", _ACTIONS) or _ACTIONS[0]
    return _encoder(writing, options)


def _encoder(writing: Writing, options: GenicamOptions) -> str | None:
    """Divide the counts in the device's encoder where it has one, else divide the pulses of the line itself."""
    encoder = writing.entry("TriggerSource", _ENCODERS)
    if encoder is not None:
        selected = (("EncoderSelector", encoder),)
        writing.put("trigger_line", "EncoderSourceA", options.trigger_line, selected)
        if options.trigger_divider is not None:
            writing.put("trigger_divider", "EncoderDivider", options.trigger_divider, selected, exact=True)
        return encoder
    if not writing.nodes.has("TriggerDivider"):
        writing.refuse(
            "trigger",
            "TriggerSource",
            "encoder",
            "the device has neither Encoder0 among its sources nor TriggerDivider",
        )
        return None
    return options.trigger_line


def _input(writing: Writing, options: GenicamOptions, start: Selected) -> None:
    edge = _EDGES[options.trigger_edge]
    if options.trigger_edge != "rising" or writing.nodes.has("TriggerActivation"):
        writing.put("trigger_edge", "TriggerActivation", edge, start)
    line = (("LineSelector", options.trigger_line),)
    if writing.entry("LineSelector", (options.trigger_line,)) is not None:
        writing.put_if_there("LineMode", "Input", line)
    if options.trigger_debounce_us is not None:
        names = ("LineDebouncerTime", "LineDebouncerTimeAbs", "LineDebouncerTimeRaw")
        writing.put("trigger_debounce_us", names, options.trigger_debounce_us, line)
    if options.trigger_divider is not None and writing.entry("TriggerSource", _ENCODERS) is None:
        writing.put("trigger_divider", "TriggerDivider", options.trigger_divider, start, exact=True)


def _action(writing: Writing, options: GenicamOptions) -> None:
    if options.action_keys is None:
        return
    device, group, mask = options.action_keys
    node = writing.look("ActionSelector")
    selected: Selected = ()
    if node is not None and node.writable:
        selected = (
            ("ActionSelector", 1 if node.minimum is None else int(max(node.minimum, min(1, node.maximum or 1)))),
        )
    writing.put("action_keys", "ActionDeviceKey", device, exact=True)
    writing.put("action_keys", "ActionGroupKey", group, selected, exact=True)
    writing.put("action_keys", "ActionGroupMask", mask, selected, exact=True)


def strobe(writing: Writing, options: GenicamOptions) -> None:
    """Let an output light the flash with each exposure, as long as it or for a time of its own."""
    if not options.strobe_line:
        return
    line = (("LineSelector", options.strobe_line),)
    writing.put_if_there("LineMode", writing.entry("LineMode", ("Output", "Strobe")) or "Output", line)
    delay, duration = options.strobe_delay_us, options.strobe_duration_us
    if delay is None and duration is None:
        writing.put("strobe_line", "LineSource", "ExposureActive", line)
    elif writing.first(("StrobeDuration", "StrobeDelay")) is not None:
        writing.put("strobe_line", "LineSource", "ExposureActive", line)
        _times(writing, options, ("StrobeDelay",), ("StrobeDuration",), line)
    else:
        timer = writing.entry("TimerSelector", ("Timer1", "Timer0")) or "Timer1"
        selected = (("TimerSelector", timer),)
        names = ("TimerTriggerSource", "TimerTriggerSourceAbs")
        writing.put(
            "strobe_line",
            names,
            writing.entry(names[0], ("ExposureStart", "ExposureActive")) or "ExposureStart",
            selected,
        )
        _times(writing, options, ("TimerDelay", "TimerDelayAbs"), ("TimerDuration", "TimerDurationAbs"), selected)
        source = writing.entry("LineSource", (f"{timer}Active", f"{timer}Output")) or f"{timer}Active"
        writing.put("strobe_line", "LineSource", source, line)


def _times(
    writing: Writing,
    options: GenicamOptions,
    delays: tuple[str, ...],
    durations: tuple[str, ...],
    selected: Selected,
) -> None:
    if options.strobe_delay_us is not None:
        writing.put("strobe_delay_us", delays, options.strobe_delay_us, selected)
    if options.strobe_duration_us is not None:
        writing.put("strobe_duration_us", durations, options.strobe_duration_us, selected)

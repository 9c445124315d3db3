"""`lineward cameras snapshot` and `record`: one picture as a file, or raw frames with their timing."""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inspection.cli.camera_choice import CameraArgument, Choice, OptionOption, choose_camera
from inspection.cli.feature_words import plain, read_or_none
from inspection.cli.json_option import JsonOption

if TYPE_CHECKING:
    from camera.frame import Frame
    from camera.interface import Camera
    from camera.samples import Samples
    from inspection.offline.recorder import Outcome, Recorder

_LOOK_S = 0.2


def snapshot(
    camera: CameraArgument,
    file: Annotated[Path, typer.Argument(metavar="OUT.PNG", help="Where the picture goes; an older one is replaced.")],
    option: OptionOption = None,
    raw: Annotated[bool, typer.Option("--raw", help="The sensor's samples: no colour is made of a Bayer one.")] = False,
    timeout: Annotated[float, typer.Option(min=0.1, max=3600, help="Seconds to wait for the picture.")] = 10.0,
    as_json: JsonOption = False,
) -> None:
    """Take one picture, lossless: 8 bits, or 16 with the sample in the upper ones where it has more than 8."""
    from camera.whole_file import write_whole
    from inspection.offline.asking import take_one

    if file.suffix.lower() != ".png" or not file.absolute().parent.is_dir():
        raise typer.BadParameter(f"{file}: a name that ends in .png, in a folder that exists, is needed")
    choice = choose_camera(camera, option or ())
    with choice.make() as opened:
        frame = take_one(opened, timeout)
    picture, figures = _look_at(frame, raw=raw)
    write_whole(file, _png(picture))
    found = {"file": str(file), "camera": choice.name, "backend": choice.backend, **asdict(figures)}
    if as_json:
        print(json.dumps(found))
    else:
        print(
            f"{file}: {figures.width}×{figures.height} {figures.pixel_format}, mean {figures.mean:.1f} of "
            f"{2**figures.bits - 1}, {figures.saturated_share:.2%} saturated"
        )


def record(
    camera: CameraArgument,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A new or empty folder.")],
    frames: Annotated[int | None, typer.Option(min=1, help="So many whole frames.")] = None,
    seconds: Annotated[float | None, typer.Option(min=0.01, help="For so long. Neither: until Ctrl-C.")] = None,
    option: OptionOption = None,
    buffer_mb: Annotated[
        int, typer.Option(min=1, max=1_000_000, help="Memory for frames that wait to be written.")
    ] = 512,
    keep_free_gb: Annotated[float, typer.Option(min=0, help="The disk keeps at least so much room.")] = 1.0,
    as_json: JsonOption = False,
) -> None:
    """Record raw frames losslessly with their timing, for the backend `replay`.

    What the camera lost is part of the recording; what the disk was too slow for is counted, and ends with exit 1.
    """
    from inspection.offline.recorder import GOOD_ENDINGS, Recorder, Wanted

    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise typer.BadParameter(f"{folder}: is there already, and is no empty folder; name a new one")
    choice = choose_camera(camera, option or ())
    wanted = Wanted(folder, frames, seconds, buffer_mb * 1_000_000, round(keep_free_gb * 1e9))
    with choice.make() as opened:
        recorder = Recorder(opened, wanted, _about(opened, choice))
        outcome = _run(recorder, wanted.frames, quiet=as_json)
        counters = dict(opened.counters())
    if as_json:
        print(json.dumps({"ok": outcome.is_whole, "folder": str(folder), **asdict(outcome), "counters": counters}))
    else:
        _print_outcome(folder, choice, outcome)
    if not outcome.is_whole and outcome.ending not in GOOD_ENDINGS:
        print(f"lineward: {outcome.ending}", file=sys.stderr)
    raise typer.Exit(0 if outcome.is_whole else 1)


def _about(camera: Camera, choice: Choice) -> dict[str, str]:
    """Return what the header of a recording says of the camera, as texts."""
    about = {"camera": choice.name, "backend": choice.backend, "options": json.dumps(choice.options, default=str)}
    nodes = camera.nodes
    for name in (
        "DeviceVendorName",
        "DeviceModelName",
        "DeviceSerialNumber",
        "DeviceFirmwareVersion",
        "ExposureTime",
        "Gain",
    ):
        value = read_or_none(nodes, name) if nodes is not None and nodes.has(name) else None
        if value is not None:
            about[name] = plain(value)
    return about


def _run(recorder: Recorder, frames: int | None, *, quiet: bool) -> Outcome:
    """Record with a bar; Ctrl-C and SIGTERM end the recording properly."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns, console = (BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn()), Console(stderr=True)
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal, transient=True) as bar:
        task = bar.add_task("waiting for the first picture", total=frames)
        looked_s = -1.0

        def look(now: Any) -> None:
            nonlocal looked_s
            if now.elapsed_s - looked_s < _LOOK_S or not now.frames + now.broken:
                return
            looked_s = now.elapsed_s
            rate_mb_s = now.bytes_grabbed / 1e6 / max(now.elapsed_s, 1e-3)
            text = f"{now.frames} frames, {rate_mb_s:.0f} MB/s, buffer {now.buffered:.0%}"
            wrong = {"lost": now.lost, "broken": now.broken, "not recorded": now.unrecorded}
            text += "".join(f", {count} {what}" for what, count in wrong.items() if count)
            bar.update(task, completed=now.frames, description=text)

        with _stopped_by_signals(recorder):
            return recorder.run(look)


@contextmanager
def _stopped_by_signals(recorder: Recorder) -> Iterator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM) if threading.current_thread() is threading.main_thread() else ()
    before = {number: signal.signal(number, lambda *_: recorder.stop()) for number in numbers}
    try:
        yield
    finally:
        for number, action in before.items():
            signal.signal(number, action)


def _print_outcome(folder: Path, choice: Choice, outcome: Outcome) -> None:
    megabytes = outcome.bytes_written / 1e6
    print(
        f"{folder}: {outcome.frames} frames of {choice.name} in {outcome.elapsed_s:.2f} s, {megabytes:.1f} MB "
        f"({megabytes / max(outcome.elapsed_s, 1e-3):.1f} MB/s); {outcome.lost} lost by the camera, {outcome.broken} "
        f"came broken, {outcome.damaged} damaged; the buffer was {outcome.peak_buffered:.0%} full at most; "
        f"{outcome.ending}"
    )
    if outcome.damaged:
        print(
            f"{outcome.damaged} pictures of the recording that was played could not be read, or its index is damaged: "
            "they are missing here; the warnings name them"
        )
    if outcome.unrecorded:
        print(
            f"{outcome.unrecorded} exposures are missing: the disk was too slow for the camera; record to a faster "
            "disk, at a lower rate or with a smaller region, or give more memory with --buffer-mb"
        )
    print(f'play it:  lineward cameras snapshot replay:{folder} first.png, or path = "{folder}" in a station\'s file')


@dataclass(frozen=True, slots=True)
class _Figures:
    """What a snapshot tells. mean: of all samples, in the format's own numbers; bits: of a sample."""

    width: int
    height: int
    pixel_format: str
    bits: int
    mean: float
    saturated_share: float
    counter: int
    device_ns: int | None
    taken_wall_ns: int


def _look_at(frame: Frame, *, raw: bool) -> tuple[Samples, _Figures]:
    """Return the picture in the range of its PNG, and its figures: of the raw samples where the format has them."""
    from camera.pixels import SAMPLED
    from camera.samples import bits_of, picture_of, samples_of, to_16_bits

    bits = bits_of(frame.pixel_format)
    picture = (samples_of if raw else picture_of)(frame.pixels, frame.pixel_format)
    measured = samples_of(frame.pixels, frame.pixel_format) if frame.pixel_format in SAMPLED else picture
    figures = _Figures(
        width=picture.shape[1],
        height=picture.shape[0],
        pixel_format=frame.pixel_format,
        bits=bits,
        mean=float(measured.mean()),
        saturated_share=float((measured >= 2**bits - 1).mean()),
        counter=frame.counter,
        device_ns=frame.device_ns,
        taken_wall_ns=time.time_ns() - (time.monotonic_ns() - frame.received_host_ns),
    )
    return to_16_bits(picture, bits), figures


def _png(picture: Samples) -> bytes:
    import cv2

    stored = picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    encoded, data = cv2.imencode(".png", stored)
    if not encoded:
        raise ValueError(f"a picture of shape {picture.shape} cannot be made a PNG")
    return bytes(data)

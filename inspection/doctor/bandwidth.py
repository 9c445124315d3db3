"""What the cameras of a station send altogether, against what their links carry."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from camera.genicam.options import GenicamOptions
from camera.pixels import SAMPLED
from camera.yuv import YUV
from inspection.config import StationConfig
from inspection.doctor.finding import Finding

_SHARE = 0.9
"""How much of a link pictures may take: the rest are headers, resent packets and what else goes over it."""
_PACKET_BYTES = 9000
_USUAL_MBIT = 1000


@dataclass(frozen=True, slots=True)
class Flow:
    """What one camera sends at most. mb_s: None where the file does not say enough."""

    camera: str
    mb_s: float | None
    why: str


def flows(config: StationConfig) -> list[Flow]:
    """Return what each GenICam camera of the station sends by its roi, pixel_format and rate.

    The rate is frame_rate_hz, or that of parts that lie as close as [geometry].closest_ms allows.
    """
    found = []
    for section in config.cameras:
        known = {name: value for name, value in section.options.items() if name in GenicamOptions.model_fields}
        if section.backend in ("aravis", "genicam", "pylon"):
            found.append(_flow(section.name, section.frames, GenicamOptions(**known), config.geometry.closest_ms))
    return found


def bytes_of_pixel(pixel_format: str) -> float | None:
    """Return the bytes that a pixel of a PFNC format takes on the way; None for one that is not read."""
    layout = SAMPLED.get(pixel_format)
    if layout is not None:
        return layout.size / layout.pixels
    return 2.0 if pixel_format in YUV else {"RGB8": 3.0, "BGR8": 3.0}.get(pixel_format)


def look_at_links(
    sent: list[Flow], links: Mapping[str, str], speeds_mbit: Mapping[str, int | None]
) -> Iterator[Finding]:
    """Hold the sum on each link against its speed. links: the network interface of each camera, where it is known.

    speeds_mbit: by interface; cameras whose link is unknown are taken to share one gigabit link.
    """
    for flow in sent:
        if flow.mb_s is None:
            yield Finding(
                f"{flow.camera}: bandwidth",
                "note",
                flow.why,
                f"say it in the file, in the section of camera '{flow.camera}'",
            )
    shared: dict[str, list[Flow]] = defaultdict(list)
    for flow in sent:
        if flow.mb_s is not None:
            shared[links.get(flow.camera, "")].append(flow)
    for link, together in sorted(shared.items()):
        yield _sum(link, together, speeds_mbit.get(link) or _USUAL_MBIT)


def _sum(link: str, together: list[Flow], mbit: int) -> Finding:
    total_mb_s = sum(flow.mb_s or 0.0 for flow in together)
    room_mb_s = mbit / 8 * _SHARE
    name = link or "one gigabit link"
    listed = " + ".join(f"{flow.camera} {flow.mb_s:.1f}" for flow in together)
    found = f"{listed} = {total_mb_s:.1f} of {room_mb_s:.1f} MB/s"
    if total_mb_s > room_mb_s:
        rest = room_mb_s / total_mb_s
        step = f"lower frame_rate_hz to {rest:.0%}, cut roi down, use a packed or 8-bit pixel_format, or a second link"
        return Finding(f"{name}: bandwidth", "problem", found, step)
    if len(together) > 1:
        delay_ns = round((len(together) - 1) * _PACKET_BYTES * 8 * 1000 / mbit)
        step = f"let them take turns: {delay_ns} ns between packets, as packet_delay in ticks of each camera's clock"
        return Finding(f"{name}: bandwidth", "ok", found, step)
    return Finding(f"{name}: bandwidth", "ok", found)


def _flow(camera: str, frames: int, options: GenicamOptions, closest_ms: float | None) -> Flow:
    rate_hz = options.frame_rate_hz
    if options.is_triggered:
        rate_hz = None if closest_ms is None else 1000 / closest_ms * frames
    size = None if options.pixel_format is None else bytes_of_pixel(options.pixel_format)
    missing = [
        key
        for key, value in (
            ("roi", options.roi),
            ("pixel_format", size),
            ("[geometry].closest_ms" if options.is_triggered else "frame_rate_hz", rate_hz),
        )
        if value is None
    ]
    if missing or options.roi is None or size is None or rate_hz is None:
        return Flow(camera, None, f"cannot be reckoned without {', '.join(missing)}")
    _, _, width, height = options.roi
    return Flow(camera, width * height * size * rate_hz * 1e-6, "")

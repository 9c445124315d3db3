"""What two sections of the file say that does not go together, told before the line is started."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from inspection.config.cameras import CameraSection, FusionSection
from inspection.config.identity import contradictions_of_identity
from inspection.quality.limits import joined_values
from inspection.quality.options import QualitySection
from inspection.tracking.fusion import FusionRule

if TYPE_CHECKING:
    from inspection.config.sections import StationConfig

TOGETHER = "together"
"""The kind of the error that lists contradictions, each by itself."""


def contradictions(config: StationConfig) -> list[str]:
    """Return one sentence for each pair of settings with which no part could ever be judged, or that says nothing."""
    return [
        *_names(config),
        *_frames(config),
        *_places(config),
        *_free_run(config),
        *_controller(config),
        *_fusion(config),
        *_matching(config),
        *_ports(config),
        *_software_trigger(config),
        *_quality(config),
        *_straight(config),
        *contradictions_of_identity(config),
    ]


def _names(config: StationConfig) -> list[str]:
    names = [camera.name for camera in config.cameras]
    if len(set(names)) == len(names):
        return []
    return [f"cameras are named {', '.join(names)}; give each a name of its own"]


def _frames(config: StationConfig) -> list[str]:
    """Hold the number of frames of a part against what makes them."""
    first, problems = config.camera, []
    if first.frames > 1 and config.free_run is not None:
        problems.append(f"[free_run] takes the best picture of a part; leave out camera.frames = {first.frames}")
    elif first.frames > 1 and config.ejector.is_controller:
        problems.append(f"camera.frames is {first.frames}: beside a controller a camera makes one frame a part")
    elif first.frames > 1 and first.backend in ("simulated", "replay"):
        problems.append(
            f"camera.frames is {first.frames}, but backend {first.backend} has one picture for each trigger; leave it "
            "out, or write a [[camera]] for each view"
        )
    return problems + [
        f"camera '{camera.name}' makes {camera.frames} frames of a part; only the first camera may make more than one; "
        "give the others one entry each"
        for camera in config.cameras[1:]
        if camera.frames > 1
    ]


def _controller(config: StationConfig) -> list[str]:
    problems = []
    if config.ejector.is_controller and config.free_run is not None:
        problems.append("[free_run] finds parts in pictures, a controller by its photo-eye: leave one of them out")
    if config.geometry.encoder_counts_per_mm is not None and not config.ejector.is_controller:
        problems.append("encoder_counts_per_mm needs an ejector that reads the encoder: driver controller")
    return problems


def _fusion(config: StationConfig) -> list[str]:
    """Find what is said about joining views, but has no effect."""
    fusion, views = config.fusion, sum(camera.frames for camera in config.cameras)
    unweighted = CameraSection.model_fields["weight"].default
    weighing = [camera.name for camera in config.cameras if camera.weight != unweighted]
    if views == 1:
        has_effect = fusion == FusionSection() and not weighing
        return [] if has_effect else ["[fusion] and weight join views, but a part has one view; leave both out"]
    if fusion.rule is FusionRule.WEIGHTED:
        return []
    problems = []
    if weighing:
        problems.append(
            f"weight of camera {', '.join(weighing)} has no effect with [fusion] rule any; leave it out, or set "
            'rule = "weighted"'
        )
    if fusion.threshold != FusionSection().threshold:
        problems.append(
            f"[fusion] threshold {fusion.threshold:g} has no effect with rule any, which goes by the threshold of each "
            'camera; leave it out, or set rule = "weighted"'
        )
    return problems


def _matching(config: StationConfig) -> list[str]:
    """The camera that gives the triggers finds its parts by number: it has no window. The others must have a chance."""
    first = 0 if config.ejector.is_controller else 1
    problems = [
        f"camera '{camera.name}': transfer_ms = {camera.transfer_ms:g} says that each frame comes later than "
        f"arrival_ms = {camera.arrival_ms:g} allows, so that no part would have its view; raise arrival_ms, or lower "
        "transfer_ms"
        for camera in config.cameras[first:]
        if camera.transfer_ms >= camera.arrival_ms
    ]
    if config.ejector.is_controller:
        return problems
    fields = CameraSection.model_fields
    names = ("window_ms", "arrival_ms", "transfer_ms")
    useless = [name for name in names if getattr(config.camera, name) != fields[name].default]
    if not useless:
        return problems
    what = f"{' and '.join(useless)} of camera '{config.camera.name}'"
    why = "it gives the triggers, and is matched by number; leave it to the other cameras"
    return [*problems, f"{what} has no effect: {why}"]


def _places(config: StationConfig) -> list[str]:
    """Hold where cameras look against the ejector and the belt's speed."""
    problems = []
    geometry = config.geometry
    for camera in config.cameras:
        if not camera.position_mm:
            continue
        if geometry.belt_speed_mm_s is None or geometry.camera_to_ejector_mm is None:
            problems.append(
                f"camera '{camera.name}' has a position_mm; [geometry] then needs distance and speed of the belt"
            )
            continue
        if camera.position_mm >= geometry.camera_to_ejector_mm:
            problems.append(
                f"camera '{camera.name}' looks at {camera.position_mm:g} mm, but the ejector is at "
                f"{geometry.camera_to_ejector_mm:g} mm; a part must be seen before it is there"
            )
        speed = camera.options.get("speed_mm_s", geometry.belt_speed_mm_s)
        if camera.backend == "simulated" and speed != geometry.belt_speed_mm_s:
            problems.append(
                f"the simulated belt of camera '{camera.name}' runs at {speed:g} mm/s, [geometry] says "
                f"{geometry.belt_speed_mm_s:g} mm/s; give both the same speed"
            )
    return problems


def _free_run(config: StationConfig) -> list[str]:
    runs_free = config.camera.backend == "conveyor"
    if config.free_run is None:
        return ["camera.backend conveyor runs free; [free_run] must say how long a part is"] if runs_free else []
    if config.camera.backend == "simulated":
        return ["[free_run] finds parts in the pictures of a camera that runs free; set camera.backend to conveyor"]
    if len(config.cameras) > 1:
        return [f"[free_run] is for one camera, not {len(config.cameras)}; leave the others out"]
    return []


def _software_trigger(config: StationConfig) -> list[str]:
    first, *others = config.cameras
    problems = [
        f"camera '{camera.name}' has trigger = \"software\"; only the first camera gives triggers, leave it out"
        for camera in others
        if camera.is_triggered_by_software
    ]
    if not first.is_triggered_by_software:
        return problems
    if first.frames > 1:
        problems.append(f'camera.frames is {first.frames}; with trigger = "software" each trigger makes one frame')
    if config.free_run is not None:
        problems.append('[free_run] finds parts by itself; leave out camera.trigger = "software"')
    if config.ejector.is_controller:
        problems.append('a controller triggers by its photo-eye; leave out camera.trigger = "software"')
    return problems


def _quality(config: StationConfig) -> list[str]:
    """Find limits of a camera's pictures that contradict those of [quality]: no picture could keep both."""
    problems = []
    for camera in config.cameras:
        try:
            QualitySection.model_validate(joined_values(camera.quality, config.quality))
        except ValidationError as error:
            told = str(error.errors()[0]["msg"]).removeprefix("Value error, ")
            problems.append(f"camera '{camera.name}': its quality and [quality] together say that {told}")
    return problems


def _straight(config: StationConfig) -> list[str]:
    """Find calibrations and references that cannot be applied to the pictures of a camera."""
    problems = []
    if config.free_run is not None and (config.camera.lens is not None or config.camera.align is not None):
        problems.append(
            f"camera '{config.camera.name}' has lens or align, but [free_run] cuts the part out at another place "
            "each time; leave them out, or give it a trigger"
        )
    return problems + [
        f"camera '{camera.name}' has align, but no region, so any shift would move the picture's edge into it; write "
        "region = {…} around the part"
        for camera in config.cameras
        if camera.align is not None and not camera.region and config.region is None
    ]


def _ports(config: StationConfig) -> list[str]:
    """Find what would listen on the same TCP port, or talk over the same serial one."""
    plc, api, page, ejector = config.plc, config.api, config.page, config.ejector
    listening = [("api.address", api.address)] if api.enabled else []
    listening += [("page.port", f":{page.port}")] if page.enabled else []
    listening += [("plc.address", plc.address)] if plc.enabled and plc.transport == "tcp" else []
    numbered = [(name, told.lstrip(":"), int(told.rpartition(":")[2])) for name, told in listening]
    problems = [
        f"{name} {told} and {other} {other_told} have the same port; give each its own"
        for (name, told, number), (other, other_told, other_number) in combinations(numbered, 2)
        if number == other_number != 0
    ]
    if plc.enabled and plc.transport == "rtu" and ejector.port and _same_file(plc.port, ejector.port):
        problems.append(f"plc.port {plc.port} and ejector.port {ejector.port} are the same; give each its own")
    return problems


def _same_file(one: str, other: str) -> bool:
    """True where two paths lead to one device: /dev/serial/by-id/… is a link to /dev/ttyUSB…"""
    return Path(one).resolve() == Path(other).resolve()

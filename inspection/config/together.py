"""What two sections of the file say that does not go together, told before the line is started."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inspection.config.sections import StationConfig


def contradictions(config: StationConfig) -> list[str]:
    """Return one sentence for each pair of settings with which no part could ever be judged."""
    return _places(config) + _free_run(config) + _ports(config) + _software_trigger(config)


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


def _ports(config: StationConfig) -> list[str]:
    plc, api = config.plc, config.api
    both = plc.enabled and api.enabled and plc.transport == "tcp"
    if both and plc.address.rpartition(":")[2] == api.address.rpartition(":")[2] != "0":
        return [f"plc.address {plc.address} and api.address {api.address} have the same port; give each its own"]
    return []

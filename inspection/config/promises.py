"""Which of the product's promises a configuration cannot keep."""

from __future__ import annotations

from camera.backends import backend_row, options_model
from camera.v4l2.formats import JPEG
from inspection.alarms import Reaction
from inspection.config.cameras import CameraSection
from inspection.config.sections import StationConfig
from inspection.config.spacing import neighbours_hit
from inspection.faults import less_than_stopping, reactions_of_faults
from inspection.tracking.fusion import FusionRule

_WITHOUT_COUNTER = {
    "rtsp": "its stream has no counter",
    "uvc": "its counter is the computer's, not the camera's",
}


def stopping_faults(config: StationConfig) -> list[str]:
    """Return the faults that stop the line, chosen or by default."""
    found = reactions_of_faults(config.reactions.chosen, config.wiring, belt_can_be_stopped=config.belt_can_be_stopped)
    return [name for name, reaction in found.items() if reaction is Reaction.STOP_LINE]


def _brief_losses(config: StationConfig) -> list[str]:
    """Say what it costs that a fault does not stop the line which may have let parts by."""
    stoppable = config.belt_can_be_stopped
    weaker = less_than_stopping(config.reactions.chosen, config.wiring, belt_can_be_stopped=stoppable)
    if not weaker:
        return []
    chosen = ", ".join(f"{name} = {reaction}" for name, reaction in weaker.items())
    sentence = (
        "promise 4 (silence is safe) holds for losses that last; in one that is over before the belt stands, parts "
        f"go by unrejected — [reactions] says {chosen}: leave that out, and clear the belt before Start"
    )
    return [sentence]


def _pictures_of_nobody(config: StationConfig) -> list[str]:
    """Say what a first camera cannot promise that runs free: nothing but its pictures tells that a part came."""
    camera = config.camera
    if config.ejector.is_controller or not _runs_free(camera):
        return []
    what = f"camera '{camera.name}' ({camera.backend}) runs free, without a trigger"
    found = []
    if config.free_run is None:
        found.append(
            f"{what}: each of its pictures counts as one part — let a photo-eye trigger it (trigger = "
            '"line" with aravis, genicam and pylon), or find the parts in its pictures with [free_run]'
        )
    if camera.backend in _WITHOUT_COUNTER:
        found.append(
            f"{what}, and {_WITHOUT_COUNTER[camera.backend]}: a picture that is lost on the way is not known, and the "
            "part on it goes by without a record — to eject by, take a camera with a trigger line, or a controller "
            "whose photo-eye counts the parts"
        )
    return found


def _drivers_inside(config: StationConfig) -> list[str]:
    """Name the drivers of devices that share the station's process: a call that does not return cannot be ended."""
    devices = [camera for camera in config.cameras if backend_row(camera.backend).is_device]
    return [
        f"camera '{camera.name}' ({camera.backend}) has own_process = false: its driver may crash the station, "
        "and while a call into it does not return, Start, Stop and the end of the station wait for it — leave "
        "own_process out; false is for finding a driver's faults"
        for camera in devices
        if not getattr(options_model(camera.backend).model_validate(camera.options), "own_process", True)
    ]


def _perhaps_damaged(config: StationConfig) -> list[str]:
    """Say of which cameras a damaged picture cannot be told from a whole one: their decoders patch what is missing."""
    found = []
    for camera in config.cameras:
        pixel_format = camera.options.get("pixel_format")
        if camera.backend == "uvc" and (pixel_format is None or pixel_format in JPEG):
            what = "sends JPEG" if pixel_format else "may send MJPG, where that is the first format that it offers"
            remedy = 'set pixel_format to a raw format, such as "YUYV"'
        elif camera.backend == "rtsp":
            what, remedy = "sends compressed video", "take a camera that sends raw pictures"
        else:
            continue
        found.append(
            f"camera '{camera.name}' ({camera.backend}) {what}: a picture that was damaged inside on its way may be "
            f"decoded with patches and judged, and nobody can tell — to eject by, {remedy}"
        )
    return found


def _pictures_at_any_time(config: StationConfig) -> list[str]:
    """Say what a camera cannot promise that runs free while something else tells that a part came."""
    return [
        f"camera '{camera.name}' ({camera.backend}) runs free, without a trigger: a part has its view only where one "
        f"of its pictures happens to fall within window_ms = {camera.window_ms:g} of the part's place, and is rejected "
        "otherwise — let the photo-eye trigger it, too"
        for camera in config.cameras[0 if config.ejector.is_controller else 1 :]
        if _runs_free(camera)
    ]


def _runs_free(camera: CameraSection) -> bool:
    if not backend_row(camera.backend).is_device:
        return False
    options = options_model(camera.backend).model_validate(camera.options)
    return not getattr(options, "is_triggered", False)


def unkept_promises(config: StationConfig) -> list[str]:
    """Return one sentence for each promise that these settings cannot keep, with what would keep it."""
    sentences = list(config.ejector.broken_promises()) + _brief_losses(config) + neighbours_hit(config)
    sentences += _pictures_of_nobody(config) + _pictures_at_any_time(config)
    sentences += _drivers_inside(config) + _perhaps_damaged(config)
    return sentences + [
        f"{name} is 1: a part is rejected only when the model is absolutely certain, so bad parts pass — leave the "
        "threshold out to take the one that the model's card proposes"
        for name, threshold in _thresholds(config)
        if threshold == 1.0
    ]


def _thresholds(config: StationConfig) -> list[tuple[str, float | None]]:
    """Return each threshold that decides on parts, by its name in the file."""
    if config.fusion.rule is FusionRule.WEIGHTED:
        return [("fusion.threshold", config.fusion.threshold)]
    own = [(f"threshold of camera '{camera.name}'", camera.threshold) for camera in config.cameras]
    falls_back = any(threshold is None for _, threshold in own)
    return [*([("model.threshold", config.model.threshold)] if falls_back else []), *own]

"""The story of a finished part, as it goes to the recorder."""

from __future__ import annotations

from math import isfinite
from typing import Any

from camera.frame import Frame
from camera.pixels import RawPicture
from inspection.part import Actuation, PartResult
from inspection.tracking.part import PartInFlight, View
from inspection.tracking.sheet import Place, Sheet, places


def part_result(
    run: str, part: PartInFlight, actuation: Actuation, due_host_ns: int, deadline_host_ns: int
) -> PartResult:
    """Return the result of an ended part; its frame is the one of the view that decided, or of the first that came."""
    assert part.decision is not None
    frame = part.views[part.shown].frame or next((view.frame for view in part.views if view.frame is not None), None)
    return PartResult(
        run=run,
        part=part.number,
        decision=part.decision,
        actuation=actuation,
        stages=part.stages,
        due_host_ns=due_host_ns,
        deadline_host_ns=deadline_host_ns,
        frame_counter=None if frame is None else frame.counter,
        device_ns=None if frame is None else frame.device_ns,
        lost_before=0 if frame is None else frame.lost_before,
        pixel_format="" if frame is None else frame.pixel_format,
        pixels=_pixels(part),
        truth=part.truth,
        lot=part.lot,
        serial=part.serial,
        told=part.told,
        batches=tuple(view.batch for view in part.views),
        extra=_extra(part),
        inputs=tuple(view.input for view in part.views),
    )


def _pixels(part: PartInFlight) -> Any:
    """Return the picture of the part: its frame's, or those of all views that came, side by side."""
    pictures = tuple(_picture(view.frame) for view in part.views if view.frame is not None)
    return Sheet(pictures) if len(pictures) > 1 else pictures[0] if pictures else None


def _picture(frame: Frame) -> Any:
    is_image = frame.pixel_format in ("Mono8", "RGB8")
    return frame.pixels if is_image else RawPicture(frame.pixels, frame.pixel_format)


def _extra(part: PartInFlight) -> dict[str, Any]:
    extra = dict(part.extra)
    if part.note:
        extra["failure"] = part.note
    if part.identity is not None:
        extra["identity"] = part.identity.story
    if any(view.quality is not None for view in part.views):
        extra["quality"] = [None if view.quality is None else view.quality.story() for view in part.views]
    if any(view.decision is not None and view.decision.novelty is not None for view in part.views):
        extra["novelty"] = [_novelty(view) for view in part.views]
    if not_located := [place for place, view in enumerate(part.views) if not view.located]:
        extra["not_located"] = not_located
    if any(view.pose is not None for view in part.views):
        extra["align"] = [None if view.pose is None else view.pose.figures for view in part.views]
    if any(view.frame is not None and view.frame.chunks for view in part.views):
        extra["chunks"] = [None if view.frame is None else dict(view.frame.chunks) for view in part.views]
    if len(part.views) > 1:
        frames = [view.frame for view in part.views if view.frame is not None]
        boxes = iter(places([_picture(frame).shape for frame in frames]))
        extra["views"] = [_view(view, None if view.frame is None else next(boxes)) for view in part.views]
        extra["view"] = part.shown
    return extra


def _novelty(view: View) -> float | None:
    """Return how far a view's picture is off those of the training; None where nobody knows, or it is no number."""
    told = None if view.decision is None else view.decision.novelty
    return None if told is None or not isfinite(told) else float(f"{told:.4g}")


def _view(view: View, place: Place | None) -> dict[str, Any]:
    """Return what an auditor needs to know of one view: which frame it was, where its picture is, what was found."""
    story: dict[str, Any] = {"camera": view.camera, "missing": view.frame is None}
    if view.frame is not None:
        frame = view.frame
        story |= {"frame_counter": frame.counter, "device_ns": frame.device_ns, "place": place}
    if view.decision is not None:
        decision = view.decision
        story |= {
            "evaluation": decision.evaluation.value,
            "reason": decision.reason.value,
            "score": decision.score,
            "threshold": decision.threshold,
            "raw_scores": list(decision.raw_scores),
        }
    return story

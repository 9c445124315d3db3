"""What the configuration says about a part's way, in the form in which the flow takes it."""

from __future__ import annotations

from dataclasses import replace

from inspection.config import StationConfig
from inspection.flow import FlowSettings
from inspection.motion import Motion
from inspection.pipeline.decide import Judge
from inspection.tracking.device_clock import ClockSettings, DeviceClock
from inspection.tracking.fusion import Fusion
from inspection.tracking.geometry import Geometry
from inspection.tracking.matched_view import MatchedView
from inspection.tracking.matching import Matcher


def flow_settings(config: StationConfig, geometry: Geometry, judge: Judge) -> FlowSettings:
    """Return rule, thresholds and weights, one a view; a camera without a threshold of its own has the model's."""
    views = [camera for camera in config.cameras for _ in range(camera.frames)]
    return FlowSettings(
        geometry,
        Fusion(config.fusion.rule, tuple(view.weight for view in views), config.fusion.threshold),
        [view.name for view in views],
        [judge if view.threshold is None else replace(judge, threshold=view.threshold) for view in views],
        config.ejector.pulse_ms,
        config.records.keep_inputs,
    )


def matched_views(config: StationConfig, motion: Motion) -> dict[int, MatchedView]:
    """Return the views of the cameras that do not give the triggers, by their number in a part.

    Raises ValueError where a frame of theirs could never be matched for sure.
    """
    closest = config.geometry.closest(config.ejector)
    first = 0 if config.ejector.is_controller else 1
    views = {}
    for place, camera in enumerate(config.cameras[first:]):
        matcher = Matcher(config.geometry.match_settings(camera, closest))
        clock = ClockSettings(transfer_ns=round(camera.transfer_ms * 1e6))
        views[first * config.camera.frames + place] = MatchedView(matcher, DeviceClock(clock), motion)
    return views

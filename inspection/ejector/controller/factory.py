"""The ejector that the options of a reject controller describe."""

from __future__ import annotations

from collections.abc import Callable

from inspection.ejector.controller.conversation import Event
from inspection.ejector.controller.driver import ControllerEjector
from inspection.ejector.controller.options import ControllerOptions
from inspection.ejector.controller.simulated import SimulatedControllerEjector


def make_controller(
    options: ControllerOptions,
    on_motion: Callable[[int, int], None] | None = None,
    on_event: Callable[[Event], None] | None = None,
) -> ControllerEjector:
    """Build the ejector, unopened; without a port, one with a `board` of its own (SimulatedControllerEjector)."""
    kind = ControllerEjector if options.port else SimulatedControllerEjector
    return kind(options.settings(), on_motion, on_event)

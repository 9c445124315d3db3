"""Which of the product's promises a configuration cannot keep."""

from __future__ import annotations

from inspection.alarms import Reaction
from inspection.config.sections import StationConfig
from inspection.config.spacing import neighbours_hit

_PASSED_BY = ("camera_gone", "ejector_port_gone", "pulse_failed", "pulse_outside_window")
"""Faults in which parts go by the ejector that a relay board could not reject; only a belt that stands holds them."""


def _brief_losses(config: StationConfig) -> list[str]:
    """Say what a loss costs that is over before the watchdog has noticed the missing heartbeat."""
    relies_on_belt = config.ejector.heartbeat_channel is not None and config.ejector.mode == "reject_pulse"
    chosen = config.reactions.chosen
    missing = [name for name in _PASSED_BY if chosen.get(name) is not Reaction.STOP_LINE]
    if not relies_on_belt or not missing:
        return []
    sentence = (
        "promise 4 (silence is safe) holds for losses that last; in one that is over before the watchdog trips, parts "
        f"go by unrejected — set [reactions] {', '.join(missing)} to stop_line, and clear the belt before Start"
    )
    return [sentence]


def unkept_promises(config: StationConfig) -> list[str]:
    """Return one sentence for each promise that these settings cannot keep, with what would keep it."""
    sentences = list(config.ejector.broken_promises()) + _brief_losses(config) + neighbours_hit(config)
    if config.model.threshold == 1.0:
        sentences.append(
            "model.threshold is 1: a part is rejected only when the model is absolutely certain, so bad parts pass — "
            "leave the threshold out to take the one that the model's card proposes"
        )
    return sentences

"""Which of the product's promises a configuration cannot keep."""

from __future__ import annotations

from inspection.alarms import Reaction
from inspection.config.sections import StationConfig
from inspection.config.spacing import neighbours_hit
from inspection.faults import less_than_stopping, reactions_of_faults
from inspection.tracking.fusion import FusionRule


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


def unkept_promises(config: StationConfig) -> list[str]:
    """Return one sentence for each promise that these settings cannot keep, with what would keep it."""
    sentences = list(config.ejector.broken_promises()) + _brief_losses(config) + neighbours_hit(config)
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

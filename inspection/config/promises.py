"""Which of the product's promises a configuration cannot keep."""

from __future__ import annotations

from inspection.config.sections import StationConfig


def unkept_promises(config: StationConfig) -> list[str]:
    """Return one sentence for each promise that these settings cannot keep, with what would keep it."""
    sentences = list(config.ejector.broken_promises())
    if config.model.threshold == 1.0:
        sentences.append(
            "model.threshold is 1: a part is rejected only when the model is absolutely certain, so bad parts pass — "
            "leave the threshold out to take the one that the model's card proposes"
        )
    return sentences

"""All that `lineward bench cameras` measures, in one go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from camera.errors import CameraError
from inspection.bench.cameras import conversion, reconnect
from inspection.bench.cameras.counterparts import installed
from inspection.bench.cameras.networks import own_network
from inspection.bench.cameras.throughput import measure

Say = Callable[[str], None]
PARTS = ("rate", "conversion", "reconnect")
_CONVERSION_SHARE = 0.05  # of the seconds of a measurement, for each of two ways and each format


def run(*, parts: tuple[str, ...], seconds: float, rounds: int, say: Say) -> dict[str, Any]:
    """Measure some of PARTS, in a network of our own where that is permitted; a counterpart that fails is named."""
    result: dict[str, Any] = {}
    with own_network() as is_own:
        if "rate" in parts:
            result["rate"], result["not_measured"] = _rates(seconds, rounds, say)
        if "reconnect" in parts:
            if not is_own:
                say("a cable can be pulled by root only: that loss is not measured")
            result["reconnect"] = reconnect.run(own_network=is_own, say=say)
    if "conversion" in parts:
        result["conversion"] = conversion.run(rounds=rounds, seconds=seconds * _CONVERSION_SHARE, say=say)
    return result


def _rates(seconds: float, rounds: int, say: Say) -> tuple[list[dict[str, Any]], list[str]]:
    measured = []
    with installed() as (counterparts, missing):
        for counterpart in counterparts:
            try:
                measured.append(measure(counterpart, seconds=seconds, rounds=rounds, say=say))
            except (CameraError, RuntimeError) as error:
                missing.append(f"{counterpart.name}: {error}")
    for one in missing:
        say(f"not measured: {one}")
    return measured, missing

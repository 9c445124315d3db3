"""How close parts come, and what that means for the pulses: told before the line is started."""

from __future__ import annotations

from camera.backends import options_model
from inspection.config.sections import StationConfig


def part_spacing_ms(config: StationConfig) -> tuple[float, str] | None:
    """Return the smallest time between two parts and what says so; None where nothing in the file does."""
    if config.geometry.closest_ms is not None:
        return config.geometry.closest_ms, "geometry.closest_ms"
    camera = config.camera
    known = options_model(camera.backend).model_validate(camera.options).model_dump()
    if camera.is_triggered_by_software or not known.get("paced", True):
        return None
    if "pitch_mm" in known:
        least_mm = known["pitch_mm"] - 2 * known["jitter_mm"] - known.get("length_mm", 0.0)
        return least_mm / known["speed_mm_s"] * 1e3, "pitch_mm, jitter_mm and speed_mm_s of the simulated belt"
    if known.get("rate_hz"):
        return 1e3 / known["rate_hz"], "camera.rate_hz"
    return None


def spacing_advice(config: StationConfig) -> list[str]:
    """Return a sentence where pulses are too long for parts that lie so close, or where nobody knows."""
    found = part_spacing_ms(config)
    if found is None:
        text = "how close parts may come is not known, so pulse_ms and window_ms were held against nothing"
        return [f"{text} — set geometry.closest_ms"]
    advice = _release(config, *found) if config.ejector.mode == "positive_release" else _reject(config, *found)
    return [advice] if advice else []


def _release(config: StationConfig, spacing_ms: float, source: str) -> str:
    window_ms = config.ejector.window_ms
    if spacing_ms > 2 * window_ms:
        return ""
    return (
        f"parts may come every {spacing_ms:g} ms ({source}), but the gate cannot tell them apart within twice its "
        f"window_ms of {window_ms:g}: a good part beside a rejected one is rejected, too — set window_ms below "
        f"{spacing_ms / 2:g}, or parts further apart"
    )


def _reject(config: StationConfig, spacing_ms: float, source: str) -> str:
    own_ms, ejector = config.geometry.separation_ms, config.ejector
    reach_ms = ejector.pulse_ms + ejector.window_ms if own_ms is None else own_ms
    taken = int(reach_ms // spacing_ms) + int(min(ejector.window_ms, reach_ms) // spacing_ms)
    if not taken:
        return ""
    what = "pulse_ms and window_ms together" if own_ms is None else "geometry.separation_ms"
    return (
        f"parts may come every {spacing_ms:g} ms ({source}), but a reject reaches {reach_ms:g} ms ({what}): it can "
        f"take {taken} {'neighbour' if taken == 1 else 'neighbours'} along — shorten the pulse, or set parts further "
        "apart"
    )


def neighbours_hit(config: StationConfig) -> list[str]:
    """Return why promise 3 cannot be kept, where a pulse reaches a neighbour that separation_ms leaves out."""
    found, own_ms = part_spacing_ms(config), config.geometry.separation_ms
    pulse_ms = config.ejector.pulse_ms + config.ejector.window_ms
    if found is None or own_ms is None or config.ejector.mode != "reject_pulse" or not own_ms < found[0] <= pulse_ms:
        return []
    text = (
        f"promise 3 (the right part) cannot be kept: parts may come every {found[0]:g} ms ({found[1]}), a pulse "
        f"reaches {pulse_ms:g} ms behind its part, but geometry.separation_ms = {own_ms:g} takes none of them along — "
        "leave separation_ms out, or shorten pulse_ms or window_ms"
    )
    return [text]

"""What an integrator should know about a sound configuration, though nothing is wrong with it."""

from __future__ import annotations

from inspection.config.sections import StationConfig


def remarks(config: StationConfig) -> list[str]:
    """Return one sentence for each setting that does less than one may expect of it."""
    if not config.plc.enabled or config.camera.is_triggered_by_software:
        return []
    sentence = (
        f"the PLC's Trigger is always answered with MissedAcq: camera '{config.camera.name}' follows its photo-eye or "
        'clock — let that trigger, or set trigger = "software" in [camera] where the backend knows it (simulated, '
        "replay)"
    )
    return [sentence]

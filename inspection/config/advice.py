"""What an integrator should know about a sound configuration, though nothing is wrong with it."""

from __future__ import annotations

import time

from inspection.api.errors import CertificateError
from inspection.api.tls import read_pair
from inspection.config.sections import StationConfig
from inspection.config.spacing import spacing_advice
from inspection.tracking.fusion import FusionRule


def advice(config: StationConfig) -> list[str]:
    """Return one sentence for each setting that does less than one may expect of it."""
    return [*spacing_advice(config), *_fusion(config), *_software_trigger(config), *_certificates(config)]


def _fusion(config: StationConfig) -> list[str]:
    """Say which thresholds do not decide."""
    own = [camera.name for camera in config.cameras if camera.threshold is not None]
    if not own or config.fusion.rule is not FusionRule.WEIGHTED:
        return []
    what = f"threshold of camera {', '.join(own)} only says what the record notes of that view"
    return [f"{what}: with rule weighted the threshold of [fusion] decides"]


def _software_trigger(config: StationConfig) -> list[str]:
    if not config.plc.enabled or config.camera.is_triggered_by_software:
        return []
    sentence = (
        f"the PLC's Trigger is always answered with MissedAcq: camera '{config.camera.name}' follows its photo-eye or "
        'clock — let that trigger, or set trigger = "software" in [camera] where the backend knows it (simulated, '
        "replay)"
    )
    return [sentence]


def _certificates(config: StationConfig) -> list[str]:
    """Say which certificate ends soon; one that cannot be read is told as not being on this machine."""
    if not config.api.enabled or not config.api.has_tls:
        return []
    try:
        pair = read_pair(config.api)
    except CertificateError:
        return []
    now_wall_s = time.time()
    trouble, when = pair.trouble(now_wall_s), "now" if pair.has_expired(now_wall_s) else "before"
    return [f"{trouble}: renew it {when}, no restart is needed (docs/security.md)"] if trouble else []

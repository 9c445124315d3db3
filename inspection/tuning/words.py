"""What the tuning page says, from what is known: pure functions."""

from __future__ import annotations

from camera.errors import Cause
from inspection.camera_history import CameraReport, CameraState
from inspection.page.words import Light
from inspection.texts import Catalogue
from inspection.texts.sentences import ended, without_advice
from inspection.tuning.looking import Look
from inspection.tuning.settings import Number

_LIGHTS = {
    CameraState.RUNNING: ("good", "check_circle"),
    CameraState.IDLE: ("idle", "hourglass_top"),
    CameraState.STOPPED: ("idle", "pause_circle"),
}


def light(report: CameraReport, texts: Catalogue) -> Light:
    """Say what the camera does now."""
    kind, icon = _LIGHTS.get(report.state, ("bad", "cancel"))
    return Light(kind, icon, texts.text(f"tuning.state_{report.state}"))


def loss(report: CameraReport, trouble: str, texts: Catalogue) -> tuple[str, str, str] | None:
    """Return word, what happened and what to do, of a camera that gives no live picture; None where it gives one."""
    if trouble:
        return texts.text("tuning.trouble"), trouble, ""
    if report.state in (CameraState.LOST, CameraState.HUNG):
        cause = report.cause if report.state is CameraState.LOST else str(Cause.HUNG)
        remedy = texts.texts.get(f"alarm_value.CAMERA_{cause.upper()}", texts.text("alarm_value.CAMERA_UNKNOWN"))
        return texts.text("tuning.lost"), ended(without_advice(report.detail)), remedy
    if report.state is CameraState.IDLE:
        return texts.text("tuning.waits"), texts.text("tuning.waits_detail"), ""
    return None


def value(name: str, figure: float | None) -> str:
    """Write a figure as a person reads it: shares in per cent, grey values with one decimal."""
    if figure is None:
        return "–"
    if name in ("saturated", "dark"):
        return f"{figure:.2%}" if figure < 0.1 else f"{figure:.0%}"
    if name == "uniformity":
        return f"{figure:.0%}"
    return f"{figure:.4f}" if name == "focus" else f"{figure:.2f}" if name == "noise" else f"{figure:.1f}"


def number(setting: float) -> str:
    """Write a setting without digits that mean nothing."""
    return f"{setting:.7g}"


def limits(setting: Number) -> str:
    """Write what a setting may be: 10 … 10 000 000 us; '' where the device does not say."""
    if setting.least is None or setting.most is None:
        return setting.unit
    unit = "µs" if setting.unit == "us" else setting.unit
    return f"{_short(setting.least)} … {_short(setting.most)} {unit}".strip()


def _short(limit: float) -> str:
    return f"{limit:,.0f}".replace(",", "\u202f") if limit == round(limit) or abs(limit) >= 1000 else f"{limit:.3g}"


def picture(look: Look | None) -> str:
    """Say what the pictures are: 1280 × 1024 Mono8."""
    return "" if look is None else f"{look.size[0]} × {look.size[1]} {look.frame.pixel_format}"

"""What the station's figures mean in an operator's words: pure functions from a status to what is shown."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime

from inspection.alarms import Severity, blocks, severity_of
from inspection.api import v1 as pb
from inspection.page.feed import FRESH_S, SeenPreview
from inspection.texts import Catalogue

_ICONS = {
    "PREOPERATIONAL": "hourglass_top",
    "INITIALIZED": "rule",
    "READY": "pause_circle",
    "SINGLE_EXECUTION": "looks_one",
    "CONTINUOUS_EXECUTION": "play_circle",
    "ERROR": "report",
    "HALTED": "power_settings_new",
}
RUNNING = ("SINGLE_EXECUTION", "CONTINUOUS_EXECUTION")
_SEVERITY_ICONS = {Severity.INFO: "info", Severity.WARNING: "warning", Severity.ERROR: "report"}
_CAUSES = ("absent", "held", "refused", "silent", "control_lost", "hung", "crashed", "network", "installation")
_NAMED = 2  # so many cameras that are not well are named in the header
ALWAYS_SHOWN_REASONS = ("MODEL", "NO_IMAGE", "LATE")


@dataclass(frozen=True, slots=True)
class Message:
    """One alarm in words."""

    severity: Severity
    icon: str
    text: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Banner:
    """The big state line: `kind` chooses colour and behaviour, icon and word say the same without colour."""

    kind: str
    icon: str
    word: str
    detail: str


@dataclass(frozen=True, slots=True)
class Light:
    """One connection: a shape, a colour and a word that all say the same. `kind` is good, bad or idle."""

    kind: str
    icon: str
    word: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The big word beside the live image. `kind` is ok, reject or none."""

    kind: str
    icon: str
    word: str
    detail: str
    part: str


def state_name(status: pb.GetStatusResponse) -> str:
    """Return the state's plain name, for example READY; a state that this page does not know counts as ERROR."""
    name = pb.State.Name(status.state).removeprefix("STATE_") if status.state in pb.State.values() else ""
    return name if name in _ICONS else "ERROR"


def banner(status: pb.GetStatusResponse, texts: Catalogue) -> Banner:
    """Say the station's state in one word and one sentence."""
    name = state_name(status)
    if name == "CONTINUOUS_EXECUTION":
        values = {alarm.name: dict(alarm.values) for alarm in status.alarms}
        if (now := values.get("CHALLENGE_RUNNING")) is not None:
            done = sum(int(now.get(key, "0")) for key in ("ejected", "missed"))
            word = texts.text("challenge.RUNNING", done=done, parts=now.get("parts", "?"))
            return Banner("challenge", "fact_check", word, texts.text("challenge.detail"))
        if "CHALLENGE_DUE" in values:
            return Banner("challenge_due", "gpp_maybe", texts.text("challenge.DUE"), texts.text("challenge.detail"))
    return Banner(name.lower(), _ICONS[name], texts.text(f"state.{name}"), texts.text(f"state_detail.{name}"))


def messages(status: pb.GetStatusResponse, texts: Catalogue) -> list[Message]:
    """Put the standing alarms in words: what stops the line first, then the gravest, then the oldest.

    Before all of them stands why somebody halted the station: nothing else happens until he has it reset.
    """
    ordered = sorted(
        status.alarms,
        key=lambda alarm: (
            not (alarm.blocks or blocks(alarm.name)),
            -severity_of(alarm.name),
            alarm.since_wall_ns,
        ),
    )
    found = []
    if why := _why_halted(status):
        icon = _ICONS["HALTED"]
        remedy = texts.text("state_detail.HALTED")
        found.append(Message(Severity.WARNING, icon, texts.text("halted.why", why=why), remedy))
    for alarm in ordered:
        severity = severity_of(alarm.name)
        text, remedy = texts.alarm(alarm.name, dict(alarm.values))
        if alarm.is_over:
            remedy = f"{texts.text('alarms.is_over')} {remedy}"  # first: on a small screen the end may be cut off
        found.append(Message(severity, _SEVERITY_ICONS[severity], text, remedy))
    return found


def _why_halted(status: pb.GetStatusResponse) -> str:
    """Return what was said when the station was halted, on one line; '' where it is not, or nothing was."""
    halted = status.state == status.last_change.after == pb.STATE_HALTED
    return " ".join(status.last_change.detail.split()) if halted else ""


def held(status: pb.GetStatusResponse) -> bool:
    """Return whether an alarm waits for nothing but that somebody confirms it."""
    return any(alarm.must_be_confirmed and alarm.is_over for alarm in status.alarms)


def what_runs(status: pb.GetStatusResponse, texts: Catalogue) -> str:
    """Return what parts are inspected with and for: model, recipe and lot, as far as there are any."""
    recipe = status.recipe
    shown = [status.model]
    if recipe.version:  # 0: what the station's own file holds, which goes without saying
        shown.append(texts.text("header.recipe", name=recipe.name, version=recipe.version))
    if status.lot:
        shown.append(texts.text("header.lot", lot=status.lot))
    return " · ".join(shown)


def lights(status: pb.GetStatusResponse, texts: Catalogue) -> dict[str, Light]:
    """Say what is connected: camera, ejector and heartbeat."""
    standing = {alarm.name for alarm in status.alarms}
    starting = state_name(status) == "PREOPERATIONAL"
    if status.heartbeat_running:
        heartbeat = _light("good", "beating", texts)
    elif "NO_HEARTBEAT_WIRED" in standing:
        heartbeat = _light("idle", "unwired", texts)
    else:
        running = state_name(status) in (*RUNNING, "ERROR")
        heartbeat = _light("bad" if running else "idle", "still", texts)
    return {
        "camera": _cameras(status, texts),
        "ejector": _connected(status.ejector_connected, starting, texts),
        "heartbeat": heartbeat,
    }


def _cameras(status: pb.GetStatusResponse, texts: Catalogue) -> Light:
    """Say what the cameras do: of several, each that is not well, by its name and cause; else what all of them do.

    One without triggers waits: that is no fault.
    """
    if not status.cameras:  # the station is only starting, or older than this page
        starting = state_name(status) == "PREOPERATIONAL"
        gone = any(alarm.name == "CAMERA_LOST" for alarm in status.alarms)
        return _connected(not starting and not gone, starting, texts)
    lights = _of_cameras(status, texts)
    if len(lights) == 1:
        return next(iter(lights.values()))
    bad = {name: light for name, light in lights.items() if light.kind == "bad"}
    if bad:
        first = next(iter(bad.values()))
        told = [f"{name}: {light.word}" for name, light in list(bad.items())[:_NAMED]]
        more = [f"+{len(bad) - _NAMED}"] if len(bad) > _NAMED else []
        return Light(first.kind, first.icon, " · ".join(told + more))
    of_all = {light.word: light for light in lights.values()}
    return next(iter(of_all.values())) if len(of_all) == 1 else _light("good", "ok", texts)


def cameras(status: pb.GetStatusResponse, texts: Catalogue) -> dict[str, Light]:
    """Say what each of several cameras does, by its name; empty where the header's one light says it all."""
    return _of_cameras(status, texts) if len(status.cameras) > 1 else {}


def _of_cameras(status: pb.GetStatusResponse, texts: Catalogue) -> dict[str, Light]:
    standing = {alarm.name: alarm for alarm in status.alarms if not alarm.is_over}
    changed = standing["CAMERA_CHANGED"].values["detail"] if "CAMERA_CHANGED" in standing else ""
    return {camera.name: _of_camera(camera, texts, changed) for camera in status.cameras}


def _of_camera(camera: pb.CameraStatus, texts: Catalogue, changed: str) -> Light:
    if camera.state in (pb.CAMERA_STATE_LOST, pb.CAMERA_STATE_HUNG):
        light = _light("bad", "hung" if camera.state == pb.CAMERA_STATE_HUNG else "lost", texts)
        cause = camera.cause if camera.state == pb.CAMERA_STATE_LOST and camera.cause in _CAUSES else ""
        return Light(light.kind, light.icon, texts.text(f"camera_cause.{cause}")) if cause else light
    if f"; {camera.name}: " in f"; {changed}":
        return _light("bad", "changed", texts)
    if camera.state == pb.CAMERA_STATE_IDLE:
        return _light("good", "waits", texts)
    return _light("good", "sees" if camera.state == pb.CAMERA_STATE_RUNNING else "ok", texts)


def _connected(connected: bool, starting: bool, texts: Catalogue) -> Light:
    if connected:
        return _light("good", "ok", texts)
    return _light("idle", "unknown", texts) if starting else _light("bad", "lost", texts)


def _light(kind: str, word: str, texts: Catalogue) -> Light:
    icon = {"good": "check_circle", "bad": "cancel", "idle": "radio_button_unchecked"}[kind]
    return Light(kind, icon, texts.text(f"light.{word}"))


def verdict(status: pb.GetStatusResponse, seen: SeenPreview | None, texts: Catalogue) -> Verdict:
    """Say the newest verdict; one older than two seconds is only named as the last one.

    An OK is shown in the states in which a part can have passed; beside an error it would say the opposite of it.
    """
    if seen is not None and _is_present(seen, state_name(status)):
        part = texts.text("verdict.part", part=seen.message.part)
        if seen.message.verdict == pb.VERDICT_PASS:
            return Verdict("ok", "check_circle", texts.text("verdict.OK"), _score(seen.message, texts), part)
        told = " · ".join(filter(None, (why_rejected(seen.message, texts), _score(seen.message, texts))))
        return Verdict("reject", "dangerous", texts.text("verdict.REJECT"), told, part)
    idle = {"READY": "STOPPED", "INITIALIZED": "STOPPED", **dict.fromkeys(RUNNING, "WAITING")}
    word = idle.get(state_name(status), "NONE")
    detail = texts.text(f"verdict.{word.lower()}_detail")
    return Verdict("none", "radio_button_unchecked", texts.text(f"verdict.{word}"), detail, _last_part(seen, texts))


def _is_present(seen: SeenPreview, state: str) -> bool:
    if (time.monotonic_ns() - seen.received_host_ns) / 1e9 > FRESH_S:
        return False
    return seen.message.verdict != pb.VERDICT_PASS or state in (*RUNNING, "READY")


def _last_part(seen: SeenPreview | None, texts: Catalogue) -> str:
    if seen is None:
        return texts.text("verdict.no_picture")
    word = texts.text("verdict.OK" if seen.message.verdict == pb.VERDICT_PASS else "verdict.REJECT")
    return texts.text("verdict.last_part", part=seen.message.part, verdict=word)


def _score(message: pb.WatchPreviewResponse, texts: Catalogue) -> str:
    """Say the score, but not that of a look that the model never learned: it means nothing."""
    if not message.HasField("score") or message.reason == pb.REASON_OUT_OF_DISTRIBUTION:
        return ""
    return texts.text("verdict.score", percent=percent(message.score))


def why_rejected(record: pb.WatchPreviewResponse | pb.Result, texts: Catalogue) -> str:
    """Say why a part was rejected: the defect's type where the model found one, else the reason."""
    reason = reason_name(record.reason)
    if reason == "MODEL" and record.defect_class:
        return defect_name(record.defect_class, texts)
    missing = record.missing_views if reason == "MISSING_VIEW" and isinstance(record, pb.Result) else ()
    return ": ".join(filter(None, (texts.text(f"reason.{reason}"), ", ".join(missing))))


def reason_name(reason: int) -> str:
    """Return a reason's plain name; one that this page does not know counts as SYSTEM."""
    name = pb.Reason.Name(pb.Reason.ValueType(reason)).removeprefix("REASON_") if reason in pb.Reason.values() else ""
    return name if name not in ("", "UNSPECIFIED", "NONE") else "SYSTEM"


def defect_name(defect_class: str, texts: Catalogue) -> str:
    """Return a defect's name in the language, or the training folder's own name where the catalogue has none."""
    return texts.texts.get(f"defect.{defect_class}", defect_class.replace("_", " "))


def reasons(status: pb.GetStatusResponse) -> list[tuple[str, int]]:
    """Return the rejects by reason: the everyday reasons always, the others once they occur."""
    counts = dict(status.rejected_by_reason)
    rare = sorted(name for name, count in counts.items() if count and name not in ALWAYS_SHOWN_REASONS)
    return [(name, counts.get(name, 0)) for name in (*ALWAYS_SHOWN_REASONS, *rare)]


def percent(share: float) -> str:
    """Return a share as a percentage with one decimal that never rounds a doubt away: 0.9999 is not 100."""
    shown = f"{share * 100:.1f}"
    if share < 1.0 and shown == "100.0":
        return "> 99.9"
    return "< 0.1" if share > 0.0 and shown == "0.0" else shown


def number(count: int) -> str:
    """Return a count with thin spaces between thousands, which every language reads alike."""
    return f"{count:,}".replace(",", "\u202f")


def clock(wall_ns: int) -> str:
    """Return a wall time as hours, minutes and seconds of this PC's time zone."""
    return datetime.fromtimestamp(wall_ns / 1e9, tz=UTC).astimezone().strftime("%H:%M:%S")

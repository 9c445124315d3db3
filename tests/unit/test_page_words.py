"""What the page says about a status, a preview or a record."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspection.alarms import Severity
from inspection.api import v1 as pb
from inspection.page import words
from inspection.page.feed import FRESH_S, SeenPreview
from inspection.texts import load_catalogue

TEXTS = load_catalogue("en")


def status(state: pb.State.ValueType = pb.STATE_CONTINUOUS_EXECUTION, *alarms: pb.Alarm) -> pb.GetStatusResponse:
    return pb.GetStatusResponse(state=state, alarms=alarms, ejector_connected=True, heartbeat_running=True)


def seen(age_s: float, verdict: pb.Verdict.ValueType = pb.VERDICT_PASS) -> SeenPreview:
    reason = pb.REASON_NONE if verdict == pb.VERDICT_PASS else pb.REASON_MODEL
    message = pb.WatchPreviewResponse(part=8, verdict=verdict, reason=reason, score=0.97, defect_class="chip")
    return SeenPreview(1, time.monotonic_ns() - round(age_s * 1e9), message)


@pytest.mark.parametrize("state", pb.State.values())
def test_each_state_has_a_word(state: pb.State.ValueType) -> None:
    """Every state of the API is said in a word; what cannot be named counts as an error, never as running."""
    said = words.banner(status(state), TEXTS)
    assert said.word
    assert (said.kind == "continuous_execution") == (state == pb.STATE_CONTINUOUS_EXECUTION)


def test_a_state_of_a_newer_station_counts_as_an_error() -> None:
    """An enum value that this page does not know is shown as ERROR."""
    newer = pb.GetStatusResponse()
    newer.ParseFromString(bytes([0x10, 77]))  # field 2 (state) = 77
    assert newer.state == 77
    assert words.banner(newer, TEXTS).kind == "error"


def test_why_it_was_halted_is_said_while_it_is() -> None:
    """With the words that came with the command, on one line; not of a halt that was reset since, nor of a shutdown."""
    said = status(pb.STATE_HALTED, pb.Alarm(name="DISK_LOW"))
    said.last_change.after, said.last_change.detail = pb.STATE_HALTED, "guard door\n3 is  open"
    first, second = words.messages(said, TEXTS)
    assert first.text == "Halted: guard door 3 is open"
    assert "resets" in first.remedy
    assert "disk" in second.text.lower()
    said.state = pb.STATE_READY
    assert len(words.messages(said, TEXTS)) == 1
    assert words.messages(status(pb.STATE_HALTED), TEXTS) == []


def test_an_ok_is_shown_while_it_is_fresh_only() -> None:
    """A fresh PASS is OK; one that is older than two seconds is not."""
    assert words.verdict(status(), seen(0.0), TEXTS).kind == "ok"
    old = words.verdict(status(), seen(FRESH_S + 0.1), TEXTS)
    assert (old.kind, old.word) == ("none", "WAITING")
    assert old.part == "Last part: 8, OK"


@pytest.mark.parametrize("state", [pb.STATE_ERROR, pb.STATE_PREOPERATIONAL, pb.STATE_HALTED, pb.STATE_UNSPECIFIED])
def test_no_ok_stands_beside_an_error(state: pb.State.ValueType) -> None:
    """Where nothing can pass, even a fresh PASS is no OK; a fresh reject still is a reject."""
    assert words.verdict(status(state), seen(0.0), TEXTS).kind == "none"
    assert words.verdict(status(state), seen(0.0, pb.VERDICT_REJECT), TEXTS).kind == "reject"


def test_the_header_says_what_is_inspected_and_for_whom() -> None:
    """The model always; a recipe of its own with its version, and the lot, where there are any."""
    plain = pb.GetStatusResponse(model="parts", recipe=pb.RecipeRef(name="station"))
    assert words.what_runs(plain, TEXTS) == "parts"
    told = pb.GetStatusResponse(model="parts", recipe=pb.RecipeRef(name="lid", version=3), lot="L-7")
    assert words.what_runs(told, TEXTS) == "parts · Recipe lid (3) · Lot L-7"


def test_a_reject_says_what_was_found() -> None:
    """The big word comes with the defect's type in plain words and its score."""
    said = words.verdict(status(), seen(0.0, pb.VERDICT_REJECT), TEXTS)
    assert (said.kind, said.word, said.detail) == ("reject", "REJECT", "Chip · Defect score 97.0 %")


def test_a_reject_without_a_score_says_its_reason_alone() -> None:
    """A part that the model never judged to the end has none."""
    told = pb.WatchPreviewResponse(part=8, verdict=pb.VERDICT_REJECT, reason=pb.REASON_MISSING_VIEW)
    said = words.verdict(status(), SeenPreview(1, time.monotonic_ns(), told), TEXTS)
    assert (said.detail, said.part) == ("View missing", "Part 8")


def test_a_reject_for_an_unknown_look_says_no_score() -> None:
    """What the model says of a thing that it never learned means nothing: "Defect score 0.0 %" would look wrong."""
    told = pb.WatchPreviewResponse(part=8, verdict=pb.VERDICT_REJECT, reason=pb.REASON_OUT_OF_DISTRIBUTION, score=0.0)
    assert words.verdict(status(), SeenPreview(1, time.monotonic_ns(), told), TEXTS).detail == "Unknown look"


def test_a_missing_view_names_its_camera() -> None:
    """Somebody has to go there; a record of before the names were kept says the reason alone."""
    told = pb.Result(reason=pb.REASON_MISSING_VIEW, missing_views=["side", "top (2/3)"])
    assert words.why_rejected(told, TEXTS) == "View missing: side, top (2/3)"
    assert words.why_rejected(pb.Result(reason=pb.REASON_MISSING_VIEW), TEXTS) == "View missing"


@given(st.sampled_from([value for value in pb.Verdict.values() if value != pb.VERDICT_PASS]))
@settings(max_examples=5, deadline=None)
def test_nothing_but_a_pass_is_ever_ok(verdict: pb.Verdict.ValueType) -> None:
    """A verdict that is unspecified or unknown is shown as a reject."""
    assert words.verdict(status(), seen(0.0, verdict), TEXTS).kind == "reject"


@given(st.permutations(["NO_HEARTBEAT_WIRED", "NO_IMAGE", "EJECTOR_LOST", "WRONG_PULSE"]))
@settings(max_examples=10, deadline=None)
def test_the_gravest_message_comes_first(names: list[str]) -> None:
    """Errors come before warnings, warnings before hints, whatever the station's order."""
    alarms = [pb.Alarm(name=name, since_wall_ns=place) for place, name in enumerate(names)]
    found = words.messages(status(pb.STATE_ERROR, *alarms), TEXTS)
    assert [message.severity for message in found] == [Severity.ERROR, Severity.ERROR, Severity.WARNING, Severity.INFO]


def test_the_lights_follow_the_station() -> None:
    """What is lost, idle or not wired is told apart, in a word and in a shape."""
    lights = words.lights(status(pb.STATE_ERROR, pb.Alarm(name="CAMERA_LOST")), TEXTS)
    assert (lights["camera"].kind, lights["camera"].word) == ("bad", "lost")
    assert (lights["ejector"].kind, lights["ejector"].word) == ("good", "connected")
    starting = words.lights(pb.GetStatusResponse(state=pb.STATE_PREOPERATIONAL), TEXTS)
    assert {light.kind for light in starting.values()} == {"idle"}
    unwired = pb.GetStatusResponse(
        state=pb.STATE_CONTINUOUS_EXECUTION, alarms=[pb.Alarm(name="NO_HEARTBEAT_WIRED")], ejector_connected=False
    )
    lights = words.lights(unwired, TEXTS)
    assert lights["heartbeat"].word == "not wired"
    assert lights["ejector"].kind == "bad"
    dead = pb.GetStatusResponse(state=pb.STATE_CONTINUOUS_EXECUTION, ejector_connected=True)
    assert words.lights(dead, TEXTS)["heartbeat"].kind == "bad"


def _camera_light(*cameras: pb.CameraStatus, changed: str = "") -> words.Light:
    alarms = [pb.Alarm(name="CAMERA_CHANGED", values={"detail": changed})] if changed else []
    return words.lights(pb.GetStatusResponse(state=pb.STATE_ERROR, alarms=alarms, cameras=cameras), TEXTS)["camera"]


def test_the_camera_light_tells_each_camera_that_is_not_well_and_why() -> None:
    """Waiting for parts is no fault; of several cameras the one that is away is named with its cause."""
    top = pb.CameraStatus(name="top", state=pb.CAMERA_STATE_IDLE, cause="silent")  # of a loss that is over
    side = pb.CameraStatus(name="side", state=pb.CAMERA_STATE_LOST, cause="held")
    assert (_camera_light(top).kind, _camera_light(top).word) == ("good", "waits for parts")
    assert (_camera_light(side).kind, _camera_light(side).word) == ("bad", "used elsewhere")
    assert (_camera_light(top, side).kind, _camera_light(top, side).word) == ("bad", "side: used elsewhere")
    running = pb.CameraStatus(name="side", state=pb.CAMERA_STATE_RUNNING)
    assert (_camera_light(top, running).kind, _camera_light(top, running).word) == ("good", "connected")
    assert _camera_light(top, running, changed="side: Gain = 1: the device has 3 now").word == "side: settings changed"
    done = pb.Alarm(name="CAMERA_CHANGED", values={"detail": "side: Gain = 1: the device has 3 now"}, is_over=True)
    written = pb.GetStatusResponse(state=pb.STATE_ERROR, alarms=[done], cameras=[top, running])
    assert words.cameras(written, TEXTS)["side"].word == "sees parts"
    assert words.cameras(pb.GetStatusResponse(cameras=[top]), TEXTS) == {}
    unknown = pb.CameraStatus(name="top", state=pb.CAMERA_STATE_LOST, cause="unknown")
    assert _camera_light(unknown).word == "lost"
    assert len(_camera_light(*(pb.CameraStatus(name=f"c{n}", state=pb.CAMERA_STATE_HUNG) for n in range(8))).word) < 40


def test_rare_reasons_appear_when_they_occur() -> None:
    """The everyday reasons always have a row; the others once they count."""
    counted = pb.GetStatusResponse(rejected_by_reason={"LATE": 2, "SYSTEM": 1, "OPERATOR": 0})
    assert words.reasons(counted) == [("MODEL", 0), ("NO_IMAGE", 0), ("LATE", 2), ("SYSTEM", 1)]


@given(st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_a_percentage_never_rounds_a_doubt_away(share: float) -> None:
    """100 and 0 are said of exactly all and exactly none."""
    shown = words.percent(share)
    assert (shown == "100.0") == (share == 1.0)
    assert (shown == "0.0") == (share == 0.0)


def test_a_defect_without_translation_keeps_its_folder_name() -> None:
    """A type that the trainer invented is shown as it was named."""
    assert words.defect_name("bent_pin", TEXTS) == "bent pin"
    assert words.defect_name("scratch", load_catalogue("ko")) == "긁힘"


def test_large_counts_stay_readable() -> None:
    """Thousands are set apart by a narrow space."""
    assert words.number(1234567) == "1\u202f234\u202f567"

"""A device stands as the configuration says, or everything that it refused is told at once; on real node maps."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pylon_map import emulated_camera
from register_device import Feature, RegisterDevice

from camera.errors import CameraOpenError, Cause
from camera.genicam.clock import latch_clock, ptp_status
from camera.genicam.genapi_nodes import GenapiNodes
from camera.genicam.options import GenicamOptions
from camera.genicam.settings import apply, check, load_user_set, save_user_set
from camera.genicam.writing import Applied

OFF_ON = ("Off", "On")
LINES = ("Line1", "Line2", "Line3")
TRIGGER = {
    "TriggerSelector": Feature(("AcquisitionStart", "FrameStart")),
    "TriggerMode": Feature(OFF_ON, selector="TriggerSelector"),
    "TriggerSource": Feature(("Software", *LINES, "Action1"), selector="TriggerSelector"),
    "TriggerActivation": Feature(("RisingEdge", "FallingEdge", "AnyEdge"), selector="TriggerSelector"),
    "TriggerDelayAbs": Feature("float", selector="TriggerSelector"),
    "LineSelector": Feature(LINES),
    "LineMode": Feature(("Input", "Output"), selector="LineSelector"),
    "LineSource": Feature(("Off", "ExposureActive", "Timer1Active"), selector="LineSelector"),
    "LineDebouncerTimeAbs": Feature("float", most=20_000, selector="LineSelector"),
}


def values(applied: tuple[Applied, ...]) -> dict[str, Any]:
    return {one.feature: one.got for one in applied}


def refused(nodes: Any, **options: Any) -> str:
    with pytest.raises(CameraOpenError) as caught:
        apply(nodes, GenicamOptions(**options), "top")
    assert caught.value.cause is Cause.REFUSED
    return str(caught.value)


@pytest.fixture
def emulated() -> Iterator[GenapiNodes]:
    with emulated_camera() as nodes:
        yield nodes


def test_a_refusal_names_a_command_that_finds_the_camera(emulated: GenapiNodes) -> None:
    """The name of a station's camera alone is none that `cameras show` knows: it stands behind the station's file."""
    told = refused(emulated, features={"NoSuchFeature": 1})
    assert "`lineward cameras show CAMERA` shows what the device can do (CAMERA in a station: FILE:top)" in told


def test_an_emulated_camera_stands_as_the_options_say(emulated: GenapiNodes) -> None:
    """Every setting is in the device's own node map, and a change behind our back is seen."""
    options = GenicamOptions(
        user_set="Default",
        pixel_format="RGB8",
        roi=(8, 16, 640, 480),
        binning=(2, 2),
        reverse_x=True,
        exposure_us=2000.04,
        gain=6,
        black_level=2,
        gamma=1.2,
        frame_rate_hz=50,
        trigger="line",
        trigger_line="Line2",
        trigger_edge="falling",
        trigger_delay_us=100,
        strobe_line="Line3",
        features={"LineSelector": "Line1", "LineInverter": True, "TestImageSelector": "Testimage1"},
    )
    emulated.set("ExposureAuto", "Continuous")
    applied = apply(emulated, options, "top")
    emulated.set("TriggerSelector", "FrameStart")
    stands = {
        "PixelFormat": "RGB8Packed",
        "Width": 640,
        "Height": 480,
        "OffsetX": 8,
        "OffsetY": 16,
        "BinningHorizontal": 2,
        "ReverseX": True,
        "ExposureAuto": "Off",
        "AcquisitionFrameRateEnable": True,
        "TriggerMode": "On",
        "TriggerSource": "Line2",
        "TriggerActivation": "FallingEdge",
        "TriggerDelay": 100,
        "TestImageSelector": "Testimage1",
    }
    assert {name: emulated.get(name) for name in stands} == stands
    assert emulated.get("ExposureTime") == pytest.approx(2000, abs=0.1)
    assert emulated.get("Gain") == pytest.approx(6, abs=0.01)
    for line, mode, inverted in (("Line1", "Input", True), ("Line3", "Output", False)):
        emulated.set("LineSelector", line)
        assert (emulated.get("LineMode"), emulated.get("LineInverter")) == (mode, inverted)
    assert check(emulated, applied) == []
    emulated.set("ExposureTime", 2500.0)
    emulated.set("LineSelector", "Line1")
    emulated.set("LineInverter", False)
    emulated.set("LineSelector", "Line2")
    assert check(emulated, applied) == [
        "ExposureTime = 2000.04: the device has 2500 now",
        "LineInverter = True: the device has False now",
    ]


def test_settings_are_the_same_at_every_open(emulated: GenapiNodes) -> None:
    """What an earlier recipe left behind makes no difference: triggers off, offsets of a smaller window."""
    first = GenicamOptions(roi=(2000, 1000, 640, 480), trigger="software", exposure_us=500)
    second = GenicamOptions(roi=(0, 0, 4096, 4096), exposure_us=700)
    for options, mode in ((first, "On"), (second, "Off"), (first, "On")):
        applied = values(apply(emulated, options, "top"))
        assert (applied["TriggerMode"], applied["Width"]) == (mode, options.roi[2] if options.roi else 0)


def test_all_refusals_come_at_once_with_limits(emulated: GenapiNodes) -> None:
    """One message names each setting, its value, what is allowed and what to do."""
    text = refused(
        emulated,
        exposure_us=5e7,
        gain=99,
        pixel_format="Mono7",
        white_balance=(1, 1, 1),
        chunks=("timestamp",),
        ptp=True,
        trigger="line",
        trigger_line="Line9",
        trigger_debounce_us=3,
        features={"NoSuchThing": 3, "ForceFailedBuffer": 1, "ExposureMode": "Foo"},
    )
    for part in (
        "camera 'top': 12 settings are not taken",
        "exposure_us (ExposureTime) = 50000000",
        "50000000: the device takes no such value — 1 to 10000000",
        "gain (Gain) = 99: the device takes no such value — 0 to 48",
        "pixel_format (PixelFormat) = Mono7",
        "BayerRG12",
        "white_balance (BalanceRatioSelector) = Red",
        "chunks (ChunkSelector) = timestamp: the device sends no such chunk",
        "ptp (PtpEnable) = True: the device has no feature PtpEnable nor GevIEEE1588",
        "trigger (TriggerSource) = Line9",
        "Line1, Line2, Line3",
        "trigger_debounce_us (LineDebouncerTime) = 3",
        "NoSuchThing = 3: the device has no feature",
        "ForceFailedBuffer = 1: it is a command",
        "one of Timed, TriggerWidth",
        "Change them in the configuration",
    ):
        assert part in text


def test_a_user_set_that_is_not_there_is_refused(emulated: GenapiNodes) -> None:
    """The message names those that the device keeps."""
    assert "'UserSet3'" in refused(emulated, user_set="UserSet3")
    assert "one of Default" in refused(emulated, user_set="UserSet3")


def test_a_size_is_exact_and_an_exposure_is_rounded() -> None:
    """A window that is not the wanted one is refused, although it is within the increment; an exposure is not."""
    features = {
        "Width": Feature("integer", 64, 16, 640, step=16),
        "Height": Feature("integer", 64, 16, 480),
        "OffsetX": Feature("integer", 0, 0, 640),
        "OffsetY": Feature("integer", 0, 0, 640),
        "ExposureTimeAbs": Feature("float", 50, 10, 1000),
        "GainRaw": Feature("integer", 0, 0, 100, step=3),
    }
    device = RegisterDevice(features, {"ExposureTimeAbs": lambda device, value: value // 0.4 * 0.4})
    applied = values(apply(device.nodes, GenicamOptions(exposure_us=105, gain=10, roi=(0, 0, 320, 100)), "top"))
    assert applied["ExposureTimeAbs"] == pytest.approx(104.8)
    assert (applied["GainRaw"], applied["Width"]) == (9, 320)
    assert "the device makes 14.8 of it — 10 to 1000" in refused(device.nodes, exposure_us=15)
    text = refused(device.nodes, roi=(0, 0, 321, 100))
    assert "roi (Width) = 321" in text
    assert "16 to 640 in steps of 16" in text
    device = RegisterDevice(features, {"Width": lambda device, value: 304})
    assert "roi (Width) = 305: the device" in refused(device.nodes, roi=(0, 0, 305, 100))
    device = RegisterDevice(features | {"Width": Feature("integer", 64)}, {"Width": lambda device, value: 304})
    assert "roi (Width) = 305: the device makes 304 of it" in refused(device.nodes, roi=(0, 0, 305, 100))


def _sensor(**features: Feature) -> Any:
    """Return the features of a device that takes any region, wherever its sensor ends."""
    region = {name: Feature("integer", 0, 0, 100_000) for name in ("Width", "Height", "OffsetX", "OffsetY")}
    return RegisterDevice(region | features).nodes


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (
            {"WidthMax": Feature("integer", 2048, access="RO")},
            "Width) = 640: with OffsetX it ends at pixel 2640 — WidthM",
        ),
        ({"HeightMax": Feature("integer", 1536, access="RO")}, "Height) = 480: with OffsetY it ends at pixel 2480 — H"),
        (
            {"SensorWidth": Feature("integer", 2048, access="RO"), "Width": Feature("integer", 0, 0, 2048)},
            "pixel 2640 — SensorWidth is 2048 — move it, or make it smaller",
        ),
        ({}, ""),
        ({"SensorHeight": Feature("integer", 2, access="RO")}, ""),  # a line camera stacks as many lines as it is told
    ],
)
def test_a_region_beyond_the_sensor_is_refused_although_the_device_takes_it(
    told: dict[str, Feature], words: str
) -> None:
    """What lies beyond the sensor is black; one that ends with it is well, and so is one of who says nothing."""
    if words:
        text = refused(_sensor(**told), roi=(2000, 2000, 640, 480))
        assert words in text
        assert "1 setting is not taken" in text
        features: dict[str, Any] = {"Width": 640, "Height": 480, "OffsetX": 2000, "OffsetY": 2000}
        assert words.split(") = ")[-1] in refused(_sensor(**told), features=features)
    else:
        apply(_sensor(**told), GenicamOptions(roi=(2000, 2000, 640, 480)), "top")
    apply(_sensor(**told), GenicamOptions(roi=(1408, 1056, 640, 480)), "top")


def test_names_of_older_devices_are_known() -> None:
    """A GigE Vision 1.x camera has the same settings under the names of SFNC 1."""
    device = RegisterDevice(
        TRIGGER
        | {
            "ExposureTimeAbs": Feature("float", 50),
            "GainSelector": Feature(("Red", "All")),
            "GainRaw": Feature("integer", 0, 0, 100, selector="GainSelector"),
            "BlackLevelRaw": Feature("integer", 0, 0, 100),
            "GammaEnable": Feature("boolean"),
            "Gamma": Feature("float", 1, 0, 4),
            "AcquisitionFrameRateEnable": Feature("boolean"),
            "AcquisitionFrameRateAbs": Feature("float", 1, 1, 100),
            "GevIEEE1588": Feature("boolean"),
            "PixelFormat": Feature(("Mono8", "YUV422Packed")),
            "BalanceRatioSelector": Feature(("Red", "Blue")),
            "BalanceRatioAbs": Feature("float", 1, 0, 4, selector="BalanceRatioSelector"),
        }
    )
    options = GenicamOptions(
        exposure_us=123,
        gain=7,
        black_level=3,
        gamma=0.5,
        frame_rate_hz=25,
        ptp=True,
        pixel_format="YUV422_8_UYVY",
        white_balance=(1.5, 1, 2.5),
        trigger="line",
        trigger_line="Line2",
        trigger_debounce_us=10,
        trigger_delay_us=20,
    )
    applied = apply(device.nodes, options, "top")
    for name, at, value in (
        ("ExposureTimeAbs", 0, 123),
        ("GainRaw", 1, 7),
        ("GainRaw", 0, 0),
        ("BlackLevelRaw", 0, 3),
        ("GammaEnable", 0, 1),
        ("Gamma", 0, 0.5),
        ("AcquisitionFrameRateEnable", 0, 1),
        ("AcquisitionFrameRateAbs", 0, 25),
        ("GevIEEE1588", 0, 1),
        ("PixelFormat", 0, 1),
        ("BalanceRatioAbs", 0, 1.5),
        ("BalanceRatioAbs", 1, 2.5),
        ("LineDebouncerTimeAbs", 1, 10),
        ("LineDebouncerTimeAbs", 0, 0),
        ("TriggerDelayAbs", 1, 20),
        ("TriggerMode", 1, 1),
        ("TriggerSource", 1, 2),
    ):
        assert device.loaded(name, at) == value, (name, at)
    assert check(device.nodes, applied) == []
    assert "cannot set Green to 1.1" in refused(device.nodes, white_balance=(1.5, 1.1, 2.5))


def test_no_trigger_of_an_earlier_use_holds_the_pictures_back() -> None:
    """Every trigger but the frame's own is off, whichever was on."""
    device = RegisterDevice(TRIGGER)
    for source, frame_start in (("free_run", 0), ("software", 1)):
        for at in (0, 1):
            device.store("TriggerMode", 1, at)
        apply(device.nodes, GenicamOptions(trigger=source), "top")
        assert [device.loaded("TriggerMode", at) for at in (0, 1)] == [0, frame_start]


AUTOS = {
    "ExposureAuto": Feature(("Off", "Once", "Continuous"), "Continuous"),
    "GainSelector": Feature(("All", "Red", "Blue")),
    "GainAuto": Feature(("Off", "Continuous"), "Continuous", selector="GainSelector"),
    "SharpnessAuto": Feature("boolean", True),
}


def test_automatic_functions_are_switched_off_wherever_they_are() -> None:
    """Those behind a selector at each of its entries, and those that are a switch."""
    device = RegisterDevice(AUTOS)
    apply(device.nodes, GenicamOptions(), "top")
    assert [device.loaded(name) for name in ("ExposureAuto", "SharpnessAuto")] == [0, 0]
    assert [device.loaded("GainAuto", at) for at in range(3)] == [0, 0, 0]


@pytest.mark.parametrize(
    ("features", "on_write", "text"),
    [
        ({"IrisAuto": Feature(("Once", "Continuous"), "Continuous")}, {}, "IrisAuto = Off: it stays Continuous"),
        ({"IrisAuto": Feature(OFF_ON, "On", access="RO")}, {}, "IrisAuto = Off: it stays On"),
        (AUTOS, {"GainAuto": lambda device, value: 1}, "GainAuto = Off: it stays Continuous at GainSelector = Blue"),
        (AUTOS, {"SharpnessAuto": lambda device, value: 1}, "SharpnessAuto = Off: it stays True"),
    ],
)
def test_an_automatic_function_that_stays_on_is_refused(
    features: dict[str, Feature], on_write: dict[str, Callable[..., Any]], text: str
) -> None:
    """No device judges parts while it changes its pictures by itself."""
    assert text in refused(RegisterDevice(features, on_write).nodes)


def test_an_encoder_divides_its_counts() -> None:
    """SFNC's encoder is the source where the device has one, else the line's pulses are divided, else it is refused."""
    encoder = {
        "TriggerSource": Feature(("Software", "Encoder0")),
        "TriggerMode": Feature(OFF_ON),
        "EncoderSelector": Feature(("Encoder0",)),
        "EncoderSourceA": Feature(("Off", *LINES), selector="EncoderSelector"),
        "EncoderDivider": Feature("integer", 1, 1, 1000, selector="EncoderSelector"),
    }
    options = {"trigger": "encoder", "trigger_line": "Line2", "trigger_divider": 25}
    device = RegisterDevice(encoder)
    apply(device.nodes, GenicamOptions(**options), "top")
    assert [device.loaded(name) for name in ("TriggerSource", "EncoderSourceA", "EncoderDivider")] == [1, 2, 25]
    device = RegisterDevice(TRIGGER | {"TriggerDivider": Feature("integer", 1, 1, 1000, selector="TriggerSelector")})
    apply(device.nodes, GenicamOptions(**options), "top")
    assert [device.loaded(name, 1) for name in ("TriggerSource", "TriggerDivider")] == [2, 25]
    assert "neither Encoder0 among its sources nor TriggerDivider" in refused(RegisterDevice(TRIGGER).nodes, **options)


def test_action_keys_are_written_although_they_cannot_be_read() -> None:
    """ActionDeviceKey is write-only in SFNC: it is applied without being compared."""
    keys = {
        "ActionDeviceKey": Feature("integer", most=1 << 31, access="WO"),
        "ActionSelector": Feature("integer", 1, 1, 4),
        "ActionGroupKey": Feature("integer", most=1 << 31, selector="ActionSelector"),
        "ActionGroupMask": Feature("integer", most=1 << 31, selector="ActionSelector"),
    }
    device = RegisterDevice(TRIGGER | keys)
    applied = apply(device.nodes, GenicamOptions(trigger="action", action_keys=(11, 22, 33)), "top")
    assert (device.loaded("ActionDeviceKey"), device.loaded("ActionGroupKey", 1)) == (11, 22)
    assert (device.loaded("ActionGroupMask", 1), device.loaded("TriggerSource", 1)) == (33, 4)
    assert values(applied)["ActionDeviceKey"] is None
    assert check(device.nodes, applied) == []


def test_a_flash_is_lit_by_exposure_timer_or_strobe() -> None:
    """With a delay or length of its own, the device's strobe or timer makes it; else it lasts the exposure."""
    device = RegisterDevice(TRIGGER)
    apply(device.nodes, GenicamOptions(strobe_line="Line3"), "top")
    assert (device.loaded("LineMode", 2), device.loaded("LineSource", 2), device.loaded("LineMode", 1)) == (1, 1, 0)
    timed = GenicamOptions(strobe_line="Line3", strobe_delay_us=5, strobe_duration_us=80)
    timer = {
        "TimerSelector": Feature(("Timer1",)),
        "TimerTriggerSource": Feature(("Off", "ExposureStart"), selector="TimerSelector"),
        "TimerDelay": Feature("float", selector="TimerSelector"),
        "TimerDurationAbs": Feature("float", selector="TimerSelector"),
    }
    device = RegisterDevice(TRIGGER | timer)
    apply(device.nodes, timed, "top")
    assert [device.loaded(name) for name in list(timer)[1:]] == [1, 5, 80]
    assert device.loaded("LineSource", 2) == 2
    strobe = {name: Feature("float", selector="LineSelector") for name in ("StrobeDelay", "StrobeDuration")}
    device = RegisterDevice(TRIGGER | strobe)
    apply(device.nodes, timed, "top")
    assert [device.loaded(name, 2) for name in (*strobe, "LineSource")] == [5, 80, 1]


def test_chunks_are_switched_on_one_by_one() -> None:
    """Each wanted chunk by its selector, the others stay."""
    features = {
        "ChunkModeActive": Feature("boolean"),
        "ChunkSelector": Feature(("Image", "Timestamp", "FrameID", "ExposureTime")),
        "ChunkEnable": Feature("boolean", selector="ChunkSelector"),
    }
    device = RegisterDevice(features)
    apply(device.nodes, GenicamOptions(chunks=("timestamp", "counter")), "top")
    assert device.loaded("ChunkModeActive") == 1
    assert [device.loaded("ChunkEnable", at) for at in range(4)] == [0, 1, 1, 0]
    assert "one of Image, Timestamp" in refused(device.nodes, chunks=("encoder",))


def test_a_setting_that_waits_for_another_is_tried_again() -> None:
    """Here the device takes an exposure only as long as a frame lasts, and the rate is written after it."""
    features = {"ExposureTime": Feature("float", 100), "AcquisitionFrameRate": Feature("float", 1000, 1, 1000)}
    clip = {"ExposureTime": lambda device, value: min(value, 1e6 / device.loaded("AcquisitionFrameRate"))}
    device = RegisterDevice(features, clip)
    applied = values(apply(device.nodes, GenicamOptions(exposure_us=20_000, frame_rate_hz=40), "top"))
    assert applied == {"AcquisitionFrameRate": 40, "ExposureTime": 20_000}
    text = refused(device.nodes, exposure_us=30_000, frame_rate_hz=40)
    assert "exposure_us (ExposureTime) = 30000: the device makes 25000 of it — 0 to 1000000" in text


def test_settings_that_wait_for_each_other_in_a_row_are_tried_until_they_stand() -> None:
    """Each waits for the one that is written after it."""
    names = ("First", "Second", "Third", "Fourth", "Fifth")

    def wait_for(after: str) -> Callable[[RegisterDevice, float], float]:
        return lambda device, value: value if device.loaded(after) == 1 else 0

    waits = {name: wait_for(after) for name, after in itertools.pairwise(names)}
    device = RegisterDevice({name: Feature("float", 0, most=100) for name in names}, waits)
    apply(device.nodes, GenicamOptions(features=dict.fromkeys(names, 1)), "top")
    assert [device.loaded(name) for name in names] == [1] * 5


def test_what_cannot_be_written_and_stands_already_is_as_wanted() -> None:
    """A device with one fixed output, and exposures that are timed whatever is said."""
    fixed = {
        "ExposureMode": Feature(("TriggerWidth", "Timed"), "Timed", access="RO"),
        "Gain": Feature("float", 6, access="RO"),
        "ExposureTime": Feature("float", 10),
    }
    device = RegisterDevice(fixed)
    assert values(apply(device.nodes, GenicamOptions(gain=6, exposure_us=20), "top"))["Gain"] == 6
    assert "gain (Gain) = 7" in refused(device.nodes, gain=7)


def test_what_would_take_other_pictures_is_set_along() -> None:
    """One picture only, an exposure as long as the trigger, an input that is an output: left over, and put right."""
    device = RegisterDevice(
        TRIGGER
        | {
            "AcquisitionMode": Feature(("SingleFrame", "Continuous")),
            "ExposureMode": Feature(("TriggerWidth", "Timed")),
            "ExposureTime": Feature("float", 10),
        }
    )
    device.store("LineMode", 1, 1)
    apply(device.nodes, GenicamOptions(exposure_us=20, trigger="line", trigger_line="Line2"), "top")
    assert [device.loaded(name) for name in ("AcquisitionMode", "ExposureMode")] == [1, 1]
    assert device.loaded("LineMode", 1) == 0


def test_a_setting_that_a_later_one_undoes_is_refused() -> None:
    """What stood when it was written is read a second time at the end."""

    def halve(device: RegisterDevice, value: float) -> float:
        device.store("ExposureTime", 50)
        return value

    features = {"ExposureTime": Feature("float", 100), "Gamma": Feature("float", 1, 0, 4)}
    text = refused(RegisterDevice(features, {"Gamma": halve}).nodes, exposure_us=200, gamma=2)
    assert "exposure_us (ExposureTime) = 200: the device has 50 now, after the other settings" in text


def test_the_last_word_on_a_feature_holds() -> None:
    """A trigger that could not be switched off first, and could be switched on, is on."""
    device = RegisterDevice(TRIGGER, {"TriggerMode": lambda device, value: 1})
    device.store("TriggerMode", 0, 0)
    assert values(apply(device.nodes, GenicamOptions(trigger="software"), "top"))["TriggerMode"] == "On"


def test_user_sets_are_loaded_first_and_saved_by_name() -> None:
    """What the options say comes after what the device kept."""
    features = {
        "UserSetSelector": Feature(("Default", "UserSet1")),
        "UserSetLoad": Feature("command"),
        "UserSetSave": Feature("command"),
        "ExposureTime": Feature("float", 100),
        "Gamma": Feature("float", 1, 0, 4),
    }
    kept = {0: 1.0, 1: 2.0}

    def load(device: RegisterDevice, value: float) -> None:
        device.store("Gamma", kept[int(device.loaded("UserSetSelector"))])
        device.store("ExposureTime", 999)

    def save(device: RegisterDevice, value: float) -> None:
        kept[int(device.loaded("UserSetSelector"))] = device.loaded("Gamma")

    device = RegisterDevice(features, {"UserSetLoad": load, "UserSetSave": save})
    apply(device.nodes, GenicamOptions(user_set="UserSet1", exposure_us=50), "top")
    assert (device.loaded("Gamma"), device.loaded("ExposureTime")) == (2, 50)
    device.store("Gamma", 3)
    save_user_set(device.nodes, "Default", "top")
    device.store("Gamma", 0)
    load_user_set(device.nodes, "Default", "top")
    assert device.loaded("Gamma") == 3
    with pytest.raises(CameraOpenError, match="keeps no user sets"):
        load_user_set(RegisterDevice(TRIGGER).nodes, "Default", "top")


def test_the_clock_is_latched_by_new_and_old_names() -> None:
    """Nanoseconds as they are, ticks by their frequency; a device without one that ticks has none."""

    def latch(value_name: str) -> Callable[[RegisterDevice, float], None]:
        return lambda device, value: device.store(value_name, device.loaded(value_name) + 1000)

    new = {
        "TimestampLatch": Feature("command"),
        "TimestampLatchValue": Feature("integer", 5000, most=1 << 60, access="RO"),
    }
    device = RegisterDevice(new, {"TimestampLatch": latch("TimestampLatchValue")})
    assert [latch_clock(device.nodes) for _ in range(2)] == [6000, 7000]
    old = {
        "GevTimestampControlLatch": Feature("command"),
        "GevTimestampValue": Feature("integer", 0, most=1 << 60, access="RO"),
        "GevTimestampTickFrequency": Feature("integer", 125_000_000, most=1 << 40, access="RO"),
    }
    device = RegisterDevice(old, {"GevTimestampControlLatch": latch("GevTimestampValue")})
    assert latch_clock(device.nodes) == 8000
    device.store("GevTimestampTickFrequency", 0)
    assert latch_clock(device.nodes) is None
    assert latch_clock(RegisterDevice(TRIGGER).nodes) is None


def test_the_state_of_ptp_is_asked_for() -> None:
    """The data set is latched, then read; under both names; None without PTP."""
    for latch, status in (("PtpDataSetLatch", "PtpStatus"), ("GevIEEE1588DataSetLatch", "GevIEEE1588Status")):
        features = {latch: Feature("command"), status: Feature(("Listening", "Slave"), access="RO")}
        device = RegisterDevice(features, {latch: lambda device, value, status=status: device.store(status, 1)})
        assert ptp_status(device.nodes) == "Slave"
    assert ptp_status(RegisterDevice(TRIGGER).nodes) is None


def test_what_a_device_lacks_and_nobody_wants_is_no_trouble() -> None:
    """A camera without binning, mirror and offsets stands as wanted where none is wanted; else it is refused."""
    device = RegisterDevice({"Width": Feature("integer", 64), "Height": Feature("integer", 48)})
    plain = GenicamOptions(binning=(1, 1), roi=(0, 0, 64, 48), reverse_x=False, reverse_y=False)
    assert values(apply(device.nodes, plain, "top")) == {"Width": 64, "Height": 48}
    text = refused(device.nodes, binning=(1, 2), roi=(0, 4, 64, 48), reverse_x=True)
    for feature in ("BinningVertical", "OffsetY", "ReverseX"):
        assert f"no feature {feature}" in text
    assert "3 settings" in text


def test_a_line_cannot_be_input_and_output() -> None:
    """The flash does not light on the wire of the photo-eye."""
    with pytest.raises(ValueError, match="name another one for the flash"):
        GenicamOptions(trigger="line", trigger_line="Line2", strobe_line="Line2")
    assert GenicamOptions(trigger="software", trigger_line="Line2", strobe_line="Line2").strobe_line == "Line2"


def test_reading_back_moves_no_selector_without_need() -> None:
    """A selector that stands where it should is not written: it may be locked while pictures are taken."""
    writes: list[float] = []
    device = RegisterDevice(TRIGGER, {"TriggerSelector": lambda device, value: (writes.append(value), value)[1]})
    applied = apply(device.nodes, GenicamOptions(trigger="software"), "top")
    writes.clear()
    assert check(device.nodes, applied) == []
    assert writes == []

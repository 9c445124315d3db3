"""The configuration: one file, every problem in one text."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError

from camera.backends import BACKENDS, options_model
from inspection.config import config_digest, load_config, parse_config
from inspection.config.advice import advice
from inspection.config.example import EXAMPLE
from inspection.config.promises import unkept_promises
from inspection.config.reality import missing_here
from inspection.config.section import kinds_of
from inspection.config.sections import ModelSection
from inspection.config.spacing import part_spacing_ms, spacing_advice
from inspection.errors import ConfigError

MINIMAL = """
[camera]
backend = "simulated"
[geometry]
travel_time_s = 1.0
[ejector]
driver = "simulated"
"""


def test_the_example_is_a_station() -> None:
    """What `config example` prints can be run as it is."""
    config = parse_config(EXAMPLE, "example")
    assert config.geometry.travel_s == 1.0
    assert config.camera.options == {"speed_mm_s": 300.0, "pitch_mm": 60.0}


def test_every_problem_is_listed_together() -> None:
    """Unknown keys with a suggestion, wrong types, values out of bounds and missing tables come in one error."""
    text = """
    [station]
    nmae = "x"
    [camera]
    backend = "simulated"
    speed = 3
    pitch_mm = -1
    [inference]
    max_batch = "many"
    [geometry]
    camera_to_ejector_mm = 10
    """
    with pytest.raises(ConfigError) as caught:
        parse_config(text, "line.toml")
    message = str(caught.value)
    assert message.startswith("line.toml: 6 problems:")
    for fragment in (
        "station.nmae: unknown key; did you mean 'name'?",
        "camera.speed: unknown key",
        "camera.pitch_mm: is -1 — more than 0 is allowed — raise it",
        "inference.max_batch: ",
        "is 'many' — a whole number is needed — write it without quotes",
        "geometry: give camera_to_ejector_mm and belt_speed_mm_s, or travel_time_s",
        "ejector: missing",
    ):
        assert fragment in message
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("change", "fragment"),
    [
        ('backend = "gige"', "camera backend 'gige' is unknown; known are aravis, conveyor, genicam, pylon, replay"),
        ("backend = 3", "camera.backend: "),
        ("", "camera.backend: missing"),
    ],
)
def test_a_camera_that_does_not_exist_is_named(change: str, fragment: str) -> None:
    """The backend is checked by name, and its options by its own model."""
    with pytest.raises(ConfigError) as caught:
        parse_config(MINIMAL.replace('backend = "simulated"', change), "line.toml")
    assert fragment in str(caught.value)


def test_a_camera_that_is_no_table_is_one_problem() -> None:
    """`camera = 5` is told like every other wrong type."""
    with pytest.raises(ConfigError, match="camera: "):
        parse_config('camera = 5\n[geometry]\ntravel_time_s=1\n[ejector]\ndriver="simulated"', "line.toml")


def test_text_that_is_not_toml_is_refused(tmp_path: Path) -> None:
    """The line of the mistake is named; a missing file and a binary one are, too."""
    with pytest.raises(ConfigError, match="not TOML"):
        parse_config("[camera", "line.toml")
    with pytest.raises(ConfigError, match="no such file"):
        load_config(tmp_path / "absent.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read as text"):
        load_config(tmp_path / "binary.toml")


def test_the_digest_covers_values_and_not_their_order() -> None:
    """The same station has the same digest, another threshold another one."""
    swapped = '[ejector]\ndriver = "simulated"\n[geometry]\ntravel_time_s = 1\n[camera]\nbackend = "simulated"\n'
    assert config_digest(parse_config(MINIMAL, "a")) == config_digest(parse_config(swapped, "b"))
    other = MINIMAL + "[model]\nthreshold = 0.25\n"
    assert config_digest(parse_config(MINIMAL, "a")) != config_digest(parse_config(other, "b"))


def test_a_geometry_without_time_to_decide_is_refused() -> None:
    """An ejector closer than its own lead time can never get a verdict in time."""
    config = parse_config(MINIMAL.replace("1.0", "0.02"), "a")
    with pytest.raises(ValueError, match="move the ejector away"):
        config.geometry.geometry(config.ejector, ejector_lead_ns=20_000_000)


def test_a_reject_takes_behind_what_its_pulse_reaches_unless_told_otherwise() -> None:
    """The reach of a reject is its pulse and its window, in the unit of the motion; a gate's release reaches nobody."""
    config = parse_config(MINIMAL + "pulse_ms = 30\nwindow_ms = 5\n", "a")
    assert config.geometry.geometry(config.ejector, 0).takes_behind == 35_000_000
    alone = parse_config(MINIMAL.replace("= 1.0", "= 1.0\nseparation_ms = 0"), "a")
    assert alone.geometry.geometry(alone.ejector, 0).takes_behind == 0
    gate = parse_config(MINIMAL + 'mode = "positive_release"\n', "a")
    assert gate.geometry.geometry(gate.ejector, 0).takes_behind == 0


def test_lengths_are_counts_where_an_encoder_follows_the_belt() -> None:
    """300 mm at 10 counts a millimetre are 3,000 counts, whatever the speed."""
    text = MINIMAL.replace(
        "travel_time_s = 1.0", "camera_to_ejector_mm = 300\nbelt_speed_mm_s = 500\nencoder_counts_per_mm = 10"
    ).replace('driver = "simulated"', 'driver = "simulated_controller"')
    config = parse_config(text, "a")
    assert config.geometry.geometry(config.ejector, 0).travel == 3000
    with pytest.raises(ConfigError, match="its highest speed"):
        parse_config(MINIMAL.replace("= 1.0", "= 1.0\nencoder_counts_per_mm = 10"), "a")


def test_several_cameras_are_listed() -> None:
    """One [camera] or several [[camera]]; the first sees each part first, and no name comes twice."""
    several = MINIMAL.replace("travel_time_s = 1.0", "camera_to_ejector_mm = 300\nbelt_speed_mm_s = 500").replace(
        "[camera]", '[[camera]]\nname = "top"\nbackend = "simulated"\n[[camera]]\nname = "side"\nposition_mm = 40'
    )
    config = parse_config(several, "a")
    assert [camera.name for camera in config.cameras] == ["top", "side"]
    assert config.camera.name == "top"
    assert config.cameras[1].options == {"position_mm": 40.0}
    with pytest.raises(ConfigError, match="cameras are named top, top"):
        parse_config(several.replace("side", "top"), "a")
    with pytest.raises(ConfigError, match=r"camera\.1\.pitch_mm: is -1 — more than 0 is allowed"):
        parse_config(several.replace("position_mm = 40", "pitch_mm = -1"), "a")


MANY = "".join(f'[[camera]]\nname = "c{number}"\nbackend = "simulated"\n' for number in range(9))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("[camera]", "camera = 'x'\n[spare]", "camera: is 'x' — a table is needed — write [camera], or [[camera]]"),
        ('[camera]\nbackend = "simulated"\n', MANY, "camera: there are 9 cameras — 1 to 8 are allowed — leave some"),
        ("[camera]", "[camera]\nregion = 5", "camera.region: is 5 — a table is needed — write {x = 0"),
        (
            "[camera]",
            "[camera]\nregion = {width = 0, height = 9}",
            "camera.region.width: is 0 — more than 0 is allowed",
        ),
        ("[camera]", "[camera]\nname = 'a b'", "camera.name: is 'a b' — 1 to 64 letters, digits, _ . or - are allowed"),
        ("[camera]", "[plc]\naddress = 'here'\n[camera]", "plc.address: is 'here' — tcp: host:port to listen on"),
        (
            "[camera]",
            "[page]\nlanguage = 'de'\n[camera]",
            "page.language: is 'de' — allowed is 'en' or 'ko' — choose one",
        ),
        (
            "[camera]",
            "[api]\naddress = 'here'\n[camera]",
            "  api.address 'here': is no address — host:port with a port",
        ),
        ("[camera]", "[page]\nenabled = 'maybe'\n[camera]", "page.enabled: is 'maybe' — true or false is needed"),
        ("[camera]", "[station]\nname = 7\n[camera]", "station.name: is 7 — text is needed — put it in quotes"),
        ("[camera]", "model = 3\n[camera]", "model: is 3 — a table is needed"),
        ("[camera]", "[fusion]\nrule = 'most'\n[camera]", "fusion.rule: is 'most' — allowed is 'any' or 'weighted'"),
    ],
)
def test_each_problem_names_value_limit_and_next_step(old: str, new: str, told: str) -> None:
    """No word of the validator is left, and each problem is told once."""
    with pytest.raises(ConfigError) as caught:
        parse_config(MINIMAL.replace(old, new), "a")
    message = str(caught.value)
    assert told in message
    assert not [word for word in ("Input", "should", "pattern '", "valid") if word in message]


def test_cameras_have_one_name_in_the_file() -> None:
    """[cameras] is an unknown key that points to [camera]: its backend's options were checked by nobody."""
    for table in ("[cameras]", "[[cameras]]", "[camra]"):
        text = MINIMAL.replace("[camera]", table).replace('"simulated"\n[geo', '"simulated"\nspede = 1\n[geo')
        with pytest.raises(ConfigError) as caught:
            parse_config(text, "a")
        assert f"{table.strip('[]')}: unknown key; did you mean 'camera'?" in str(caught.value)
        assert "camera: missing" in str(caught.value)


SIDE = '\n[[camera]]\nname = "side"\nbackend = "simulated"'
DISTANCE = "camera_to_ejector_mm = 300\nbelt_speed_mm_s = 500"


@pytest.mark.parametrize(
    ("camera", "geometry", "fragment"),
    [
        ("", "travel_time_s = 1.0\n[free_run]\npart_length_px = 100", "runs free; set camera.backend"),
        ('backend = "conveyor"', "travel_time_s = 1.0", "[free_run] must say how long a part is"),
        ("position_mm = 20", "travel_time_s = 1.0", "needs distance and speed"),
        ("position_mm = 400", DISTANCE, "looks at 400 mm, but the ejector is at 300 mm"),
        ("position_mm = 40\nspeed_mm_s = 300", DISTANCE, "runs at 300 mm/s, [geometry] says 500 mm/s"),
        ("frames = 2", DISTANCE, "backend simulated has one picture for each trigger"),
        ("weight = 2", DISTANCE, "a part has one view; leave both out"),
        ("", f"{DISTANCE}\n[fusion]\nrule = 'weighted'", "a part has one view; leave both out"),
        ("window_ms = 3", DISTANCE, "window_ms of camera 'top' has no effect: it gives the triggers"),
        (
            f"{SIDE}\ntransfer_ms = 300",
            DISTANCE,
            "camera 'side': transfer_ms = 300 says that each frame comes later than",
        ),
        (f"weight = 2{SIDE}", DISTANCE, "weight of camera top has no effect with [fusion] rule any"),
        (SIDE, f"{DISTANCE}\n[fusion]\nthreshold = 0.3", "[fusion] threshold 0.3 has no effect with rule any"),
        ('trigger = "software"\nframes = 2', DISTANCE, "each trigger makes one frame"),
        ('trigger = "software"\npaced = false', DISTANCE, "each says when a part comes; leave one out"),
        ('trigger = "software"', f"{DISTANCE}\n[free_run]\npart_length_px = 100", "leave out camera.trigger"),
        ('backend = "replay"\npath = "a"\nrate_hz = 5\ntrigger = "software"', DISTANCE, "leave one out"),
    ],
)
def test_sections_that_contradict_each_other_are_refused(camera: str, geometry: str, fragment: str) -> None:
    """What could never judge a part is told when the file is read, not by rejects on the line."""
    backend = 'backend = "simulated"'
    text = MINIMAL.replace("[camera]", "[[camera]]").replace(
        backend, camera if camera.startswith("backend") else f"{backend}\n{camera}"
    )
    text = text.replace("travel_time_s = 1.0", geometry)
    with pytest.raises(ConfigError) as caught:
        parse_config(text, "a")
    assert fragment in str(caught.value)


@pytest.mark.parametrize(
    ("sections", "fragment"),
    [
        ("[page]\nport = 50051", "api.address 127.0.0.1:50051 and page.port 50051 have the same port"),
        ("[plc]\nenabled = true\naddress = '0.0.0.0:8080'", "page.port 8080 and plc.address 0.0.0.0:8080"),
        ("[plc]\nenabled = true\naddress = '0.0.0.0:50051'", ":50051 and plc.address 0.0.0.0:50051 have the same"),
    ],
)
def test_each_listener_has_a_port_of_its_own(sections: str, fragment: str) -> None:
    """The second one could not listen; a port of 0 and a section that is off collide with nothing."""
    with pytest.raises(ConfigError) as caught:
        parse_config(MINIMAL + sections, "a")
    assert fragment in str(caught.value)
    parse_config(MINIMAL + "[page]\nport = 0\n[api]\naddress = '127.0.0.1:0'", "a")
    parse_config(MINIMAL + "[page]\nport = 50051\n[api]\nenabled = false", "a")


def test_a_plc_and_an_ejector_never_share_a_serial_port(tmp_path: Path) -> None:
    """Also where one of them is named by a link, as those below /dev/serial/by-id are."""
    (tmp_path / "by-id").symlink_to(tmp_path / "tty")
    text = MINIMAL.replace('"simulated"\n', '"lcus"\n').replace('backend = "lcus"', 'backend = "simulated"')
    text += f'port = "{tmp_path}/tty"\n[plc]\nenabled = true\ntransport = "rtu"\nport = "{tmp_path}/%s"'
    with pytest.raises(ConfigError, match=r"plc\.port .* and ejector\.port .* are the same"):
        parse_config(text % "by-id", "a")
    parse_config(text % "another", "a")


def test_contradictions_are_told_one_by_one() -> None:
    """Two of them are two problems, each in its own line."""
    several = MINIMAL.replace("[camera]", "[[camera]]").replace("[geometry]", f"weight = 3{SIDE}\n[geometry]")
    with pytest.raises(ConfigError) as caught:
        parse_config(several.replace('"side"', '"top"'), "a")
    assert str(caught.value).startswith("a: 2 problems:\n  cameras are named top, top; ")


def _advice(text: str) -> str:
    return "; ".join(spacing_advice(parse_config(text, "a")))


def test_pulses_are_held_against_the_distance_of_parts() -> None:
    """Where the file says how close parts come, what a reject takes along is told before the line runs."""
    closest = MINIMAL.replace("= 1.0", "= 1.0\nclosest_ms = {}") + "pulse_ms = 30\nwindow_ms = 20\n"
    assert "every 50 ms (geometry.closest_ms), but a reject reaches 50 ms" in _advice(closest.format(50))
    assert "it can take 3 neighbours along" in _advice(closest.format(20))
    assert _advice(closest.format(51)) == ""
    gate = closest + 'mode = "positive_release"\n'
    assert "set window_ms below 20, or parts further apart" in _advice(gate.format(40))
    assert _advice(gate.format(41)) == ""


def test_the_distance_of_parts_comes_from_the_camera_where_it_knows() -> None:
    """A simulated belt and a replay at a rate say how close parts come; a recording with its own times does not."""
    belt = MINIMAL.replace('"simulated"\n[g', '"simulated"\nspeed_mm_s = 100\npitch_mm = 10\njitter_mm = 1\n[g')
    assert part_spacing_ms(parse_config(belt, "a")) == (
        80.0,
        "pitch_mm, jitter_mm and speed_mm_s of the simulated belt",
    )
    replay = MINIMAL.replace('"simulated"\n[g', '"replay"\npath = "x"\nrate_hz = 40\n[g')
    assert part_spacing_ms(parse_config(replay, "a")) == (25.0, "camera.rate_hz")
    assert "set geometry.closest_ms" in _advice(replay.replace("rate_hz = 40\n", ""))


def test_a_separation_that_leaves_out_what_a_pulse_hits_breaks_a_promise() -> None:
    """The neighbour would be recorded as passed, and lie in the bin."""
    text = MINIMAL.replace("= 1.0", "= 1.0\nclosest_ms = 40\nseparation_ms = 0") + "pulse_ms = 30\nwindow_ms = 20\n"
    assert any(one.startswith("promise 3") for one in unkept_promises(parse_config(text, "a")))
    assert not any(one.startswith("promise 3") for one in unkept_promises(parse_config(text.replace("40", "60"), "a")))


def test_a_threshold_that_lets_bad_parts_pass_is_told_wherever_it_stands() -> None:
    """That of the model, of a camera, of the weighted views: the one that decides."""

    def told(text: str) -> str:
        return "; ".join(one for one in unkept_promises(parse_config(text, "a")) if "bad parts pass" in one)

    top, model = MINIMAL.replace("[geometry]", "threshold = 1.0\n[geometry]"), "[model]\nthreshold = 1.0\n"
    assert told(MINIMAL) == told(MINIMAL + "[model]\nthreshold = 0.99\n") == ""
    assert told(MINIMAL + model).startswith("model.threshold is 1: ")
    assert told(top).startswith("threshold of camera 'top' is 1: ")
    assert told(top.replace("1.0\n[geo", "0.5\n[geo") + model) == ""
    two = MINIMAL.replace("[camera]", "[[camera]]").replace("[geometry]", f"{SIDE}\n[geometry]")
    assert told(f"{two}{model}[fusion]\nrule = 'weighted'\nthreshold = 0.5\n") == ""
    assert told(f"{two}[fusion]\nrule = 'weighted'\nthreshold = 1.0\n").startswith("fusion.threshold is 1: ")


def test_a_threshold_that_does_not_decide_is_told() -> None:
    """Weighted scores are held against one threshold."""
    text = MINIMAL.replace("[camera]", "[[camera]]").replace("[geometry]", f"threshold = 0.3{SIDE}\n[geometry]")
    weighted = parse_config(text + "[fusion]\nrule = 'weighted'\n", "a")
    assert "threshold of camera top only says" in "; ".join(advice(weighted))
    assert "threshold of camera" not in "; ".join(advice(parse_config(text, "a")))


def _free_running(camera: str) -> str:
    text = f'{camera}\n[model]\nbundle = "b"\n[geometry]\ntravel_time_s = 1.0\n[ejector]\nheartbeat_channel = 2\n'
    return "; ".join(unkept_promises(parse_config(text, "a")))


def test_a_free_running_camera_is_told_what_it_cannot_promise() -> None:
    """Without a trigger each picture is a part; without a counter a lost one is not known. A trigger keeps both."""
    usb = _free_running('[camera]\nbackend = "uvc"')
    assert "each of its pictures counts as one part" in usb
    assert "a picture that is lost on the way is not known" in usb
    rtsp = _free_running('[camera]\nbackend = "rtsp"\nurl = "rtsp://10.0.0.2/a"\n[free_run]\npart_length_px = 100')
    assert "counts as one part" not in rtsp
    assert "its stream has no counter" in rtsp
    assert "counts as one part" in _free_running('[camera]\nbackend = "aravis"')
    assert _free_running('[camera]\nbackend = "aravis"\ntrigger = "line"') == ""


def test_a_driver_in_the_stations_own_process_is_told_of() -> None:
    """Of any camera, not only the first; one in a process of its own is ended when it hangs, and needs no word."""
    pylon = '[[camera]]\nbackend = "pylon"\nname = "side"\ntrigger = "line"\nposition_mm = 5\nown_process = {}\n'
    text = (
        '[[camera]]\nbackend = "aravis"\ntrigger = "line"\n{}[model]\nbundle = "b"\n'
        "[geometry]\ncamera_to_ejector_mm = 500\nbelt_speed_mm_s = 500\n[ejector]\nchannel = 1\nheartbeat_channel = 2\n"
    )
    told = {value: unkept_promises(parse_config(text.format(pylon.format(value)), "a")) for value in ("true", "false")}
    assert told["true"] == []
    (one,) = told["false"]
    assert one.startswith("camera 'side' (pylon) has own_process = false: ")


@pytest.mark.parametrize(
    ("camera", "is_told"),
    [
        ('backend = "uvc"', True),
        ('backend = "uvc"\npixel_format = "MJPG"', True),
        ('backend = "uvc"\npixel_format = "YUYV"', False),
        ('backend = "rtsp"\nurl = "rtsp://10.0.0.2/a"', True),
        ('backend = "aravis"', False),
    ],
)
def test_a_camera_whose_pictures_cannot_be_proved_whole_is_told_of(camera: str, is_told: bool) -> None:
    """Decoders patch what was damaged inside: each camera that sends compressed pictures is named, the second, too."""
    sentence = "a picture that was damaged inside on its way may be decoded"
    assert (sentence in _free_running(f"[camera]\n{camera}")) is is_told
    both = f'[[camera]]\nbackend = "aravis"\n[[camera]]\nname = "side"\n{camera}'
    assert (sentence in _free_running(both)) is is_told


@pytest.mark.parametrize("further", [2, 8])
def test_a_further_camera_that_runs_free_is_told_what_it_cannot_promise(further: int) -> None:
    """Its pictures come at moments of their own, whichever of the cameras it is; a triggered one keeps each."""
    cameras = [f'[[camera]]\nname = "c{one}"\nbackend = "aravis"\ntrigger = "line"' for one in range(further)]
    assert _free_running("\n".join(cameras)) == ""
    cameras[-1] = cameras[-1].replace('"line"', '"free_run"') + "\nwindow_ms = 7"
    said = _free_running("\n".join(cameras))
    assert said.count("runs free") == 1
    assert f"camera 'c{further - 1}' (aravis) runs free" in said
    assert "window_ms = 7" in said


def test_a_driver_whose_library_is_missing_is_named_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """`config check` says what is to be installed before the station is started."""
    missing = replace(BACKENDS["aravis"], system_library="a-library-that-nobody-has")
    monkeypatch.setitem(BACKENDS, "aravis", missing)
    config = parse_config('[camera]\nbackend = "aravis"\n[geometry]\ntravel_time_s = 1.0\n[ejector]\nchannel = 1', "a")
    assert any("camera 'top'" in one and "apt install libaravis-0.8-0" in one for one in missing_here(config))


def test_the_real_camera_of_the_example_can_be_used_as_it_is() -> None:
    """The lines of the example that are to be uncommented are options that the backend has."""
    lines = EXAMPLE[EXAMPLE.index("# A real camera") :].split("# producer")[0].splitlines()[2:]
    camera = "\n".join(line.removeprefix("# ") for line in lines)
    config = parse_config(f"[camera]\n{camera}\n[geometry]\ntravel_time_s = 1.0\n[ejector]\nchannel = 1", "a")
    assert (config.camera.backend, config.camera.options["strobe_line"]) == ("aravis", "Line2")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('engine = "kserve"', "belong together"),
        ('engine = "openvino"\n[inference.remote]\naddress = "ai:8001"', "belong together"),
        ('engine = "kserve"\n[inference.remote]\naddress = "ai"', "address"),
        ('engine = "kserve"\n[inference.remote]\naddress = "ai:8001"\ntimeout_ms = 2000.0', "timeout_ms"),
        ('engine = "kserve"\n[inference.remote]\naddress = "ai:8001"\nca_file = "ca.pem"', "tls = true"),
        (
            'engine = "kserve"\n[inference.remote]\naddress = "ai:8001"\ntls = true\ncert_file = "me.pem"',
            "key_file belong together",
        ),
    ],
)
def test_a_server_for_the_model_must_be_told_wholly(text: str, told: str) -> None:
    """An engine without its server, a server that is not used, and TLS by halves are refused with what to do."""
    with pytest.raises(ConfigError, match=told):
        parse_config(f"{MINIMAL}[inference]\n{text}\n", "line.toml")


def test_a_server_for_the_model_has_bounded_defaults() -> None:
    """The address is enough."""
    config = parse_config(f'{MINIMAL}[inference]\nengine = "kserve"\n[inference.remote]\naddress = "ai:8001"\n', "x")
    assert config.inference.remote is not None
    assert (config.inference.remote.timeout_ms, config.inference.remote.tls) == (200.0, False)


@pytest.mark.parametrize("value", [True, "0.4"])
def test_a_number_is_a_number(value: object) -> None:
    """`threshold = true` would be 1.0, and reject nothing; a number in quotes is none either."""
    with pytest.raises(ValidationError, match="a number is needed"):
        ModelSection.model_validate({"bundle": "zoo:parts", "threshold": value})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[records]\ndir = "a\\u0000b"', "records.dir: is 'a\\x00b' — it holds '\\x00', and only what prints"),
        ('[records]\ndir = "a\\nb"', "records.dir: is 'a\\nb' — it holds '\\n', and only what prints on one line"),
        ('[records]\ndir = ""', "records.dir: is '' — a path is needed — write one"),
        ('[log]\nfile = " "', "log.file: is ' ' — a path is needed — write one"),
        ('[plant]\npassword_file = ""', "plant.password_file: is '' — a path is needed"),
        ('[model]\nbundle = "a\\tb"', "model.bundle: is 'a\\tb' — it holds '\\t'"),
        ("[records]\nmin_free_mb = true", "records.min_free_mb: is True — a whole number is needed — write it without"),
        ('[records]\ncommit_linger_ms = "10"', "records.commit_linger_ms: is '10' — a number is needed"),
        ("[records]\ncommit_linger_ms = nan", "records.commit_linger_ms: is nan — a finite number is needed"),
        ("[inference]\nmax_batch = inf", "inference.max_batch: is inf — a finite number is needed"),
        ("[model]\nthreshold = true", "model.threshold: is True — a number is needed"),
    ],
)
def test_each_value_is_fit_for_its_key(text: str, told: str) -> None:
    """A path can be written to, and a number counts something, in whichever table; each is one problem."""
    with pytest.raises(ConfigError) as caught:
        parse_config(f"{MINIMAL}{text}\n", "line.toml")
    assert told in str(caught.value)
    assert str(caught.value).startswith("line.toml: 1 problem:")


@pytest.mark.parametrize("backend", sorted(BACKENDS))
@pytest.mark.parametrize("is_listed", [False, True])
def test_numbers_of_every_camera_backend_are_numbers(backend: str, is_listed: bool) -> None:
    """`speed_mm_s = true` would be 1 mm/s; the same holds for every number of every backend."""
    fields = options_model(backend).model_fields
    numbers = [name for name, field in fields.items() if kinds_of(field.annotation) <= {int, float, type(None)}]
    assert numbers
    table, place = ("[[camera]]", "camera.0") if is_listed else ("[camera]", "camera")
    for value, shown in (("true", "True"), ('"300"', "'300'"), ("nan", "nan"), ("-inf", "-inf")):
        lines = "".join(f"{name} = {value}\n" for name in numbers)
        with pytest.raises(ConfigError) as caught:
            parse_config(f'{table}\nbackend = "{backend}"\n{lines}[geometry]\ntravel_time_s = 1\n[ejector]\n', "a")
        for name in numbers:
            assert str(caught.value).count(f"{place}.{name}: is {shown} — ") == 1, (name, str(caught.value))


def test_a_replayed_path_is_one() -> None:
    """An empty path would be the folder in which the station was begun."""
    with pytest.raises(ConfigError, match=r"camera\.path: is '' — a path is needed"):
        parse_config(MINIMAL.replace('"simulated"\n[geom', '"replay"\npath = ""\n[geom'), "a")

"""`lineward cameras tune` in a real browser, with a GigE Vision camera that speaks the real protocol on loopback."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tomllib
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from gige import FakeProcess, network, require_aravis
from playwright.sync_api import Browser, Page, expect

from camera.backends import make_camera

pytestmark = pytest.mark.browser

REPOSITORY = Path(__file__).resolve().parents[2]
SERIAL = "TUNE1"
BOUND_S = 60.0
STATION = """\
[camera]
name = "top"
backend = "aravis"
device = "127.0.0.1"
exposure_us = 5000.0   # as on the first day
frame_rate_hz = 20.0

[model]
bundle = "zoo:parts"

[geometry]
camera_to_ejector_mm = 400.0
belt_speed_mm_s = 300.0

[ejector]
driver = "simulated"
channel = 1
"""
NEW_PICTURE = "was => document.querySelector('.lw-live-picture').dataset.number > Number(was) + 2"
COVERED = """notice => {
    const at = document.querySelector(notice).getBoundingClientRect();
    return [...document.querySelectorAll('input, button, .lw-live-picture, .lw-toml, .lw-sharp')].filter(other => {
        const own = other.getBoundingClientRect();
        return own.left < at.right && at.left < own.right && own.top < at.bottom && at.top < own.bottom;
    }).map(other => other.className);
}"""
SHOWN = "document.querySelector('.lw-live-picture')?.naturalWidth > 0"


_RUNNING: list[subprocess.Popen[str]] = []


class TuneProcess:
    """`lineward cameras tune` as somebody at the line runs it."""

    def __init__(self, folder: Path, *words: str) -> None:
        command = [sys.executable, "-m", "inspection.cli.main", "cameras", "tune", *words, "--port", "0"]
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        self.process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        _RUNNING.append(self.process)
        assert self.process.stdout is not None
        said = self.process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+", said)
        assert found is not None, (said, self.process.communicate(timeout=BOUND_S)[1])
        self.url = found.group(0)

    def end(self, number: int = signal.SIGINT) -> None:
        """End it as Ctrl-C does: without an error."""
        self.process.send_signal(number)
        errors = self.process.communicate(timeout=BOUND_S)[1]
        assert (self.process.returncode, "Traceback" in errors) == (0, False), errors


@pytest.fixture
def gige_camera() -> Iterator[FakeProcess]:
    """A camera with the network to itself, which the browser of this test shares."""
    require_aravis()
    fake = FakeProcess(SERIAL, "--interface", "127.0.0.1", "--size", "320x240")
    yield fake
    fake.end()
    while _RUNNING:  # of a test that failed: it would hold the next one's camera
        _RUNNING.pop().kill()


@pytest.fixture(scope="module", autouse=True)
def own_network() -> Iterator[None]:
    """Whatever is started by these tests, the browser too, is in one network of its own where root allows."""
    with network():
        yield


def opened(browser: Browser, url: str) -> Page:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(url)
    page.wait_for_function(SHOWN, timeout=60_000)
    return page


def enter(page: Page, place: str, text: str) -> None:
    field = page.locator(f"{place} input")
    field.fill(text)
    field.press("Enter")


def told(page: Page, text: str) -> None:
    """Wait until the page tells this, among whatever else it tells."""
    expect(page.locator(".lw-notice", has_text=text).first).to_be_visible()


def number_of(page: Page) -> str:
    return page.locator(".lw-live-picture").get_attribute("data-number") or ""


def exposure_of_device() -> object:
    with make_camera("aravis", "look", {"device": "127.0.0.1", "leave_as_is": True, "own_process": False}) as camera:
        assert camera.nodes is not None
        return camera.nodes.get("ExposureTime")


def test_a_setting_reaches_the_device_and_the_file(browser: Browser, gige_camera: FakeProcess, tmp_path: Path) -> None:
    """What is typed is on the device, read back, and written where the file had it; nothing else of it changes."""
    station = tmp_path / "station.toml"
    station.write_text(STATION)
    tuning = TuneProcess(tmp_path, str(station))
    page = opened(browser, tuning.url)
    page.wait_for_function(NEW_PICTURE, arg=number_of(page), timeout=60_000)
    expect(page.locator("[data-light=camera]")).to_contain_text("live")
    expect(page.locator("[data-setting=exposure_us] input")).to_have_value("5000")

    enter(page, "[data-setting=exposure_us]", "4321")
    expect(page.locator(".lw-toml")).to_have_text("exposure_us = 4321.0")
    enter(page, "[data-setting=exposure_us]", "5")
    told(page, "10 to 10000000 us")
    enter(page, "[data-setting=exposure_us]", "99999999999")  # more than any camera's: this one's limit is told
    told(page, "99999999999.0: 10 to 10000000 us is possible")
    expect(page.locator(".lw-notice")).to_have_count(1)
    assert not page.evaluate(COVERED, ".lw-notice")
    if folder := os.environ.get("LINEWARD_SCREENSHOTS"):
        page.screenshot(path=f"{folder}/tuning-refused.png")
    page.locator("[data-setting=gain] button").last.click()
    expect(page.locator(".lw-toml")).to_have_text("exposure_us = 4321.0\ngain = 1.2")
    page.locator(".lw-write").click()
    told(page, "Written")
    page.locator(".lw-settings-file").click()
    told(page, "top-settings.toml")
    page.close()
    tuning.end()
    assert station.read_text() == STATION.replace("5000.0", "4321.0").replace(
        "frame_rate_hz = 20.0", "frame_rate_hz = 20.0\ngain = 1.2"
    )
    saved = tomllib.loads((tmp_path / "top-settings.toml").read_text())
    assert saved["features"]["ExposureTime"] == 4321.0
    assert exposure_of_device() == 4321.0


def test_what_is_typed_after_enter_is_kept(browser: Browser, gige_camera: FakeProcess, tmp_path: Path) -> None:
    """The field has the cursor still: what the device gives back comes into it, but not over what is typed next."""
    tuning = TuneProcess(tmp_path, "aravis:127.0.0.1", "-o", "frame_rate_hz=20")
    page = opened(browser, tuning.url)
    field = page.locator("[data-setting=exposure_us] input")
    page.wait_for_function(NEW_PICTURE, arg=number_of(page), timeout=60_000)  # it is followed from here on
    enter(page, "[data-setting=exposure_us]", "4321.0")
    expect(page.locator(".lw-toml")).to_have_text("exposure_us = 4321.0")
    expect(field).to_have_value("4321")  # as it was read back
    field.press("End")
    page.keyboard.type("9")
    for _ in range(3):
        page.wait_for_function(NEW_PICTURE, arg=number_of(page), timeout=60_000)
        assert field.input_value() == "43219"
    field.press("Enter")
    expect(page.locator(".lw-toml")).to_have_text("exposure_us = 43219.0")
    page.close()
    tuning.end()


def test_a_camera_that_goes_away_is_missed_and_comes_back_as_it_was_set(
    browser: Browser, gige_camera: FakeProcess, tmp_path: Path
) -> None:
    """The loss covers the picture with its cause's remedy; the camera that comes back has the exposure again."""
    tuning = TuneProcess(tmp_path, "aravis:127.0.0.1", "-o", "frame_rate_hz=20")
    page = opened(browser, tuning.url)
    enter(page, "[data-setting=exposure_us]", "4321")
    expect(page.locator(".lw-toml")).to_have_text("exposure_us = 4321.0")
    expect(page.locator(".lw-sharp-share")).to_have_text(re.compile(r"^\d+ %$"))
    gige_camera.end()
    loss = page.locator(".lw-loss")
    expect(loss).to_be_visible()
    expect(loss).to_contain_text("Check the camera's cable")
    expect(page.locator(".lw-sharp-share")).to_have_text("–")
    expect(page.locator("[data-figure=mean]")).to_have_text("–")
    enter(page, "[data-setting=exposure_us]", "1000")
    told(page, "the camera is lost")

    with FakeProcess(SERIAL, "--interface", "127.0.0.1", "--size", "320x240"):
        expect(loss).to_be_hidden()
        page.wait_for_function(NEW_PICTURE, arg=number_of(page), timeout=60_000)
        page.locator("[data-setting=exposure_us] input").blur()  # no field is typed into any more
        expect(page.locator("[data-setting=exposure_us] input")).to_have_value("4321")
        page.close()
        tuning.end(signal.SIGTERM)
        assert exposure_of_device() == 4321.0


def test_a_region_and_another_format(browser: Browser, gige_camera: FakeProcess, tmp_path: Path) -> None:
    """A region is dragged or typed; a new pixel format and sensor region are those of the next pictures."""
    tuning = TuneProcess(tmp_path, "aravis:127.0.0.1", "-o", "frame_rate_hz=20")
    page = opened(browser, tuning.url)
    box = page.locator(".lw-live-picture").bounding_box()
    assert box is not None
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(middle[0] - 60, middle[1] - 60)
    page.mouse.down()
    page.mouse.move(middle[0] + 60, middle[1] + 60, steps=3)
    page.mouse.up()
    typed = page.locator(".lw-region-numbers input")
    expect(typed).to_have_value(re.compile(r"^\d+, \d+, \d+, \d+$"))
    x, y, width, height = map(int, typed.input_value().split(", "))
    assert (abs(2 * x + width - 320) <= 3, abs(2 * y + height - 240) <= 3, abs(width - height) <= 2) == (True,) * 3
    enter(page, ".lw-region-numbers", "300, 10, 100, 50")
    page.locator(".lw-sharp-anew").click()
    expect(typed).to_have_value("300, 10, 20, 50")

    enter(page, "[data-setting=roi]", "16, 8, 160, 120")
    expect(page.locator(".lw-station-model")).to_contain_text("160 × 120 Mono8")
    page.locator("[data-setting=pixel_format] .q-select").click()
    page.get_by_role("option", name="BayerRG8").click()
    expect(page.locator(".lw-station-model")).to_contain_text("160 × 120 BayerRG8")
    expect(page.locator(".lw-toml")).to_have_text('roi = [16, 8, 160, 120]\npixel_format = "BayerRG8"')
    enter(page, "[data-setting=roi]", "16, 8, 99999, 120")
    told(page, "99999")
    page.wait_for_function(NEW_PICTURE, arg=number_of(page), timeout=60_000)
    expect(page.locator(".lw-station-model")).to_contain_text("160 × 120 BayerRG8")
    page.close()
    tuning.end()


def test_a_camera_without_features_that_waits_for_software(browser: Browser, tmp_path: Path) -> None:
    """A simulated camera is asked for its pictures; overexposed pixels are marked, and there is nothing to set."""
    folder = tmp_path / "bright"
    folder.mkdir()
    image = np.full((240, 320, 3), 90, np.uint8)
    image[:, 150:182] = 255
    cv2.imwrite(str(folder / "one.png"), image)
    tuning = TuneProcess(tmp_path, f"replay:{folder}", "-o", "trigger=software")
    page = opened(browser, tuning.url)
    page.wait_for_function(NEW_PICTURE, arg=number_of(page), timeout=60_000)
    expect(page.locator(".lw-no-settings")).to_be_visible()
    expect(page.locator("[data-figure=saturated]")).to_have_text("10%")
    shown = picture(f"{tuning.url}/picture/0.jpg")
    assert shown.shape == (240, 320, 3)
    assert np.allclose(shown[120, 170], (255, 0, 255), atol=30)
    assert np.allclose(picture(f"{tuning.url}/picture/0.jpg?marks=false")[120, 170], 255, atol=10)
    page.get_by_text("한국어").click()
    expect(page.locator("[data-light=camera]")).to_contain_text("실시간")
    page.close()
    tuning.end()


def picture(url: str) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Return what the page serves, BGR. In the network of the test, as the page is."""
    with urllib.request.urlopen(url, timeout=BOUND_S) as answer:
        return np.asarray(cv2.imdecode(np.frombuffer(answer.read(), np.uint8), cv2.IMREAD_COLOR), np.uint8)

"""The operators' page in a real browser, against a real API with real records."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hand_line import HandLine
from playwright.sync_api import Browser, Page, Route, TimeoutError, expect

from inspection.camera_history import CameraReport, CameraState
from inspection.control import State, StateChange
from inspection.page import challenge_words, words
from inspection.part import Reason
from inspection.recipes.content import RecipeRef
from inspection.state_machine import Cause

pytestmark = pytest.mark.browser

REPOSITORY = Path(__file__).resolve().parents[2]
LOOPBACK = ("127.0.0.1", "localhost")


@pytest.fixture
def line(tmp_path: Path) -> Iterator[HandLine]:
    """A line that runs and is moved by hand."""
    hand_line = HandLine(tmp_path / "records")
    yield hand_line
    hand_line.close()


class PageProcess:
    """`python -m inspection.page` as an operator's PC runs it."""

    def __init__(self, folder: Path, api: str, port: int = 0) -> None:
        command = [sys.executable, "-m", "inspection.page", "--api", api, "--port", str(port)]
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        self.process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        said = self.process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)", said)
        assert found is not None, said
        self.url, self.port = found.group(0), int(found.group(1))

    def end(self) -> str:
        """End it as a service manager does; return what it wrote to stderr."""
        self.process.terminate()
        return self.process.communicate(timeout=30)[1]


@pytest.fixture
def served(line: HandLine, tmp_path: Path) -> Iterator[PageProcess]:
    """The page, showing `line`; run in an empty folder, where it must leave nothing."""
    folder = tmp_path / "page"
    folder.mkdir()
    page = PageProcess(folder, line.serve())
    yield page
    errors = page.end()
    assert "Traceback" not in errors, errors
    assert not list(folder.iterdir())


@pytest.fixture
def shown(browser: Browser, served: PageProcess) -> Iterator[Page]:
    """The page in a browser, with an eye on every request and every script error."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    asked: list[str] = []
    broken: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda socket: asked.append(socket.url))
    page.on("pageerror", lambda error: broken.append(str(error)))
    page.goto(served.url)
    yield page
    context.close()
    outside = [
        url for url in asked if not url.startswith(("data:", "blob:")) and urlsplit(url).hostname not in LOOPBACK
    ]
    assert len(asked) > 5
    assert not outside
    assert not broken


def pass_until(line: HandLine, page: Page, kind: str, shown: str, reason: Reason = Reason.MODEL) -> int:
    """Pass parts of a kind until the script `shown`, given a part's number, holds for one; return its number.

    A page begins with what happens from now on, and shows a verdict for two seconds only: on a slow machine the first
    part may come before the page listens, or be old before the browser paints it.
    """
    for _ in range(20):
        part = line.pass_part(kind, reason)
        with contextlib.suppress(TimeoutError):
            page.wait_for_function(shown, arg=part, timeout=5_000)
            return part
    raise AssertionError(f"none of 20 parts of kind {kind} was shown")


SEES_OK = "setInterval(() => { if (document.querySelector('.lw-live[data-kind=ok]')) window.wasOk = true }, 20)"
HAS_CARD = "part => document.querySelector(`.lw-reject[data-part='${part}']`)"
WAS_TOLD = "part => window.told.includes(`%s|Part ${part}|${part}`)"
# A verdict is on show for two seconds only, so the browser itself writes down what it was shown.
WRITE_DOWN = """() => {
    const live = document.querySelector('.lw-live'), text = name => live.querySelector(name).textContent;
    window.told = [];
    new MutationObserver(() => window.told.push([
        live.dataset.kind, text('.lw-verdict-word'), text('.lw-verdict-part'), live.querySelector('img').dataset.part,
    ].join('|'))).observe(live, {subtree: true, attributes: true, childList: true, characterData: true});
}"""


def test_the_counters_follow_the_records(line: HandLine, shown: Page) -> None:
    """What was inspected, passed and rejected, why and how often, is on show."""
    expect(shown.locator(".lw-state-word")).to_have_text("RUNNING")
    expect(shown.locator(".lw-verdict-word")).to_have_text("WAITING")
    expect(shown.locator(".lw-no-contact")).to_be_hidden()
    line.pass_part()
    expect(shown.locator("[data-figure=inspected]")).to_have_text("1")
    expect(shown.locator("[data-figure=passed]")).to_have_text("1")
    line.pass_part("scratch")
    expect(shown.locator("[data-figure=inspected]")).to_have_text("2")
    expect(shown.locator("[data-figure=MODEL]")).to_have_text("1")
    expect(shown.locator("[data-figure=reject_rate]")).to_have_text("50.0 %")


def test_a_reject_appears_with_its_picture_and_opens_large(line: HandLine, shown: Page) -> None:
    """A reject joins the row with its thumbnail and reason; a touch shows the stored image and the figures."""
    part = pass_until(line, shown, "scratch", HAS_CARD)
    card = shown.locator(f".lw-reject[data-part='{part}']")
    expect(card).to_contain_text("Scratch")
    shown.wait_for_function(f"part => ({HAS_CARD})(part)?.querySelector('img').naturalWidth === 240", arg=part)
    card.click()
    expect(shown.locator(".lw-large-reason")).to_have_text("Scratch")
    expect(shown.locator(".lw-large-figures")).to_contain_text("97.0 %")
    shown.wait_for_function("document.querySelector('.lw-large-body img')?.naturalWidth === 640")


def test_a_picture_that_is_not_there_yet_is_awaited(line: HandLine, shown: Page, tmp_path: Path) -> None:
    """Its place is marked, it comes by itself once the station has it, and no script and no request fails."""
    told: list[str] = []
    hidden: dict[Path, Path] = {}

    def hide_it(route: Route) -> None:
        for file in (tmp_path / "records").rglob("*.jpg"):  # before the station is asked for it
            hidden[file] = file.rename(file.with_suffix(".hidden"))
        route.continue_()

    shown.on("console", lambda message: told.append(message.text) if message.type == "error" else None)
    shown.route("**/thumbnail*", hide_it)
    part = pass_until(line, shown, "scratch", HAS_CARD)
    card = shown.locator(f".lw-reject[data-part='{part}']")
    expect(card.locator(".lw-awaited")).to_be_visible()
    expect(card.locator("img")).to_be_hidden()
    if folder := os.environ.get("LINEWARD_SCREENSHOTS"):
        shown.screenshot(path=f"{folder}/reject-awaited.png")
    shown.unroute("**/thumbnail*")
    for file, place in hidden.items():
        place.rename(file)
    shown.wait_for_function(f"part => ({HAS_CARD})(part)?.querySelector('img').naturalWidth === 240", arg=part)
    expect(card.locator(".lw-awaited")).to_be_hidden()
    expect(card.locator("img")).to_be_visible()
    if folder := os.environ.get("LINEWARD_SCREENSHOTS"):
        shown.screenshot(path=f"{folder}/reject-there.png")
    assert not told


def test_each_verdict_is_shown_in_word_and_shape_with_its_own_picture(line: HandLine, shown: Page) -> None:
    """A fresh OK and a fresh reject are seen as such, beside the picture of that very part; then they grow old."""
    expect(shown.locator(".lw-state-word")).to_have_text("RUNNING")
    shown.evaluate(WRITE_DOWN)
    pass_until(line, shown, "good", WAS_TOLD % "ok|OK")
    bad = pass_until(line, shown, "stain", WAS_TOLD % "reject|REJECT")
    shown.wait_for_function("document.querySelector('.lw-picture img').naturalWidth === 640")
    expect(shown.locator(".lw-verdict-word")).to_have_text("WAITING")
    expect(shown.locator(".lw-verdict-part")).to_have_text(f"Last part: {bad}, REJECT")


def test_a_verdict_from_before_the_page_is_never_fresh(line: HandLine, browser: Browser, tmp_path: Path) -> None:
    """The station keeps its newest preview for ever; a page that starts later names it as the last part, not as OK."""
    part = line.pass_part()
    process = PageProcess(tmp_path, line.serve())
    page = browser.new_page()
    try:
        page.add_init_script(SEES_OK)
        page.goto(process.url)
        expect(page.locator(".lw-verdict-part")).to_have_text(f"Last part: {part}, OK")
        assert page.evaluate("window.wasOk") is None
    finally:
        page.close()
        process.end()


def test_a_reject_without_a_picture_says_so(line: HandLine, shown: Page) -> None:
    """A part that the camera missed is counted and shown among the rejects, without an image."""
    part = pass_until(line, shown, "chip", HAS_CARD, Reason.NO_IMAGE)
    expect(shown.locator("[data-figure=NO_IMAGE]")).to_have_text(str(part))
    card = shown.locator(f".lw-reject[data-part='{part}']")
    expect(card).to_contain_text("No picture")
    expect(card.locator("img")).to_have_count(0)


def test_only_the_last_twelve_rejects_are_kept(line: HandLine, shown: Page) -> None:
    """The row shows the newest rejects, newest first, and no more than twelve."""
    pass_until(line, shown, "scratch", HAS_CARD)
    parts = [line.pass_part("scratch") for _ in range(13)]
    expect(shown.locator(".lw-reject").first).to_have_attribute("data-part", str(parts[-1]))
    expect(shown.locator(".lw-reject")).to_have_count(12)
    expect(shown.locator(".lw-reject").last).to_have_attribute("data-part", str(parts[1]))


def test_stop_asks_once_more_and_start_does_not(line: HandLine, shown: Page) -> None:
    """One touch never stops the line; the second, elsewhere, does; one touch starts it again."""
    stop, start = shown.locator(".lw-state .lw-stop"), shown.locator(".lw-state .lw-start")
    expect(stop).to_be_enabled()
    expect(start).to_be_disabled()
    for button in (stop, start):
        box = button.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 56
    stop.click()
    expect(shown.locator(".lw-question")).to_contain_text("Stop the inspection?")
    assert line.running
    shown.locator(".lw-question .lw-plain").click()
    expect(shown.locator(".lw-question")).to_be_hidden()
    assert line.running

    stop.click()
    shown.locator(".lw-stop-yes").click()
    expect(shown.locator(".lw-state-word")).to_have_text("STOPPED")
    assert not line.running
    expect(stop).to_be_disabled()
    start.click()
    expect(shown.locator(".lw-state-word")).to_have_text("RUNNING")
    assert line.running


def test_a_held_alarm_is_confirmed_with_one_touch(line: HandLine, shown: Page) -> None:
    """While the fault is there no Confirm is offered; once it has gone, Confirm takes the place of Start."""
    confirm, start = shown.locator(".lw-state .lw-confirm"), shown.locator(".lw-state .lw-start")
    line.alarms.raise_alarm("PLC_SILENT", detail="COM1")
    expect(shown.locator(".lw-state-word")).to_have_text("ERROR")
    expect(confirm).to_be_hidden()
    line.alarms.clear("PLC_SILENT")
    # What to do comes first: two lines are shown, and a small screen cuts off the rest.
    remedy = re.compile(r"^The fault is over: press Confirm when you have looked\. Until then nothing passes\. ")
    expect(shown.locator(".lw-state .lw-message-remedy")).to_have_text(remedy)
    expect(start).to_be_hidden()
    box = confirm.bounding_box()
    assert box is not None
    assert min(box["width"], box["height"]) >= 56
    confirm.click()
    expect(shown.locator(".lw-state-word")).to_have_text("RUNNING")
    expect(confirm).to_be_hidden()
    assert line.alarms.active() == ()


def test_an_alarm_shows_its_text_and_its_remedy(line: HandLine, shown: Page) -> None:
    """A lost ejector turns the page to ERROR, with what happened, what to do, and the light; and back."""
    expect(shown.locator(".lw-state-word")).to_have_text("RUNNING")
    line.alarms.raise_alarm("NO_IMAGE", part=7)
    expect(shown.locator(".lw-state .lw-message")).to_have_attribute("data-severity", "warning")
    line.alarms.raise_alarm("CAMERA_LOST", detail="<b>cable</b> pulled", why="CAMERA_CONTROL_LOST")
    expect(shown.locator(".lw-state-word")).to_have_text("ERROR")
    expect(shown.locator(".lw-state .lw-message-text")).to_contain_text("No contact with the camera. <b>cable</b>")
    expect(shown.locator(".lw-state .lw-message-remedy")).to_contain_text("Check the camera's cable")
    expect(shown.locator("[data-light=camera]")).to_contain_text("lost")
    shown.locator(".lw-more").click()
    expect(shown.locator(".lw-message-list .lw-message")).to_have_count(2)
    shown.locator(".lw-all-messages .lw-plain").click()
    line.alarms.clear("CAMERA_LOST")
    line.alarms.clear("NO_IMAGE")
    expect(shown.locator(".lw-state-word")).to_have_text("RUNNING")
    expect(shown.locator("[data-light=camera]")).to_contain_text("connected")


def test_the_language_is_switched_on_the_page_and_remembered(line: HandLine, shown: Page) -> None:
    """Touching 한국어 turns every text to Korean, for this browser, also after loading the page again."""
    expect(shown.locator(".lw-state-word")).to_have_text("RUNNING")
    shown.get_by_text("한국어").click()
    expect(shown.locator(".lw-state-word")).to_have_text("검사 중")
    shown.reload()
    expect(shown.locator(".lw-state-word")).to_have_text("검사 중")
    expect(shown.locator(".lw-state .lw-stop")).to_have_text(re.compile("정지"))
    shown.get_by_text("English").click()
    expect(shown.locator(".lw-state-word")).to_have_text("RUNNING")


def test_the_page_begins_in_the_browsers_language(line: HandLine, served: PageProcess, browser: Browser) -> None:
    """A Korean browser has it in Korean from the first moment, and what is chosen on the page counts before that."""
    context = browser.new_context(locale="ko-KR")
    page = context.new_page()
    page.goto(served.url)
    expect(page.locator(".lw-state-word")).to_have_text("검사 중")
    page.get_by_text("English").click()
    expect(page.locator(".lw-state-word")).to_have_text("RUNNING")
    context.close()


def test_a_station_that_is_gone_is_no_contact_until_it_is_back(
    line: HandLine, served: PageProcess, shown: Page
) -> None:
    """Nothing old stays on show when the station goes, and the page recovers by itself, missing no reject."""
    pass_until(line, shown, "chip", HAS_CARD)
    line.vanish()
    sheet = shown.locator(".lw-no-contact")
    expect(sheet).to_be_visible()
    expect(sheet).to_contain_text("NO CONTACT")
    expect(sheet).to_contain_text("does not answer")
    expect(shown.locator("[data-light=ejector]")).to_contain_text("unknown")
    covered = shown.evaluate(
        "() => ['.lw-state-word', '.lw-verdict-word', '[data-figure=passed]'].every(name => {"
        " const box = document.querySelector(name).getBoundingClientRect();"
        " return document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2).closest('.lw-no-contact') })"
    )
    assert covered
    missed = line.pass_part("stain")
    line.serve(line.address)
    expect(sheet).to_be_hidden()
    expect(shown.locator(".lw-state-word")).to_have_text("RUNNING")
    expect(shown.locator(f".lw-reject[data-part='{missed}']")).to_be_visible()


def test_a_page_whose_program_died_says_so_and_recovers(line: HandLine, browser: Browser, tmp_path: Path) -> None:
    """The browser itself covers what is old when the page's program is killed, and comes back with the program."""
    first = PageProcess(tmp_path, line.serve())
    page = browser.new_page()
    try:
        page.goto(first.url)
        expect(page.locator(".lw-state-word")).to_have_text("RUNNING")
        first.process.kill()
        first.process.communicate(timeout=30)
        expect(page.locator(".lw-no-contact")).to_be_visible()
        expect(page.locator(".lw-no-contact")).to_contain_text("lost its own program")
        second = PageProcess(tmp_path, line.address, first.port)
        try:
            expect(page.locator(".lw-no-contact")).to_be_hidden()
            expect(page.locator(".lw-state-word")).to_have_text("RUNNING")
        finally:
            second.end()
    finally:
        page.close()


ESSENTIALS = [
    ".lw-state-word",
    ".lw-state .lw-start",
    ".lw-state .lw-stop",
    ".lw-verdict-word",
    ".lw-picture",
    ".lw-cameras",
    ".lw-figures",
    ".lw-by-reason",
    ".lw-faults",
    ".lw-languages",
]
WIDER_THAN_THE_WINDOW = """() => [...document.querySelectorAll('.lw-page *')].filter(one => {
    const box = one.getBoundingClientRect();
    return box.width && !one.closest('.lw-reject-row') && (box.left < -1 || box.right > innerWidth + 1);
}).map(one => one.className)"""
CUT_OFF = """names => names.filter(name => {
    const element = document.querySelector(name), box = element.getBoundingClientRect();
    return box.left < 0 || box.top < 0 || box.right > innerWidth + 1 || box.bottom > innerHeight + 1
        || element.scrollHeight > element.clientHeight + 2 || element.scrollWidth > element.clientWidth + 2;
})"""


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_essentials_fit_without_scrolling(
    line: HandLine, served: PageProcess, browser: Browser, language: str
) -> None:
    """On each usual screen state, verdict, counters and buttons are wholly inside the window and nothing is cut off."""
    line.alarms.raise_alarm("EJECTOR_LOST", port="/dev/ttyUSB0", detail="[Errno 5] Input/output error")
    line.cameras = _cameras(CameraState.LOST)
    line.pass_part("scratch")
    page = browser.new_page()
    page.goto(f"{served.url}/language/{language}")
    expect(page.locator(".lw-state")).to_have_attribute("data-kind", "error")
    for width, height in ((1024, 600), (1024, 768), (1280, 800), (1920, 1080)):
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate(CUT_OFF, ESSENTIALS) == [], f"{width}×{height}"
        # Pictures that come in late may move what is below them for a moment.
        page.wait_for_function("document.documentElement.scrollHeight <= innerHeight", timeout=5_000)
    page.close()


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_detail_of_each_state_is_read_to_its_end(
    line: HandLine, served: PageProcess, browser: Browser, language: str
) -> None:
    """On the usual screens no state's sentence is cut off, and its icon is one sign of the page's own font."""
    page = browser.new_page()
    page.goto(f"{served.url}/language/{language}")
    line.alarms.raise_alarm("NO_HEARTBEAT_WIRED")  # waits behind a button, which takes room
    expect(page.locator(".lw-more")).to_be_visible()
    names = [".lw-state-word", ".lw-state-icon", ".lw-state > .lw-message", ".lw-state .lw-message-text"]
    for state in set(State) - {State.SINGLE_EXECUTION, State.CONTINUOUS_EXECUTION}:
        line.stands = state
        expect(page.locator(".lw-state")).to_have_attribute("data-kind", state.name.lower())
        for width, height in ((1024, 768), (1280, 900), (1920, 1080)):
            page.set_viewport_size({"width": width, "height": height})
            assert page.evaluate(CUT_OFF, names) == [], f"{state} {width}×{height}"
    page.close()


@pytest.mark.parametrize(
    "why", ["guard door 3 is open", "The guard of infeed 3 was found open, so maintenance has the key. " * 3]
)
def test_why_the_station_was_halted_is_read(line: HandLine, served: PageProcess, browser: Browser, why: str) -> None:
    """It stands in the state line before every alarm; one that is cut off there is read wholly behind its button."""
    why = why[:200].strip()
    line.alarms.raise_alarm("DISK_LOW", free_mb=900, limit_mb=1000)
    line.stands = State.HALTED
    line.last_change = StateChange(4, State.READY, State.HALTED, Cause.HALT, why, time.time_ns(), time.monotonic_ns())
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(served.url)
    expect(page.locator(".lw-state")).to_have_attribute("data-kind", "halted")
    expect(page.locator(".lw-state .lw-message-text")).to_have_text(f"Halted: {why}")
    for width, height in ((1024, 600), (1280, 800), (1920, 1080), (480, 800)):
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate(WIDER_THAN_THE_WINDOW) == [], f"{width}×{height}"
    page.locator(".lw-more").click()
    expect(page.locator(".lw-message-list .lw-message-text")).to_have_count(2)
    expect(page.locator(".lw-message-list .lw-message-text").first).to_have_text(f"Halted: {why}")
    page.close()


@pytest.mark.parametrize("language", ["en", "ko"])
def test_long_names_of_recipe_and_lot_move_nothing(
    line: HandLine, served: PageProcess, browser: Browser, language: str
) -> None:
    """They are cut where the room ends, the whole is told to whoever points at it, and Stop stays on the screen."""
    line.recipe, line.lot = RecipeRef("W" * 64, 3, "0" * 64), "한" * 64
    page = browser.new_page()
    page.goto(f"{served.url}/language/{language}")
    told = page.locator(".lw-station-model")
    expect(told).to_have_attribute("title", re.compile("^parts · .*W{64} .3. · .*한{64}"))
    for width, height in ((1024, 768), (1280, 900), (1920, 1080), (480, 800)):
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate(WIDER_THAN_THE_WINDOW) == [], f"{width}×{height}"
        assert page.evaluate("one => one.scrollWidth > one.clientWidth", told.element_handle())
        box = told.bounding_box()
        assert box is not None
        assert box["width"] > 80, f"{width}×{height}"
    page.close()


def _cameras(side: CameraState) -> tuple[CameraReport, ...]:
    states = {"top": CameraState.RUNNING, "side": side, "bottom": CameraState.IDLE, "end_of_line": CameraState.RUNNING}
    return tuple(
        CameraReport(name, "aravis", state, "control_lost" if state is CameraState.LOST else "", "", 0.1, None)
        for name, state in states.items()
    )


def test_each_of_several_cameras_is_told_by_itself(line: HandLine, shown: Page) -> None:
    """Which of them is not well, and why; one camera has the light in the header alone."""
    expect(shown.locator(".lw-cameras")).to_be_hidden()
    line.cameras = _cameras(CameraState.LOST)
    side = shown.locator(".lw-camera", has_text="side")
    expect(shown.locator(".lw-camera")).to_have_count(4)
    expect(side).to_have_attribute("data-kind", "bad")
    expect(side).to_contain_text("no answer")
    line.cameras = _cameras(CameraState.RUNNING)
    expect(side).to_have_attribute("data-kind", "good")
    line.cameras = line.cameras[:1]
    expect(shown.locator(".lw-cameras")).to_be_hidden()


@pytest.mark.parametrize("language", ["en", "ko"])
def test_a_narrow_screen_scrolls_down_and_never_sideways(
    line: HandLine, served: PageProcess, browser: Browser, language: str
) -> None:
    """On a phone or an upright panel all is in one column, nothing is cut off, and state, Start and Stop come first."""
    line.alarms.raise_alarm("EJECTOR_LOST", port="/dev/ttyUSB0", detail="[Errno 5] Input/output error")
    line.cameras = _cameras(CameraState.LOST)
    page = browser.new_page()
    page.goto(f"{served.url}/language/{language}")
    expect(page.locator(".lw-state")).to_have_attribute("data-kind", "error")
    for width, height in ((360, 640), (480, 800), (600, 960), (760, 1000)):
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{width}×{height}"
        assert page.evaluate(WIDER_THAN_THE_WINDOW) == [], f"{width}×{height}"
        stop = page.locator(".lw-state .lw-stop").bounding_box()
        assert stop is not None
        assert stop["y"] + stop["height"] <= height, f"{width}×{height}"
    page.close()


def test_reject_tiles_are_alike(line: HandLine, shown: Page) -> None:
    """Whatever a part's number and reason, and with or without a picture: tile, picture and foot are of one height."""
    for reason in (Reason.MODEL, Reason.NO_IMAGE, Reason.OUT_OF_DISTRIBUTION):
        pass_until(line, shown, "wrong_position", HAS_CARD, reason)
    line._parts = 41_206
    pass_until(line, shown, "scratch", HAS_CARD)
    for name in (".lw-reject", ".lw-reject-picture", ".lw-reject-foot"):
        boxes = [one.bounding_box() for one in shown.locator(f".lw-rejects {name}").all()]
        assert len(boxes) >= 4
        heights = [box["height"] for box in boxes if box is not None]
        assert max(heights) - min(heights) <= 1.5, name


ICON = re.compile(r"""(?:(?:Banner|Light|Verdict|Button|Outcome|_button)\("\w+", |icon\(|icon=)"(\w+)\"""")
MORE_THAN_ONE_SIGN = """names => names.filter(name => {
    const one = document.createElement('i');
    one.className = 'q-icon notranslate material-icons';
    one.textContent = name;
    one.style.cssText = 'position: fixed; font-size: 100px; width: auto; white-space: nowrap;';
    document.body.append(one);
    const width = one.getBoundingClientRect().width;
    one.remove();
    return Math.abs(width - 100) > 1;
})"""


def test_each_icon_is_in_the_font(shown: Page) -> None:
    """A name that the page's font lacks is drawn as a word, or as two signs."""
    sources = "".join(file.read_text("utf-8") for file in (REPOSITORY / "inspection" / "page").glob("*.py"))
    named = {*ICON.findall(sources), *words._ICONS.values(), *words._SEVERITY_ICONS.values()}
    named |= set(challenge_words._ICONS.values())
    assert named >= {"radio_button_unchecked", "fact_check", "close", "link_off", "stop", "hourglass_top", "pending"}
    shown.evaluate("document.fonts.load('100px \"Material Icons\"')")
    assert shown.evaluate(MORE_THAN_ONE_SIGN, ["rule_settings"]) == ["rule_settings"]
    assert shown.evaluate(MORE_THAN_ONE_SIGN, sorted(named)) == []


def test_a_foreign_host_name_is_refused(served: PageProcess, browser: Browser) -> None:
    """A web site that points its own name at this PC gets nothing (DNS rebinding)."""
    context = browser.new_context()
    answer = context.request.get(served.url, headers={"Host": "evil.example"})
    assert answer.status == 400
    context.close()


def test_a_dead_station_is_no_reason_not_to_serve(browser: Browser, tmp_path: Path) -> None:
    """The page comes up before its station and says that there is no contact."""
    process = PageProcess(tmp_path, "127.0.0.1:9")
    page = browser.new_page()
    try:
        page.goto(process.url)
        expect(page.locator(".lw-no-contact")).to_be_visible()
    finally:
        page.close()
        process.end()

"""What the operators' page shows of a challenge, in a real browser, against a real interlock."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from challenged import RUN, a_result
from hand_line import HandLine
from playwright.sync_api import Browser, expect
from test_page import CUT_OFF, ESSENTIALS, HAS_CARD, PageProcess, pass_until

from inspection.challenge.due import Production
from inspection.challenge.interlock import Interlock
from inspection.challenge.options import ChallengeOptions
from inspection.control import State
from inspection.part import Reason
from inspection.records.challenges import ChallengeEntry

pytestmark = pytest.mark.browser

MESSAGE = [".lw-state .lw-message", ".lw-state .lw-message-text", ".lw-state .lw-message-remedy"]


class Ledger:
    """The records of a line that is moved by hand, as the interlock needs them."""

    def __init__(self, line: HandLine) -> None:
        self.reader = line._reader
        self._line = line

    def note_challenge(self, entry: ChallengeEntry) -> None:
        self._line._writer.note_challenge(entry)


class Operator:
    """A line with an interlock, whose parts the test lays."""

    def __init__(self, folder: Path) -> None:
        self.line = HandLine(folder)
        self.failures: list[str] = []
        self.state = State.CONTINUOUS_EXECUTION
        self.interlock = Interlock(
            ChallengeOptions(required=True, parts=3, marks=("C1", "C2", "C3")),
            Production(RUN, "0" * 64, "1" * 64),
            Ledger(self.line),
            self.line.alarms,
            lambda: self.state,
            on_failure=self.failures.append,
            drain_s=5.0,
        )
        self.line._writer.on_durable(self.interlock.on_durable)
        self.interlock.open()
        self._part = 0

    def lay(self, kind: str = "found") -> None:
        self._part += 1
        self.line._writer.submit(a_result(self._part, self.interlock.mark(self._part), kind))
        assert self.line._writer.flush(30.0)

    def close(self) -> None:
        self.interlock.close()
        self.line.close()
        assert self.failures == []


@pytest.fixture
def operator(tmp_path: Path) -> Iterator[Operator]:
    made = Operator(tmp_path / "records")
    yield made
    made.close()


@pytest.fixture
def url(operator: Operator, tmp_path: Path) -> Iterator[str]:
    page = PageProcess(tmp_path, operator.line.serve(challenges=operator.interlock))
    yield page.url
    assert "Traceback" not in page.end()


def test_a_challenge_from_due_to_passed(operator: Operator, url: str, browser: Browser) -> None:
    """The big word says that one is due, how far it is, that it failed, and that the line runs again; the message says
    why, what comes next and what to do."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(url)
    state, word = page.locator(".lw-state"), page.locator(".lw-state-word")
    text, remedy = page.locator(".lw-state .lw-message-text"), page.locator(".lw-state .lw-message-remedy")
    expect(word).to_have_text("CHALLENGE DUE")
    expect(state).to_have_attribute("data-kind", "challenge_due")
    expect(text).to_contain_text("3 known-bad parts are due: none passed yet")
    expect(remedy).to_contain_text("Press Challenge")

    operator.interlock.begin(0, "kim")
    expect(word).to_have_text("CHALLENGE 0 / 3")
    expect(state).to_have_attribute("data-kind", "challenge")
    expect(text).to_contain_text("Next: C1")
    operator.lay()
    operator.lay("missed")
    expect(word).to_have_text("CHALLENGE 2 / 3")
    expect(text).to_contain_text("1 of 3 ejected, 1 not. Next: C3")
    operator.lay()
    expect(word).to_have_text("CHALLENGE DUE")
    expect(text).to_contain_text("the last challenge failed")
    page.locator(".lw-more").click()
    expect(page.locator(".lw-message-list")).to_contain_text("1 of 3 known-bad parts were not ejected")
    page.locator(".lw-all-messages .lw-plain").click()

    operator.interlock.begin(0, "kim")
    for _ in range(3):
        operator.lay()
    expect(word).to_have_text("RUNNING")
    expect(state).to_have_attribute("data-kind", "continuous_execution")
    page.close()


def test_an_operator_begins_and_follows_a_challenge_on_the_page(operator: Operator, url: str, browser: Browser) -> None:
    """With a name, and not without: the sheet says which part is to be laid now, what became of each, how it ended,
    since when it holds and until when; the records keep the name. A challenge can be given up; its name is not kept."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(url)
    to_challenge = page.locator(".lw-to-challenge")
    expect(to_challenge).to_contain_text("due: nothing passes")
    page.locator(".lw-state .lw-challenge").click()
    sheet, begin = page.locator(".lw-challenge-sheet"), page.locator(".lw-challenge-sheet .lw-begin")
    name, steps = sheet.locator(".lw-challenge-operator input"), sheet.locator(".lw-challenge-step")
    expect(sheet).to_contain_text("Nothing passes until 3 known-bad parts have been ejected: none passed yet.")
    expect(steps).to_have_text([re.compile(f"{mark}to be laid") for mark in ("C1", "C2", "C3")])
    expect(begin).to_be_disabled()
    name.fill("   ")
    expect(begin).to_be_disabled()
    name.fill(" Kim  Min-ji ")
    begin.click()
    expect(steps.nth(0)).to_have_attribute("data-kind", "next")
    expect(steps.nth(0)).to_contain_text("lay it on the belt now")
    expect(name).to_be_hidden()
    operator.lay()
    operator.lay("missed")
    expect(steps.nth(0)).to_have_attribute("data-kind", "ejected")
    expect(steps.nth(1)).to_contain_text("NOT found by the model")
    expect(steps.nth(2)).to_have_attribute("data-kind", "next")
    expect(to_challenge).to_contain_text("2 of 3")
    operator.lay()
    expect(sheet.locator(".lw-challenge-outcome")).to_have_attribute("data-kind", "failed")
    expect(sheet).to_contain_text("FAILED: 1 of 3 not ejected.")

    expect(name).to_have_value("")
    name.fill("Lee")
    begin.click()
    expect(steps.nth(0)).to_have_attribute("data-kind", "next")
    for _ in range(3):
        operator.lay()
    expect(sheet.locator(".lw-challenge-outcome")).to_have_attribute("data-kind", "passed")
    expect(sheet.locator(".lw-challenge-standing")).to_contain_text(re.compile(r"Passed at [-0-9: ]+ by Lee\."))
    expect(to_challenge).to_contain_text("holds until")
    view = operator.interlock.view()
    hours = ChallengeOptions().every_hours
    assert view.due_wall_ns == view.blocks_wall_ns == view.passed_wall_ns + round(hours * 3600e9)
    assert [one.entry.operator for one in operator.interlock.past(10)] == ["Lee", "Kim Min-ji"]

    name.fill("Park")
    begin.click()
    sheet.locator(".lw-give-up").click()
    expect(sheet.locator(".lw-challenge-outcome")).to_contain_text("Not finished: 0 of 3 ejected.")
    expect(sheet.locator(".lw-challenge-outcome")).to_contain_text("It was given up.")
    sheet.locator(".lw-challenge-close").click()
    expect(page.locator(".lw-state-word")).to_have_text("RUNNING")
    page.close()


def test_a_refusal_is_shown_in_the_words_of_the_station(operator: Operator, url: str, browser: Browser) -> None:
    """The line was stopped a moment before: the page says so, and no challenge has begun."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(url)
    page.locator(".lw-to-challenge").click()
    page.locator(".lw-challenge-operator input").fill("Lee")
    expect(page.locator(".lw-begin")).to_be_enabled()
    operator.state = State.READY
    page.locator(".lw-begin").click()
    expect(page.locator(".lw-notice")).to_contain_text("a challenge in state READY")
    assert operator.interlock.view().challenge is None
    page.close()


def test_a_part_that_the_interlock_held_says_so(operator: Operator, url: str, browser: Browser) -> None:
    """Among the rejects, in the counters and in the large view it is the challenge, not a fault of the station."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(url)
    expect(page.locator(".lw-state-word")).to_have_text("CHALLENGE DUE")
    part = pass_until(operator.line, page, "stain", HAS_CARD, Reason.INTERLOCK)
    card = page.locator(f".lw-reject[data-part='{part}']")
    expect(card.locator(".lw-reject-reason")).to_have_text("Challenge")
    expect(page.locator("[data-figure=INTERLOCK]")).to_have_text(str(part))
    card.click()
    expect(page.locator(".lw-large-figures")).to_contain_text("a challenge was due or running, so no part passed")
    page.close()


@pytest.mark.parametrize("language", ["en", "ko"])
def test_a_challenge_fits_the_screen(operator: Operator, url: str, browser: Browser, language: str) -> None:
    """Due and running, on each usual screen: nothing is cut off, and the words are in the page's language."""
    due, running = {"en": ("CHALLENGE DUE", "CHALLENGE 1 / 3"), "ko": ("챌린지 필요", "챌린지 1 / 3")}[language]
    page = browser.new_page()
    page.goto(f"{url}/language/{language}")
    for word in (due, running):
        expect(page.locator(".lw-state-word")).to_have_text(word)
        for width, height in ((1024, 600), (1024, 768), (1280, 800), (1920, 1080)):
            page.set_viewport_size({"width": width, "height": height})
            assert page.evaluate(CUT_OFF, [*ESSENTIALS, *MESSAGE]) == [], f"{width}×{height}"
        if word == due:
            operator.interlock.begin(0, "kim")
            operator.lay()
    page.close()

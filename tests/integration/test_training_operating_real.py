"""The report and the comparison of a model that was trained on real photographs."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from playwright.sync_api import Browser

from datasets.location import Location
from models.bundle import load_bundle
from training.comparison import compare_bundles
from training.intervals import upper_limit
from training.judging import judge_images
from training.metrics import measure
from training.runfolder import RunFolder
from training.threshold import piece_scores

pytestmark = [pytest.mark.training, pytest.mark.realdata, pytest.mark.xdist_group("trained")]


@pytest.fixture
def page_of_run(magnetic_tile_bundle: Any) -> str:
    """The report that the training wrote."""
    return RunFolder(magnetic_tile_bundle.bundle).report.read_text(encoding="utf-8")


def test_report_of_the_run_tells_the_cards_figures(magnetic_tile_bundle: Any, page_of_run: str) -> None:
    """Escape and overkill in the page are those of the card, with digest, origin, learning curve and pictures."""
    card = load_bundle(magnetic_tile_bundle.bundle).card
    for rate in (card.metrics.escape, card.metrics.overkill):
        assert rate is not None
        assert f"{rate.numerator} of {rate.denominator}" in page_of_run
    assert card.data.digest in page_of_run
    assert card.provenance.versions["torch"] in page_of_run
    assert "How the model learned" in page_of_run
    pictures = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', page_of_run)
    assert pictures
    for picture in pictures:
        pixels = cv2.imdecode(np.frombuffer(base64.b64decode(picture), np.uint8), cv2.IMREAD_COLOR)
        assert pixels is not None
        assert max(pixels.shape[:2]) <= 320


def test_limits_in_the_page_are_those_of_the_test_pieces(magnetic_tile_bundle: Any, page_of_run: str) -> None:
    """The one-sided limit counts pieces of six photos each, not photos."""
    judged = judge_images(str(magnetic_tile_bundle.bundle), Location(magnetic_tile_bundle.data), split="test")
    bad, _ = piece_scores(judged.scored)
    assert len(bad) < int(judged.scored.defective.sum())
    escaped = int((bad < judged.bundle.card.threshold.value).sum())
    assert f"{escaped} of {len(bad)} defective pieces would have passed" in page_of_run
    assert upper_limit(escaped, len(bad)) > 0.005


def test_comparison_counts_what_each_bundle_counts(magnetic_tile_bundle: Any) -> None:
    """Beside an untouched copy nothing differs; wrong verdicts are those of the card's own figures."""
    name, data = str(magnetic_tile_bundle.bundle), magnetic_tile_bundle.data
    found = compare_bundles(name, name, Location(data), split="test")
    card = load_bundle(magnetic_tile_bundle.bundle).card
    assert found.escape is not None
    assert card.metrics.escape is not None
    assert (found.escape.a_wrong, found.escape.images) == (
        card.metrics.escape.numerator,
        card.metrics.escape.denominator,
    )
    assert found.differing == ()
    assert found.area is not None
    assert card.metrics.auroc is not None
    assert found.area.a == pytest.approx(card.metrics.auroc.value)
    judged = judge_images(name, Location(data), split="test")
    again = measure(judged.scored, card.threshold.value, card.classes, "test")
    assert again.overkill == card.metrics.overkill


@pytest.mark.browser
def test_page_stands_alone_in_a_browser_and_on_paper(magnetic_tile_bundle: Any, browser: Browser) -> None:
    """Nothing is fetched, every picture shows, charts have a size, nothing is wider than a phone, and it prints."""
    file: Path = RunFolder(magnetic_tile_bundle.bundle).report
    page = browser.new_page(viewport={"width": 390, "height": 800})
    fetched: list[str] = []
    page.on("request", lambda request: fetched.append(request.url))
    page.goto(file.resolve().as_uri())
    assert [url for url in fetched if not url.startswith("data:")] == [file.resolve().as_uri()]
    assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    assert page.evaluate(
        "[...document.querySelectorAll('svg.chart')].every(c => c.getBoundingClientRect().height > 99)"
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert len(page.pdf(format="A4")) > 20_000
    page.close()

"""Two bundles on the same images: counts by hand, coverage by simulation, the commands as a person calls them."""

from __future__ import annotations

import json
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_bundle import write_tiny_bundle

from datasets.location import Location
from datasets.synthetic import PartRenderer
from training.comparison import compare_areas, compare_bundles, pair_up
from training.errors import EvaluationError
from training.judging import judge_images
from training.metrics import Scored, auroc
from training.report.page import Tried, render_report
from training.report.pictures import choose_worst
from training.report.svg import stretched


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), min_size=1, max_size=40))
def test_pairs_of_single_images_are_those_of_mcnemars_table(rows: list[tuple[bool, bool, bool]]) -> None:
    """Where each image is a piece, the discordant counts are those that one counts by hand."""
    chosen, a, b = (np.array([row[place] for row in rows]) for place in range(3))
    paired = pair_up(tuple(f"p{index}" for index in range(len(rows))), chosen, a, b)
    if not chosen.any():
        assert paired is None
        return
    assert paired is not None
    assert paired.a_only == int((chosen & a & ~b).sum())
    assert paired.b_only == int((chosen & b & ~a).sum())
    assert paired.low <= (paired.a_only - paired.b_only) / paired.pieces <= paired.high


def test_six_photos_of_a_piece_are_one_case() -> None:
    """A piece that B judges rightly on more of its photos counts once for B, and p does not shrink with photos."""
    groups = tuple(f"p{index // 6}" for index in range(30))
    wrong = np.ones(30, bool)
    paired = pair_up(groups, np.ones(30, bool), wrong, ~wrong)
    assert paired is not None
    assert (paired.pieces, paired.a_only, paired.b_only, paired.least) == (5, 5, 0, 6)
    assert paired.p == pytest.approx(2 / 32)


def scored_from(shares: np.ndarray, bad: np.ndarray) -> Scored:
    """Two-class scores with these probabilities, each image a piece."""
    raw = np.stack([np.zeros_like(shares), np.log(shares) - np.log1p(-shares)], axis=1).astype(np.float32)
    return Scored(raw, bad.astype(np.intp), tuple(f"p{index}" for index in range(len(shares))), 0)


def test_area_difference_of_equal_models_holds_zero_about_as_often_as_it_says() -> None:
    """Two equally good noisy views of the same parts: of 50 intervals at least 44 hold no difference."""
    random = np.random.default_rng(4)
    bad = np.arange(90) < 40
    held = 0
    for _ in range(50):
        truth = random.normal(size=90) + 1.2 * bad
        views = [1 / (1 + np.exp(-truth - random.normal(size=90))) for _ in range(2)]
        found = compare_areas(scored_from(views[0], bad), scored_from(views[1], bad), resamples=100)
        assert found is not None
        assert found.b - found.a == pytest.approx(auroc(views[1], bad) - auroc(views[0], bad), abs=1e-6)
        held += found.low <= 0 <= found.high
    assert held >= 44


def test_worst_images_are_the_furthest_on_the_wrong_side() -> None:
    """Misses from the lowest up, false alarms from the highest down; where there are none, the closest ones."""
    shares, bad = np.array([0.1, 0.9, 0.3, 0.8, 0.2, 0.95]), np.array([True, True, True, False, False, False])
    worst = choose_worst(scored_from(shares, bad), 0.5)
    assert (worst.missed, worst.false_alarms) == ((0, 2), (5, 3))
    assert (worst.closest_bad, worst.closest_good) == ((), ())
    calm = choose_worst(scored_from(shares[3:], np.array([True, False, False])), 0.97)
    assert (calm.missed, calm.false_alarms, calm.closest_good) == ((0,), (), (2, 1))


def test_stretched_axis_is_symmetric_and_stays_on_the_page() -> None:
    """0 and 1 are the ends, one half is the middle."""
    assert [stretched(share) for share in (0.0, 0.5, 1.0)] == pytest.approx([0.0, 0.5, 1.0])
    assert stretched(0.01) == pytest.approx(1 - stretched(0.99))


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight good and four scratched rendered parts, one name with signs that HTML would swallow."""
    root = tmp_path_factory.mktemp("tried")
    line = PartRenderer(3, width=64, height=64)
    for kind, count in (("good", 8), ("bad", 4)):
        (root / kind).mkdir()
        for index in range(count):
            name = "<b>&.png" if index == 0 else f"{index}.png"
            cv2.imwrite(str(root / kind / name), line.render(index, "good" if kind == "good" else "scratch").pixels)
    return root


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two bundles that run in ONNX Runtime, of different weights."""
    root = tmp_path_factory.mktemp("bundles")
    return tuple(write_tiny_bundle(root / name, height=8, width=8) for name in ("a", "b"))  # type: ignore[return-value]


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Call `lineward model` as a shell would."""
    main = "from inspection.cli.main import main; main()"
    call = [sys.executable, "-c", main, "model", *arguments]
    return subprocess.run(call, capture_output=True, text=True, timeout=120, check=False, cwd=folder)


class Outside(HTMLParser):
    """Collects whatever a browser would fetch, and the elements that were not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.fetched += [str(value) for name, value in attrs if name in ("src", "href", "data", "action")]
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ("line", "rect", "circle", "polyline", "polygon")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_report_command_writes_a_whole_page_that_fetches_nothing(
    photos: Path, bundles: tuple[Path, Path], tmp_path: Path
) -> None:
    """All elements close, every picture lies in the page, names are escaped, limits and digest are told."""
    done = run(tmp_path, "report", str(bundles[0]), "--data", str(photos), "--out", "page.html", "--no-find-groups")
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    page = Outside()
    page.feed(text)
    assert page.open == []
    assert page.fetched
    assert all(place.startswith("data:image/jpeg;base64,") for place in page.fetched)
    assert "<script" not in text
    assert "&lt;b&gt;&amp;.png" in text
    assert "4 defective pieces would have passed" in text
    assert "more than the 4 in this sample" in text
    judged = judge_images(str(bundles[0]), Location(photos))
    assert judged.dataset.digest() in text


def test_report_of_good_parts_alone_says_what_is_not_known(photos: Path, bundles: tuple[Path, Path]) -> None:
    """Without a defect there is no escape line, no AUROC and no promise."""
    judged = judge_images(str(bundles[0]), Location(photos))
    rows = np.flatnonzero(~judged.scored.defective)
    scored = Scored(judged.scored.raw[rows], judged.scored.truth[rows], tuple(map(str, rows)), judged.scored.good_index)
    tried = Tried(judged.bundle, judged.session, scored, tuple(map(str, rows)), judged.pixels, "parts", "all")
    text = render_report(tried)
    assert "nothing is known about what would pass" in text
    assert "nothing is known about escapes" in text
    assert "box warn" in text


def test_report_refuses_a_name_that_is_no_page(photos: Path, bundles: tuple[Path, Path], tmp_path: Path) -> None:
    """A bundle's own path is not written over by a slip."""
    done = run(tmp_path, "report", str(bundles[0]), "--data", str(photos), "--out", str(bundles[1]))
    assert done.returncode == 2
    assert "ends in .html" in done.stderr


def test_compare_command_finds_no_difference_of_a_bundle_with_itself(
    photos: Path, bundles: tuple[Path, Path], tmp_path: Path
) -> None:
    """The same scores: no differing image, p of 1, an interval around 0 that is as wide as four defects leave it."""
    done = run(
        tmp_path, "compare", str(bundles[0]), str(bundles[0]), "--data", str(photos), "--no-find-groups", "--json"
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["differing"] == []
    assert found["escape"]["p"] == 1.0
    assert found["escape"]["low"] < -0.5 < 0.5 < found["escape"]["high"]
    assert found["area"]["difference"] == 0.0
    assert "so few pieces cannot show any difference" in found["statement"]


def test_compare_refuses_images_that_a_bundle_does_not_know(bundles: tuple[Path, Path], tmp_path: Path) -> None:
    """A class that neither bundle knows is named."""
    for kind in ("good", "chip"):
        (tmp_path / kind).mkdir()
        cv2.imwrite(str(tmp_path / kind / "1.png"), np.full((16, 16, 3), 99, np.uint8))
    with pytest.raises(EvaluationError, match="chip"):
        compare_bundles(str(bundles[0]), str(bundles[1]), Location(tmp_path))


def test_photos_of_one_piece_are_found_unless_told_otherwise(bundles: tuple[Path, Path], tmp_path: Path) -> None:
    """Six nearly equal photos of a bad part are one case in the comparison, and six when that is asked for."""
    line = PartRenderer(5, width=160, height=120)
    for kind, name in (("good", "good"), ("bad", "scratch")):
        (tmp_path / kind).mkdir()
        pixels = line.render(0 if kind == "good" else 1, name).pixels
        for photo in range(6):
            cv2.imwrite(str(tmp_path / kind / f"{photo}.png"), cv2.convertScaleAbs(pixels, alpha=1 + 0.004 * photo))
    names = [str(bundle) for bundle in bundles]
    found, apart = (compare_bundles(*names, Location(tmp_path), find_groups=find) for find in (True, False))
    assert found.escape is not None
    assert apart.escape is not None
    assert (found.escape.pieces, apart.escape.pieces) == (1, 6)

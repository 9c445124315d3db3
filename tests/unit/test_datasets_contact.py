"""Contact sheets: what they show, in which order, and that one can look at them in a browser."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest
from playwright.sync_api import Browser
from typer.testing import CliRunner

from datasets.check import check_dataset
from datasets.cli import app
from datasets.contact import Sheet, make_sheet
from datasets.errors import DatasetError
from datasets.page import render_page
from datasets.reader import read_dataset
from datasets.sample import Mark, Place, Sample
from datasets.suspects import Suspect, Suspicion
from datasets.thumbnails import make_thumbnail


def run(*arguments: str | Path) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Eight good parts and four bad ones with masks, one of these also as a good one, names that need care."""
    rng = np.random.default_rng(0)
    root = tmp_path / "photos"
    for label, number in (("good", 8), ("흠집 <b>", 4)):
        (root / label).mkdir(parents=True)
        for index in range(number):
            data = cv2.imencode(".jpg", rng.integers(0, 256, (90, 60), np.uint8))[1]
            (root / label / f"{index}.jpg").write_bytes(data.tobytes())
            if label != "good":
                mask = np.zeros((90, 60), np.uint8)
                mask[30:50, 20:40] = 255
                (root / label / f"{index}.png").write_bytes(cv2.imencode(".png", mask)[1].tobytes())
    shutil.copy(root / "흠집 <b>" / "0.jpg", root / "good" / "copy.jpg")
    return root


def sheet_of(root: Path, **options: object) -> Sheet:
    dataset = read_dataset(root)
    return make_sheet(dataset, check_dataset(dataset), **options)  # type: ignore[arg-type]


def lines_of(sheet: Sheet, heading: str) -> list[list[str]]:
    section = next(section for section in sheet.sections if section.heading == heading)
    return [[tile.lines[0] for tile in row] for row in section.rows]


def test_the_worst_come_first(photos: Path) -> None:
    """Good parts with the highest defect score, defects with the lowest; without scores, evenly from all paths."""
    dataset = read_dataset(photos)
    scores = {sample.path: index / 20 for index, sample in enumerate(dataset.samples)}
    sheet = make_sheet(dataset, check_dataset(dataset), scores=scores, per_class=3)
    names = [dataset.name_of(sample) for sample in dataset.samples]
    good = [name for name in names if name.startswith("good/")]
    bad = [name for name in names if not name.startswith("good/")]
    assert lines_of(sheet, "Class good") == [[name] for name in good[::-1][:3]]
    assert lines_of(sheet, "Class 흠집 <b>") == [[name] for name in bad[:3]]
    assert lines_of(sheet_of(photos, per_class=3), "Class good") == [[good[k]] for k in (0, 3, 6)]


def test_copies_stand_beside_each_other_and_suspects_say_how_sure(photos: Path) -> None:
    """Equal content in two classes is one row; a suspect has the label given, the one suggested, both with a share."""
    dataset = read_dataset(photos)
    suspect = Suspect("good/3.jpg", "good", "흠집 <b>", 0.04, 0.91)
    report = replace(check_dataset(dataset), suspects=Suspicion((suspect,), 13, 5, 0.93, {}, "told"))
    sheet = make_sheet(dataset, report)
    assert lines_of(sheet, "Same content, different classes") == [["good/copy.jpg", "흠집 <b>/0.jpg"]]
    (tile,) = next(section for section in sheet.sections if section.heading == "Suspect labels").rows[0]
    assert tile.lines[:3] == ("good/3.jpg", "labelled good (4 %)", "looks like 흠집 <b> (91 %)")
    assert "1 labels are probably wrong; look at these images" in sheet.troubles


def test_doubts_of_a_poor_classifier_are_not_believed() -> None:
    """Where the classifier seldom gives the label itself, the outcome says that it means little."""
    suspect = Suspect("a", "good", "bad", 0.04, 0.91)
    assert "mean little" in Suspicion((suspect,), 13, 5, 0.77, {}, "told").verdict()
    assert "mean little" not in Suspicion((suspect,), 13, 5, 0.95, {}, "told").verdict()
    assert Suspicion((), 13, 5, 0.5, {}, "told").verdict() == ""


def test_what_is_marked_is_drawn(photos: Path) -> None:
    """Outlines of mask, mark and place have their colours where they are, and the rest of the picture is untouched."""
    path = photos / "흠집 <b>" / "0.jpg"
    plain = Sample(path, "bad", "g", None, None)
    mark = Mark("scratch", ((5.0, 60.0), (25.0, 80.0)))
    full = replace(plain, mask=path.with_suffix(".png"), marks=(mark,), place=Place("left", 2, 2, 56, 86))
    before, after = make_thumbnail(plain, 180).pixels, make_thumbnail(full, 180).pixels
    assert before.shape == after.shape == (180, 120, 3)
    changed = (before != after).any(axis=2)
    assert tuple(after[60, 60]) == (255, 40, 40)  # upper edge of the mask: row 30 of 90
    assert tuple(after[120, 30]) == (255, 170, 0)  # upper edge of the mark
    assert tuple(after[4, 60]) == (40, 140, 255)  # upper edge of the place
    assert not changed[70:90, 50:70].any()  # inside the mask
    assert 0 < changed.mean() < 0.2


def test_a_mask_of_another_size_is_told_of(photos: Path) -> None:
    """It is not drawn stretched over the image."""
    path = photos / "흠집 <b>" / "0.jpg"
    mask = photos.parent / "mask.png"
    cv2.imwrite(str(mask), np.full((40, 60), 255, np.uint8))
    thumbnail = make_thumbnail(Sample(path, "bad", "g", None, mask), 180)
    assert thumbnail.trouble == "its mask has 60×40 pixels, the image 60×90"
    assert (thumbnail.pixels == make_thumbnail(Sample(path, "bad", "g", None, None), 180).pixels).all()


class _Addresses(HTMLParser):
    """Collects everything that a page would load."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.found += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data")]


def test_the_page_loads_nothing_and_escapes_names(photos: Path) -> None:
    """All addresses are inside the file, and a name with a tag in it stays a name."""
    page = render_page(sheet_of(photos))
    parser = _Addresses()
    parser.feed(page)
    assert all(address.startswith(("data:image/jpeg;base64,", "#")) for address in parser.found)
    assert "b" not in parser.tags
    assert "http" not in page
    assert "흠집 &lt;b&gt;" in page


def test_the_number_of_pictures_is_bounded(photos: Path) -> None:
    """However many images there are, about `most` are shown, of each class at least one."""
    sheet = sheet_of(photos, per_class=500, most=6)
    assert sum(len(row) for section in sheet.sections for row in section.rows) <= 6
    assert {section.heading for section in sheet.sections} >= {"Class good", "Class 흠집 <b>"}


def test_the_command_writes_a_picture(photos: Path, tmp_path: Path) -> None:
    """A PNG of the width that was promised, with scores from a file; nothing is left half-written."""
    (tmp_path / "scores.csv").write_text("file,score\ngood/3.jpg,0.9\ngood/1.jpg,0.2\n")
    out = tmp_path / "sheet.png"
    told = json.loads(run("report", photos, "--out", out, "--scores", tmp_path / "scores.csv", "--json"))
    picture = cv2.imread(str(out))
    assert picture is not None
    assert picture.shape[1] == 1600
    assert told["bytes"] == out.stat().st_size
    assert told["pictures"] == 2 + 2 + 4  # the copy in both classes, the two with a score, the four defects
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--out", "sheet.pdf"), ".html or .png is needed"),
        (("--out", "nowhere/sheet.html"), "there is no folder"),
        (("--out", "sheet.html", "--scores", "scores.csv"), "1 score.s. are no defect probability"),
    ],
)
def test_what_cannot_be_written_is_told(
    photos: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], message: str
) -> None:
    """One message with what is needed, and no file is left."""
    monkeypatch.chdir(photos.parent)
    Path("scores.csv").write_text("file,score\ngood/3.jpg,12\n")
    with pytest.raises(DatasetError, match=message):
        run("report", photos, *arguments)
    assert not list(Path().glob("sheet*"))


@pytest.mark.browser
def test_a_browser_shows_every_picture(photos: Path, tmp_path: Path, browser: Browser) -> None:
    """Opened as a file, all pictures are decoded, nothing else is asked for, and nothing runs out of the window."""
    run("report", photos, "--out", tmp_path / "sheet.html")
    page = browser.new_page(viewport={"width": 900, "height": 700})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((tmp_path / "sheet.html").as_uri())
    assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    assert page.evaluate("document.images.length") == 2 + 9 + 4
    assert [url for url in asked if not url.startswith("data:")] == [(tmp_path / "sheet.html").as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.close()

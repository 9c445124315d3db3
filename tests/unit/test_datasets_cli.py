"""`lineward dataset` as an engineer scripts it."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from datasets.cli import app
from datasets.errors import DatasetError
from datasets.readers.table import FORMATS
from datasets.synthetic import PartRenderer


def run(*arguments: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    """A folder of 40 rendered parts."""
    code, _ = run(
        "render", "--out", tmp_path / "parts", "--count", "40", "--seed", "3", "--width", "160", "--height", "120"
    )
    assert code == 0
    return tmp_path / "parts"


def test_render_writes_what_the_renderer_shows(parts: Path) -> None:
    """Pictures lie in the folder of their kind, the truth beside them, and nothing half-written."""
    lines = (parts / "truth.csv").read_text().splitlines()
    assert lines[0] == "file,kind,x,y,width,height"
    assert len(lines) == 41
    renderer = PartRenderer(3, 160, 120)
    for line in lines[1:]:
        name, kind, *_ = line.split(",")
        index = int(Path(name).stem)
        stored = cv2.cvtColor(cv2.imread(str(parts / name)), cv2.COLOR_BGR2RGB)
        assert kind == renderer.kind_of(index, 0.5)
        assert (stored == renderer.render(index, kind).pixels).all()
    assert [path.name for path in parts.parent.iterdir()] == ["parts"]


def test_render_refuses_a_folder_with_something_in_it(parts: Path) -> None:
    """What exists is not written over."""
    with pytest.raises(DatasetError, match="not empty"):
        run("render", "--out", parts, "--count", "1")


def test_check_prints_one_json_object(parts: Path) -> None:
    """--json gives counts, sizes and splits, and nothing else."""
    code, text = run("check", parts, "--json")
    report = json.loads(text)
    assert code == 0
    assert (report["images"], report["good"], report["errors"]) == (40, "good", [])
    assert report["sizes"] == [[160, 120, 40]]
    assert sum(sum(part.values()) for part in report["split_counts"].values()) == 40


def test_check_reports_conflicts_with_exit_code_1(parts: Path) -> None:
    """Equal content in two classes is an error; the pair is named."""
    first = sorted((parts / "good").iterdir())[0]
    shutil.copy(first, parts / "scratch" / "copy.png")
    code, text = run("check", parts, "--json")
    report = json.loads(text)
    assert code == 1
    assert report["conflicts"] == [[f"good/{first.name}", "scratch/copy.png"]]
    code, text = run("check", parts)
    assert code == 1
    assert "error" in text


def test_check_warns_of_pictures_that_lie_on_a_side_and_of_black_ones(parts: Path) -> None:
    """An EXIF orientation that is not followed, and 12 bits in a 16-bit file, are told with the names."""
    good = sorted((parts / "good").iterdir())
    pixels = cv2.imread(str(good[0]))
    done, jpeg = cv2.imencode(".jpg", pixels)
    assert done
    exif = b"Exif\0\0MM\0*\0\0\0\x08" + struct.pack(">HHHIHHI", 1, 274, 3, 1, 6, 0, 0)
    turned = jpeg.tobytes()[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg.tobytes()[2:]
    (parts / "good" / "turned.jpg").write_bytes(turned)
    grey = cv2.cvtColor(pixels[::-1], cv2.COLOR_BGR2GRAY).astype(np.uint16) * 16
    assert cv2.imwrite(str(parts / "good" / "twelve.png"), grey)
    code, text = run("check", parts, "--json")
    report = json.loads(text)
    assert (code, report["turned"], report["dark"]) == (0, ["good/turned.jpg"], ["good/twelve.png"])
    assert any("1 image(s) carry an EXIF orientation" in told for told in report["warnings"])
    assert any("1 image(s) are nearly black" in told for told in report["warnings"])


def test_check_without_a_good_class(parts: Path) -> None:
    """A set of defects alone is reported, with exit code 1 and how to go on; --good is taken."""
    (parts / "good").rename(parts / "plain")
    code, text = run("check", parts, "--json")
    assert code == 1
    assert "--good NAME" in json.loads(text)["errors"][0]
    assert run("check", parts, "--good", "plain")[0] == 0


def test_groups_found_mend_a_straddling_split(parts: Path) -> None:
    """Copies straddle the split until the groups that were found are kept beside the images."""
    good = sorted((parts / "good").iterdir())
    for number, path in enumerate(good):
        shutil.copy(path, parts / "good" / f"again-{number}.png")
    code, text = run("check", parts, "--json")
    assert code == 0
    assert len(json.loads(text)["straddling"]) > 0
    assert run("groups", parts, "--out", parts / "groups.csv")[0] == 0
    report = json.loads(run("check", parts, "--json")[1])
    assert report["straddling"] == []
    assert (report["agreement"]["precision"], report["agreement"]["recall"]) == (1.0, 1.0)
    with pytest.raises(DatasetError, match="never overwritten"):
        run("groups", parts, "--out", parts / "groups.csv")


def test_the_command_is_cheap_to_import() -> None:
    """Importing the command line or the renderer loads no reader, no torch and no table library."""
    code = "import sys, datasets.cli; assert not {'cv2', 'torch', 'pandas', 'datasets.reader'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
    code = "import sys, datasets.synthetic; assert not {'torch', 'datasets.reader', 'typer'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_formats_lists_the_table() -> None:
    """Every row of the table, to read and to script."""
    code, text = run("formats")
    assert code == 0
    rows = json.loads(run("formats", "--json")[1])
    assert list(rows) == [row.name for row in FORMATS]
    assert all(name in text for name in rows)


def test_check_takes_a_format_and_a_file_of_labels(parts: Path, tmp_path: Path) -> None:
    """What lies in class folders may be labelled by a list elsewhere; a type with one image is warned of."""
    names = sorted(path.relative_to(parts).as_posix() for path in parts.rglob("*.png"))
    labels = tmp_path / "mine.csv"
    labels.write_text(
        "file,label\n" + "\n".join(f"{name},{'chip' if k == 0 else 'good'}" for k, name in enumerate(names))
    )
    code, text = run("check", parts, "--format", "labels-csv", "--annotations", labels, "--json")
    report = json.loads(text)
    assert code == 0
    assert (report["layout"], report["counts"]) == ("labels-csv", {"good": 39, "chip": 1})
    assert report["warnings"][0].startswith("1 class(es) with one image, which no split can part: chip")
    code, text = run("check", parts, "--annotations", labels, "--json")  # to name the file is to choose it
    assert (code, json.loads(text)["layout"]) == (0, "labels-csv")
    shutil.copy(labels, parts / "labels.csv")
    with pytest.raises(DatasetError, match="labels in 2 formats at once"):
        run("check", parts)


def test_check_of_places_compares_images_and_not_their_places(parts: Path, tmp_path: Path) -> None:
    """Two places of one image are no copies of each other, and places that differ in their labels no conflict."""
    one, other = sorted(parts.rglob("*.png"))[:2]
    folder = tmp_path / "places"
    folder.mkdir()
    shutil.copy(one, folder / "1_01.png")
    shutil.copy(other, folder / "2_10.png")
    (folder / "places.csv").write_text("name,x,y,width,height\nleft,0,0,80,120\nright,80,0,80,120\n")
    code, text = run("check", folder, "--json")
    report = json.loads(text)
    assert code == 0
    assert (report["counts"], report["exact"], report["conflicts"]) == ({"good": 2, "bad": 2}, [], [])
    shutil.copy(one, folder / "3_00.png")
    code, text = run("check", folder, "--json")
    assert code == 1
    assert json.loads(text)["conflicts"] == [["1_01.png", "3_00.png"]]

"""The commands for lens and part, as they are typed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
from board_scene import LYING, held_in_many_ways, shoot

from datasets.synthetic import PartRenderer

BOARD = ("--board", "10x7", "--kind", "charuco", "--square-mm", "10")


def cameras(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "inspection.cli.main", "cameras", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten pictures of the board, one without it, and the board on the belt."""
    folder = tmp_path_factory.mktemp("board")
    for number, held in enumerate(held_in_many_ways(10)):
        assert cv2.imwrite(str(folder / f"{number}.png"), shoot(held, seed=number))
    assert cv2.imwrite(str(folder / "empty.png"), shoot(held_in_many_ways(1)[0])[:, ::-1] // 4 + 90)
    (folder / "belt").mkdir()
    assert cv2.imwrite(str(folder / "belt" / "belt.png"), shoot(LYING, seed=50))
    return folder


def test_a_folder_becomes_a_lens_a_belt_and_a_report(tmp_path: Path, pictures: Path) -> None:
    """The file holds what was asked for, the picture beside it can be looked at, and --json says the same."""
    out = tmp_path / "lens.json"
    done = cameras("calibrate", pictures, *BOARD, "--belt", pictures / "belt" / "belt.png", "--camera", "top",
                   "--serial", "A1", "--out", out, "--json")  # fmt: skip
    assert done.returncode == 0, done.stderr
    told, kept = json.loads(done.stdout), json.loads(out.read_text())
    assert {name: told[name] for name in kept} == kept
    assert (kept["camera"], kept["serial"], len(kept["pictures"])) == ("top", "A1", 10)
    assert told["no_board"] == ["empty.png"]
    assert kept["belt"]["mm_per_px"] == pytest.approx(0.2, abs=0.02)
    report = cv2.imread(str(tmp_path / "lens.png"))
    assert report is not None
    assert report.shape[1] == 960
    assert report.std() > 20


def test_poor_material_ends_with_a_next_step(tmp_path: Path, pictures: Path) -> None:
    """Another board than the one in the pictures, no pictures, a misspelt board: no file is written."""
    out = tmp_path / "lens.json"
    for arguments, code, told in (
        ((pictures / "belt", *BOARD), 1, "found in 1 pictures — 8 at least are needed"),
        ((tmp_path, *BOARD), 2, "no pictures"),
        ((pictures, "--board", "ten", "--square-mm", "10"), 2, "COLUMNSxROWS is needed"),
    ):
        done = cameras("calibrate", *arguments, "--out", out)
        assert done.returncode == code
        assert told in done.stderr
        assert "Traceback" not in done.stderr
    assert not out.exists()


def test_a_part_is_learned_and_looked_for(tmp_path: Path) -> None:
    """Each picture gets its shift, angle and score and an overlay; one that the station would reject ends with 1."""
    folder, seen, reference = tmp_path / "parts", tmp_path / "seen", tmp_path / "part.align"
    folder.mkdir()
    line = PartRenderer(3)
    shifts = {"straight": 0.0, "right": 15.0, "gone": 100.0}
    for number, (name, right) in enumerate(shifts.items(), 1):
        rgb = line.render(number, "good", shift_px=(right, 0.0)).pixels
        assert cv2.imwrite(str(folder / f"{name}.png"), rgb[:, :, ::-1])
    straight = folder / "straight.png"
    learned = cameras("align-learn", straight, "--region", "136,56,368,368", "--out", reference, "--json")
    assert learned.returncode == 0, learned.stderr
    done = cameras("align-check", reference, folder, "--overlay", seen, "--json")
    assert done.returncode == 1
    rows = {row["picture"]: row for row in json.loads(done.stdout)["pictures"]}
    assert (rows["straight.png"]["ok"], rows["right.png"]["ok"], rows["gone.png"]["ok"]) == (True, True, False)
    assert abs(rows["straight.png"]["dx_px"]) < 0.1
    assert "-0.0," not in done.stdout
    assert 5 < rows["right.png"]["dx_px"] < 25
    assert "was not located" in rows["gone.png"]["why"]
    assert {file.name for file in seen.iterdir()} == {f"{name}.png" for name in shifts}
    refused = cameras("align-learn", straight, "--region", "1,2,3", "--out", reference)
    assert refused.returncode == 2
    assert "x,y,width,height" in refused.stderr


def test_nothing_that_is_read_is_overwritten(tmp_path: Path, pictures: Path) -> None:
    """Neither the report nor an overlay takes the place of a picture; a folder that is not there is told at once."""
    belt, reference = pictures / "belt" / "belt.png", tmp_path / "part.align"
    before = {file: file.read_bytes() for file in (belt, pictures / "0.png")}
    learn = ("align-learn", belt, "--region", "100,100,300,200", "--out")
    assert cameras(*learn, reference).returncode == 0
    for arguments, told in (
        (("calibrate", pictures, *BOARD, "--belt", belt, "--out", belt.with_suffix(".json")), "would overwrite"),
        (("calibrate", pictures, *BOARD, "--out", pictures / "0.json"), "would overwrite"),
        (("calibrate", pictures, *BOARD, "--out", tmp_path / "lens.png"), "end it in .json"),
        (("calibrate", pictures, *BOARD, "--out", tmp_path / "none" / "lens.json"), "in a folder that exists"),
        ((*learn, belt), "would overwrite"),
        ((*learn, tmp_path / "none" / "part.align"), "in a folder that exists"),
        (("align-check", reference, pictures, "--overlay", pictures), "would overwrite"),
        (("align-check", reference, pictures, "--overlay", reference), "would overwrite"),
        (("board", "--board", "9x6", "--out", tmp_path / "board.jpg"), "ends in .png"),
        (("board", "--board", "9x6", "--out", tmp_path / "none" / "board.png"), "in a folder that exists"),
    ):
        done = cameras(*arguments)
        assert done.returncode == 2, done.stderr
        assert told in " ".join(done.stderr.replace("│", " ").split())
    assert {file: file.read_bytes() for file in before} == before
    assert list(tmp_path.iterdir()) == [reference]


def test_a_drawn_board_is_found_in_its_own_picture(tmp_path: Path) -> None:
    """What is printed is what is looked for."""
    out = tmp_path / "board.png"
    done = cameras("board", "--board", "10x7", "--kind", "charuco", "--out", out, "--dpi", "100")
    assert done.returncode == 0, done.stderr
    from board_scene import BOARD as KNOWN

    picture = cv2.imread(str(out), cv2.IMREAD_GRAYSCALE)
    assert picture is not None
    corners = KNOWN.find(picture)
    assert corners is not None
    assert len(corners.pixels) == 54

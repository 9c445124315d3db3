"""Lens and belt from pictures of a board: the truth of a traced picture is found again, poor material is refused."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from board_scene import BOARD, DISTORTION, LYING, MATRIX, SIZE, Held, held_in_many_ways, shoot, true_corners

from camera.geometry.board import Board, Corners
from camera.geometry.calibration import BeltPlane, Calibration, from_lens, load_calibration, save_calibration
from camera.geometry.errors import CalibrationError, GeometryFileError
from camera.geometry.lens import Lens, calibrate
from camera.geometry.plane import apply, belt_plane
from camera.geometry.rectify import Rectifier, straight_picture

Found = dict[str, Corners]


def _found(ways: list[Held]) -> Found:
    corners = {f"{number}.png": BOARD.find(shoot(held, seed=number)) for number, held in enumerate(ways)}
    return {name: one for name, one in corners.items() if one is not None}


@pytest.fixture(scope="module")
def found() -> Found:
    """The corners of twelve pictures."""
    return _found(held_in_many_ways(12))


@pytest.fixture(scope="module")
def lens(found: Found) -> Lens:
    """What they tell."""
    return calibrate(found, SIZE)


@pytest.fixture(scope="module")
def calibration(lens: Lens) -> Calibration:
    """The whole file, the belt included."""
    corners = BOARD.find(shoot(LYING, seed=99))
    assert corners is not None
    belt = BeltPlane.of(belt_plane(corners, lens), "belt.png")
    return from_lens(lens, date="2026-01-01T00:00:00+00:00", board="test", pictures={"0.png": "00"}, belt=belt)


def test_the_lens_is_found_again(lens: Lens) -> None:
    """Focal lengths to 0.5 %, the middle to 2 px, and all within four of the spreads that it states."""
    for found, true, spread in zip(
        (lens.matrix[0, 0], lens.matrix[1, 1], lens.matrix[0, 2], lens.matrix[1, 2]),
        (MATRIX[0, 0], MATRIX[1, 1], MATRIX[0, 2], MATRIX[1, 2]),
        lens.spread_px,
        strict=True,
    ):
        assert abs(found - true) < min(4.0, 4 * spread + 0.5)
    assert lens.rms_px < 0.15
    assert lens.p95_px < 0.3
    assert 0.8 < lens.coverage <= 1


def test_its_distortion_is_that_of_the_true_lens_all_over_the_picture(lens: Lens) -> None:
    """A ray goes to the same pixel within 0.25 px up to the corners, but for a shift of all."""
    x, y = np.meshgrid(np.linspace(10, 630, 12), np.linspace(10, 470, 9))
    pixels = np.stack([x.ravel(), y.ravel()], 1)[:, None]
    ideal = cv2.undistortPoints(pixels, MATRIX, DISTORTION)[:, 0]
    flat = np.column_stack((ideal, np.ones(len(ideal))))
    put = cv2.projectPoints(flat, np.zeros(3), np.zeros(3), lens.matrix, lens.distortion)[0].reshape(-1, 2)
    off = put - pixels[:, 0]
    assert np.abs(off.mean(0)).max() < 0.5
    assert np.hypot(*(off - off.mean(0)).T).max() < 0.25


def test_a_chessboard_is_found_where_the_lens_puts_it() -> None:
    """Each corner within 0.25 px, in the order of the board or of the board turned by half a turn."""
    board, held = Board(9, 6, 10.0), Held((0.2, -0.3, 0.1), (-50.0, -35.0, 190.0))
    corners = board.find(shoot(held, board=board))
    assert corners is not None
    true = true_corners(held, corners.board_mm)
    off = min(np.hypot(*(corners.pixels - way).T).max() for way in (true, true[::-1]))
    assert off < 0.25


def test_a_picture_without_a_board_has_no_corners() -> None:
    """Noise is no board, of either kind."""
    noise = np.random.default_rng(0).integers(0, 255, (240, 320), dtype=np.uint8)
    assert BOARD.find(noise) is None
    assert Board(9, 6, 10.0).find(noise) is None


def test_too_few_pictures_are_refused(found: Found) -> None:
    """Seven are one too few; the text says how many there are and how many are needed."""
    with pytest.raises(CalibrationError, match=r"found in 7 pictures — 8 at least are needed — take more"):
        calibrate(dict(list(found.items())[:7]), SIZE)


def test_a_board_in_one_corner_of_the_picture_is_refused(found: Found) -> None:
    """What the lens does elsewhere would be guessed."""
    far = {name: Corners(one.pixels * 0.4, one.board_mm) for name, one in found.items()}
    with pytest.raises(CalibrationError, match=r"corners lie in \d+% of the picture — 50% at least"):
        calibrate(far, SIZE)


def test_boards_that_all_lie_flat_are_refused() -> None:
    """The focal length stays open then, however small the error is: the fit puts it 25 % off."""
    rng = np.random.default_rng(5)
    grid = np.stack(np.meshgrid(np.arange(1.0, 10) * 10, np.arange(1.0, 7) * 10), -1).reshape(-1, 2)
    flat = {}
    for number in range(10):
        held = Held(
            (0.0, 0.0, float(rng.uniform(-0.3, 0.3))), (*map(float, rng.uniform((-80, -55), (-15, -10))), 165.0)
        )
        flat[f"{number}.png"] = Corners(true_corners(held, grid) + rng.normal(0, 0.05, grid.shape), grid)
    with pytest.raises(
        CalibrationError, match=r"tilted by 10° or more in 0 pictures — 3 at least .* tilt it by 20 to 40°"
    ):
        calibrate(flat, SIZE)


def test_corners_that_no_lens_explains_are_refused_and_the_worst_picture_named(found: Found) -> None:
    """A bent board: one picture's corners are 3 px off."""
    rng = np.random.default_rng(6)
    bent = dict(found)
    one = bent["3.png"]
    bent["3.png"] = Corners(one.pixels + rng.normal(0, 3, one.pixels.shape), one.board_mm)
    with pytest.raises(CalibrationError, match=r"px \(rms\) from where any lens puts them — at most 0\.5 px .* 3\.png"):
        calibrate(bent, SIZE)


def test_the_belt_is_seen_from_above(calibration: Calibration) -> None:
    """After rectifying squares are squares: 10 mm within 0.5 %, by the stated mm per pixel, both ways."""
    assert calibration.belt is not None
    corners = BOARD.find(straight_picture(calibration, shoot(LYING, seed=7)))
    assert corners is not None
    for axis in (0, 1):
        step = np.zeros(2)
        step[axis] = BOARD.square_mm
        pairs = [
            (one, two)
            for one, at in zip(corners.pixels, corners.board_mm, strict=True)
            for two, other in zip(corners.pixels, corners.board_mm, strict=True)
            if np.allclose(other - at, step)
        ]
        sides_mm = [float(np.hypot(*(two - one))) * calibration.belt.mm_per_px for one, two in pairs]
        assert len(sides_mm) > 20
        assert np.mean(sides_mm) == pytest.approx(BOARD.square_mm, rel=0.005)
        assert np.std(sides_mm) < 0.01 * BOARD.square_mm


def test_places_on_the_belt_are_known_in_mm(lens: Lens, calibration: Calibration) -> None:
    """A corner's pixel, undistorted, is at its place on the board within 0.1 mm."""
    assert calibration.belt is not None
    mm = np.array([(15.0, 20.0), (95.0, 60.0), (40.0, 5.0)])
    pixels = true_corners(LYING, mm).reshape(-1, 1, 2)
    ideal = cv2.undistortPoints(pixels, calibration.k, np.array(calibration.distortion), P=calibration.k)[:, 0]
    assert np.abs(apply(calibration.belt.plane.homography, ideal) - mm).max() < 0.1


def test_a_board_that_is_not_flat_gives_no_belt(lens: Lens) -> None:
    """Corners that lie in no plane are refused."""
    grid = np.stack(np.meshgrid(np.arange(1.0, 10) * 10, np.arange(1.0, 7) * 10), -1).reshape(-1, 2)
    pixels = true_corners(LYING, grid)
    pixels[:, 1] += 4 * np.sin(grid[:, 0] / 12)
    with pytest.raises(CalibrationError, match=r"mm \(rms\) from a plane — .* mm is allowed — lay it flat"):
        belt_plane(Corners(pixels, grid), lens)


def test_a_window_is_the_same_as_that_part_of_the_whole(calibration: Calibration) -> None:
    """Only what the window needs is read, and nothing changes by that."""
    picture = shoot(LYING, seed=3)
    window = (100, 80, 300, 220)
    rectifier = Rectifier(calibration, window)
    x, y, width, height = rectifier.source
    assert width * height < 0.5 * picture.size
    part = rectifier.apply(picture[y : y + height, x : x + width]).astype(int)
    whole = straight_picture(calibration, picture).astype(int)[80:300, 100:400]
    assert np.abs(part - whole).max() <= 2  # maps are rounded to 1/32 px


def test_the_file_gives_back_what_was_written(tmp_path: Path, calibration: Calibration) -> None:
    """It is readable JSON, and its digest depends on its content alone."""
    file = tmp_path / "lens.json"
    save_calibration(calibration, file)
    assert load_calibration(file) == calibration
    assert load_calibration(file).digest == calibration.digest
    told = json.loads(file.read_text())
    assert told["picture_width"] == 640
    assert told["belt"]["mm_per_px"] > 0
    assert calibration.model_copy(update={"rms_px": 0.2}).digest != calibration.digest


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"matrix": [[0, 0, 1], [0, 0, 1], [0, 0, 1]]}, "is no camera's"),
        ({"picture_width": -1}, "picture_width"),
        ({"distortion": [1, 2]}, "distortion"),
        ({"more": 1}, "more"),
        ({"rms_px": "NaN"}, "rms_px"),
    ],
)
def test_a_damaged_file_is_refused(
    tmp_path: Path, calibration: Calibration, change: dict[str, object], told: str
) -> None:
    """The text names the file, the key and the command that makes a new one."""
    file = tmp_path / "lens.json"
    file.write_text(json.dumps({**calibration.model_dump(mode="json"), **change}))
    with pytest.raises(
        GeometryFileError, match=rf"lens.json: is no calibration \(.*{told}.*lineward cameras calibrate"
    ):
        load_calibration(file)


def test_an_absent_or_cut_file_is_refused(tmp_path: Path) -> None:
    """Neither is taken for a lens without distortion."""
    with pytest.raises(GeometryFileError, match="cannot be read"):
        load_calibration(tmp_path / "none.json")
    (tmp_path / "cut.json").write_text('{"format": "lineward-lens", "versi')
    with pytest.raises(GeometryFileError, match="is no calibration"):
        load_calibration(tmp_path / "cut.json")


def test_a_board_with_more_markers_than_its_dictionary_is_refused() -> None:
    """600 markers of 250 that are known: neither drawn nor looked for, and the larger dictionary will do."""
    with pytest.raises(CalibrationError, match="has 600 markers — 4X4_250 has 250"):
        Board(40, 30, 10.0, "charuco").draw(8, 8)
    assert Board(40, 30, 10.0, "charuco", dictionary="4X4_1000").draw(8, 8).shape == (256, 336)


@pytest.mark.parametrize(
    ("columns", "rows", "square_mm"), [(6, 6, 10.0), (1, 6, 10.0), (9, 6, 0.0), (9, 6, float("nan"))]
)
def test_a_board_that_tells_nothing_is_refused(columns: int, rows: int, square_mm: float) -> None:
    """A square chessboard looks the same turned; sizes are bounded."""
    with pytest.raises(CalibrationError):
        Board(columns, rows, square_mm)

"""Where a part lies in its picture: found to a fraction of a pixel, or refused; never somewhere else."""

from __future__ import annotations

import zipfile
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camera.frame import Pixels
from camera.geometry.errors import GeometryFileError, NotLocatedError
from camera.geometry.locate import Limits, Locator
from camera.geometry.pose import Pose, rigid, shrunk
from camera.geometry.reference import Reference, grey_of, learn, load, save
from datasets.images import load_image
from datasets.synthetic import PartRenderer

REGION = (136, 56, 368, 368)
LIMITS = Limits(max_shift_px=30.0, max_angle_deg=15.0)


@lru_cache(maxsize=1)
def line() -> PartRenderer:
    return PartRenderer(3)


@lru_cache(maxsize=1)
def reference() -> Reference:
    return learn(line().render(1, "good").pixels, REGION)


@lru_cache(maxsize=1)
def locator() -> Locator:
    return Locator(reference(), LIMITS)


@lru_cache(maxsize=1)
def all_around() -> Locator:
    return Locator(reference(), Limits(30.0, 180.0))


def locate(picture: Pixels, by: Locator) -> Pose:
    x, y, width, height = by.search_window
    return by.locate(grey_of(picture)[y : y + height, x : x + width])


def moved(picture: Pixels, centre: tuple[float, float], shift: tuple[float, float], angle_deg: float) -> Pixels:
    """Return the picture turned clockwise about a centre, and shifted."""
    matrix = rigid(np.deg2rad(angle_deg), shift, centre)
    size = (picture.shape[1], picture.shape[0])
    return np.asarray(cv2.warpAffine(picture, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT))


def true_pose(index: int, shift: tuple[float, float], turn_deg: float, kind: str = "good") -> Pose:
    """Return how the renderer laid part `index`, compared with the one that was learned."""
    ours, known = (line().place_of(number, kind_, shift_px=by, turn_deg=turn) for number, kind_, by, turn in (
        (index, kind, shift, turn_deg), (1, "good", (0.0, 0.0), 0.0),
    ))  # fmt: skip
    full = np.vstack((ours, (0, 0, 1))) @ np.linalg.inv(np.vstack((known, (0, 0, 1))))
    centre = reference().centre
    at = full @ (*centre, 1.0)
    return Pose(at[0] - centre[0], at[1] - centre[1], float(np.degrees(np.arctan2(full[1, 0], full[0, 0]))))


@settings(max_examples=30, deadline=None)
@given(
    index=st.integers(2, 10_000),
    kind=st.sampled_from(("good", "scratch", "chip", "stain")),
    right=st.floats(-15, 15),
    down=st.floats(-15, 15),
    turn_deg=st.floats(-7, 7),
)
def test_a_rendered_part_is_found_as_it_was_laid(
    index: int, kind: str, right: float, down: float, turn_deg: float
) -> None:
    """To 0.5 px and 0.3°, under another light, sharpness and belt, with a defect or without."""
    picture = line().render(index, kind, shift_px=(right, down), turn_deg=turn_deg).pixels
    found, true = locate(picture, locator()), true_pose(index, (right, down), turn_deg)
    assert np.hypot(found.dx - true.dx, found.dy - true.dy) < 0.5
    assert abs(found.angle_deg - true.angle_deg) < 0.3
    assert found.score > 0.8


@settings(max_examples=15, deadline=None)
@given(index=st.integers(2, 10_000), way=st.floats(0, 2 * np.pi), far=st.floats(55, 90), turn_deg=st.floats(-25, 25))
def test_a_part_beyond_the_limits_is_refused(index: int, way: float, far: float, turn_deg: float) -> None:
    """A part out of its place is not judged at all, wherever it went."""
    shift = (far * np.cos(way), far * np.sin(way))
    picture = line().render(index, "good", shift_px=shift, turn_deg=turn_deg).pixels
    with pytest.raises(NotLocatedError, match="the part was not located: "):
        locate(picture, locator())


def test_an_empty_belt_is_no_part() -> None:
    """A belt, noise, darkness and a saturated picture are refused: there is nothing that looks like the part."""
    belt = line().render(2, "good").pixels.copy()
    belt[:, 100:540] = np.tile(belt[:, :100], (1, 5, 1))[:, :440]
    noise = np.random.default_rng(0).integers(0, 256, belt.shape, dtype=np.uint8)
    for picture in (belt, noise, np.zeros_like(belt), np.full_like(belt, 255)):
        with pytest.raises(NotLocatedError):
            locate(picture, locator())


def test_half_a_part_is_found_where_it_is_or_refused() -> None:
    """A part that is covered by half is judged at its true place, or not at all."""
    picture = line().render(2, "good").pixels.copy()
    picture[:, 320:] = picture[:60, :60].mean((0, 1)).astype(np.uint8)
    true = true_pose(2, (0.0, 0.0), 0.0)
    try:
        found = locate(picture, locator())
    except NotLocatedError:
        return
    assert np.hypot(found.dx - true.dx, found.dy - true.dy) < 1.0
    assert abs(found.angle_deg - true.angle_deg) < 0.5


def test_a_part_of_any_angle_is_found() -> None:
    """A part that looks like itself in one pose alone is found all around, to 0.3 px and 0.3°."""
    picture = np.full((400, 400), 70, np.uint8)
    cv2.fillPoly(picture, [np.array([(130, 110), (270, 130), (250, 200), (190, 190), (180, 290), (140, 280)])], 210)
    picture = cv2.GaussianBlur(picture, (0, 0), 1.0)
    around = Locator(learn(picture, (110, 100, 180, 200)), Limits(30.0, 180.0))
    grain = np.random.default_rng(2).normal(0, 3, picture.shape)
    for turn_deg in range(-175, 180, 25):
        turned = moved(picture, around.reference.centre, (11.3, -7.6), turn_deg) * 0.7 + grain
        found = locate(np.clip(turned, 0, 255).astype(np.uint8), around)
        assert abs((found.angle_deg - turn_deg + 180) % 360 - 180) < 0.3
        assert np.hypot(found.dx - 11.3, found.dy + 7.6) < 0.3


@settings(max_examples=15, deadline=None)
@given(index=st.integers(2, 10_000), turn_deg=st.floats(-180, 180))
def test_a_flange_of_any_angle_is_found_or_refused(index: int, turn_deg: float) -> None:
    """It looks nearly the same every 60°: refused where that leaves doubt, and never taken for another angle."""
    picture = line().render(index, "good", turn_deg=turn_deg).pixels
    try:
        found = locate(picture, all_around())
    except NotLocatedError:
        return
    off = found.angle_deg - true_pose(index, (0.0, 0.0), turn_deg).angle_deg
    assert abs((off + 180) % 360 - 180) < 0.3


def test_a_part_that_looks_the_same_turned_is_refused() -> None:
    """A plain square has four poses; none of them is taken for the true one."""
    picture = np.full((300, 300), 60, np.uint8)
    picture[100:200, 100:200] = 200
    by = Locator(learn(picture, (80, 80, 140, 140)), Limits(10.0, 180.0))
    with pytest.raises(NotLocatedError, match="two places look alike"):
        locate(picture, by)


def test_a_round_part_is_found_where_no_turn_is_looked_for() -> None:
    """A disc has no angle: with max_angle_deg = 0 it is held, and the shift is as sharp as ever."""
    picture = np.full((240, 320), 50, np.uint8)
    cv2.circle(picture, (160, 120), 60, 190, -1, cv2.LINE_AA)
    by = Locator(learn(picture, (90, 50, 140, 140)), Limits(30.0, 0.0))
    seen = moved(picture, by.reference.centre, (8.4, -5.7), 0.0) + np.random.default_rng(1).normal(0, 3, picture.shape)
    found = locate(np.clip(seen, 0, 255).astype(np.uint8), by)
    assert np.hypot(found.dx - 8.4, found.dy + 5.7) < 0.15
    assert found.angle_deg == 0.0


def test_a_straight_edge_tells_no_place_along_it() -> None:
    """A strip that runs through the picture is the same everywhere along itself: refused."""
    picture = np.full((240, 320), 50, np.uint8)
    picture[100:140] = 190
    by = Locator(learn(cv2.GaussianBlur(picture, (0, 0), 1.5), (110, 70, 100, 100)), Limits(40.0, 5.0))
    grain = np.random.default_rng(1).normal(0, 4, picture.shape)
    with pytest.raises(NotLocatedError):
        locate(np.clip(picture + grain, 0, 255).astype(np.uint8), by)


def test_two_parts_in_the_picture_are_refused() -> None:
    """Which of them triggered, nobody knows."""
    rng = np.random.default_rng(4)
    part = cv2.GaussianBlur(rng.integers(0, 256, (60, 60), dtype=np.uint8), (0, 0), 3)
    part = cv2.normalize(part, None, 0, 255, cv2.NORM_MINMAX)
    alone = np.full((200, 300), 90, np.uint8)
    alone[70:130, 60:120] = part
    two = alone.copy()
    two[70:130, 170:230] = part
    by = Locator(learn(alone, (55, 65, 70, 70)), Limits(130.0, 0.0))
    assert np.hypot(locate(alone, by).dx, locate(alone, by).dy) < 0.1
    with pytest.raises(NotLocatedError, match="two places look alike"):
        locate(two, by)


@pytest.mark.realdata
@pytest.mark.parametrize("pattern", ["cookies/training-images/*.jpg", "screws_missing/train_val_set/**/*.jpg",
                                     "magnetic_tile/MT_Free/*.jpg"])  # fmt: skip
def test_a_photograph_that_was_moved_is_found_where_it_went(shared_data: Path, pattern: str) -> None:
    """Real photographs, turned and shifted by known amounts, darker and with noise: 0.5 px and 0.3° at the region."""
    rng = np.random.default_rng(8)
    files = sorted(shared_data.glob(pattern))
    assert files, pattern
    for file in files[:: max(1, len(files) // 6)][:6]:
        image = load_image(file)
        factor = max(1, max(image.shape[:2]) // 900)
        grey = cv2.resize(grey_of(image), None, fx=1 / factor, fy=1 / factor, interpolation=cv2.INTER_AREA)
        rows, columns = grey.shape
        width, height = round(columns * 0.6), round(rows * 0.6)
        by = Locator(
            learn(grey, ((columns - width) // 2, (rows - height) // 2, width, height)), Limits(25.0, 12.0, 0.4)
        )
        shift, angle_deg = (float(rng.uniform(-12, 12)), float(rng.uniform(-12, 12))), float(rng.uniform(-10, 10))
        seen = moved(grey, by.reference.centre, shift, angle_deg) * 0.8 + rng.normal(5, 3, grey.shape)
        found = locate(np.clip(seen, 0, 255).astype(np.uint8), by)
        assert np.hypot(found.dx - shift[0], found.dy - shift[1]) < 0.5, file.name
        assert abs(found.angle_deg - angle_deg) < 0.3, file.name


def test_a_picture_of_another_size_is_refused() -> None:
    """The window would lie at another place of the part."""
    with pytest.raises(NotLocatedError, match="pictures must have the size of the one it was learned from"):
        locator().locate(np.zeros((100, 100), np.uint8))


@given(
    angle=st.floats(-3, 3), shift=st.tuples(st.floats(-50, 50), st.floats(-50, 50)), factor=st.integers(1, 9),
    target=st.tuples(st.floats(-99, 99), st.floats(-99, 99)), source=st.tuples(st.floats(-99, 99), st.floats(-99, 99)),
)  # fmt: skip
def test_a_matrix_of_small_pictures_takes_the_same_places_to_the_same_places(
    angle: float, shift: tuple[float, float], factor: int, target: tuple[float, float], source: tuple[float, float]
) -> None:
    """Through the large pictures or the small ones: the way makes no difference."""
    matrix, middle = rigid(angle, shift, (31.0, 17.0)), (factor - 1) / 2
    small = np.array([3.0, 5.0])
    through_large = matrix @ (*(np.array(source) + factor * small + middle), 1.0)
    through_small = shrunk(matrix, factor, target, source) @ (*small, 1.0)
    assert np.allclose(np.array(target) + factor * through_small + middle, through_large, atol=1e-6)


def test_a_reference_comes_back_from_its_file(tmp_path: Path) -> None:
    """Bit by bit, and the same reference makes the same bytes: the configuration's digest depends on them."""
    one, two = tmp_path / "one.align", tmp_path / "two.align"
    save(reference(), one)
    back = load(one)
    save(back, two)
    assert one.read_bytes() == two.read_bytes()
    assert np.array_equal(back.picture, reference().picture)
    assert (back.region, back.origin, back.picture_size) == (REGION, reference().origin, (640, 480))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_damaged_file_is_refused_or_is_the_reference(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Whatever bytes are changed or missing: an error that names the file, or nothing that mattered was hit."""
    file = tmp_path_factory.mktemp("damaged") / "part.align"
    picture = np.random.default_rng(1).integers(0, 256, (40, 40), dtype=np.uint8)
    whole = learn(picture, (8, 8, 24, 24))
    save(whole, file)
    content = bytearray(file.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    del content[data.draw(st.sampled_from((len(content), len(content) // 2, 3))) :]
    file.write_bytes(bytes(content))
    try:
        back = load(file)
    except GeometryFileError:
        return
    assert back.patch.shape == (back.region[3], back.region[2])
    assert np.array_equal(back.picture, whole.picture)


def test_a_reference_of_numbers_that_are_none_is_refused(tmp_path: Path) -> None:
    """Infinity is a number to Python's reader of JSON, and no pixel."""
    sound, file = tmp_path / "part.align", tmp_path / "endless.align"
    save(reference(), sound)
    with zipfile.ZipFile(sound) as whole, zipfile.ZipFile(file, "w") as archive:
        archive.writestr("part.json", whole.read("part.json").replace(b"640", b"Infinity"))
        archive.writestr("reference.png", whole.read("reference.png"))
    with pytest.raises(GeometryFileError, match="is no reference of a part"):
        load(file)


def test_what_nothing_can_be_found_by_is_not_learned(tmp_path: Path) -> None:
    """A region out of the picture, a tiny one, and one without contrast; an absent file and one that is no zip."""
    picture = line().render(1, "good").pixels
    for region, told in (
        ((600, 0, 100, 100), "inside the picture are needed"),
        ((0, 0, 8, 100), "at least 16×16"),
        ((-1, 0, 50, 50), "inside the picture"),
    ):
        with pytest.raises(GeometryFileError, match=told):
            learn(picture, region)
    with pytest.raises(GeometryFileError, match="choose a region that holds an outline"):
        learn(np.full((100, 100), 7, np.uint8), (10, 10, 50, 50))
    with pytest.raises(GeometryFileError, match="cannot be read"):
        load(tmp_path / "none.align")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(GeometryFileError, match="is no reference of a part"):
        load(tmp_path / "other.zip")


def test_no_figure_is_minus_zero() -> None:
    """What is rounded to nothing has no sign."""
    figures = Pose(-0.001, -0.004, -0.0009, 1.0).figures
    assert not any("-" in str(figure) for figure in figures.values())

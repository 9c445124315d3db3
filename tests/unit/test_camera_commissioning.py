"""What has changed since a camera was commissioned is told with its place, and nothing is told of a steady one."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camera.commissioning import CommissioningError, Reference, changes, load, reference_of, save
from camera.figures import measure
from camera.frame import Pixels

HEIGHT, WIDTH = 480, 640


def target(seed: int = 0) -> Pixels:
    """A printed target: detail everywhere."""
    rough = np.random.default_rng(seed).integers(40, 200, (HEIGHT // 4, WIDTH // 4), np.uint8)
    return cv2.resize(rough, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR).astype(np.uint8)


def seen(change: Callable[[Pixels], Pixels] = lambda picture: picture, noise_seed: int = 1) -> Reference:
    """Five pictures of the target with noise of two grey values, changed as a lens or a lamp would."""
    draw = np.random.default_rng(noise_seed)
    noisy = [np.rint(change(target()) + draw.normal(0, 2, (HEIGHT, WIDTH))) for _ in range(5)]
    return reference_of("top", 1.7e9, [measure(np.clip(one, 0, 255).astype(np.uint8)) for one in noisy])


def spot(x: float, y: float, blur: float, light: float) -> Callable[[Pixels], Pixels]:
    """A finger print at a place, as shares of the picture: blurred and darker."""
    down, across = np.mgrid[:HEIGHT, :WIDTH]
    mask = np.exp(-((((across / WIDTH - x) / 0.13) ** 2 + ((down / HEIGHT - y) / 0.13) ** 2) ** 2))

    def change(picture: Pixels) -> Pixels:
        soft = cv2.GaussianBlur(picture, (0, 0), blur) * light
        return (picture * (1 - mask) + soft * mask).astype(np.uint8)

    return change


def test_a_steady_camera_has_not_changed() -> None:
    """Other noise, the same picture: nothing."""
    assert changes(seen(), seen(noise_seed=2)) == []


@pytest.mark.parametrize(
    ("x", "y", "where"),
    [(0.15, 0.15, "upper left"), (0.85, 0.5, "middle right"), (0.5, 0.5, "middle"), (0.5, 0.85, "lower middle")],
)
def test_dirt_is_told_with_its_place(x: float, y: float, where: str) -> None:
    """A finger print takes detail and light from its place, and from nowhere else."""
    found = {change.what: change for change in changes(seen(), seen(spot(x, y, 5.0, 0.85)))}
    assert found["detail"].where == where
    assert found["detail"].share < -0.3
    assert found["light"].where == where
    assert found["light"].share < -0.05
    assert "brightness" not in found


def test_what_concerns_the_whole_picture_is_told_as_that() -> None:
    """Out of focus; a lamp that is weaker; a lamp that was moved to the left."""
    blurred = changes(seen(), seen(lambda picture: cv2.GaussianBlur(picture, (0, 0), 3).astype(np.uint8)))
    assert [(change.what, change.where) for change in blurred][:1] == [("focus", "everywhere")]
    [dim] = changes(seen(), seen(lambda picture: (picture * 0.7).astype(np.uint8)))
    assert (dim.what, dim.where) == ("brightness", "everywhere")
    assert dim.share == pytest.approx(-0.3, abs=0.02)
    slope = np.linspace(1.15, 0.85, WIDTH)
    moved = changes(seen(), seen(lambda picture: np.clip(picture * slope, 0, 255).astype(np.uint8)))
    assert "light" in {change.what for change in moved}


def test_a_reference_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Nothing has changed after a trip through the file."""
    file = tmp_path / "top.json"
    save(seen(), file)
    back = load(file)
    assert changes(back, seen(noise_seed=3)) == []
    assert (back.camera, back.pictures) == ("top", 5)


@settings(max_examples=30, deadline=None)
@given(
    st.one_of(st.binary(max_size=60), st.sampled_from([b"{}", b"[]", b'{"schema": 1, "light": [1], "detail": [2]}']))
)
def test_a_broken_reference_is_refused(tmp_path_factory: pytest.TempPathFactory, broken: bytes) -> None:
    """One sentence, whatever the file holds."""
    file = tmp_path_factory.mktemp("reference") / "r.json"
    file.write_bytes(broken)
    with pytest.raises(CommissioningError, match="--save-reference"):
        load(file)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("focus", "NaN"),
        ("brightness", "Infinity"),
        ("pictures", "Infinity"),
        ("focus", "1" + "0" * 400),
        ("x", "[" * 9999),
    ],
)
def test_a_reference_of_numbers_that_are_none_is_refused(tmp_path: Path, name: str, value: str) -> None:
    """With such a level nothing would ever have changed, and a number too large is no other failure."""
    file = tmp_path / "top.json"
    save(seen(), file)
    story = file.read_text().replace("{", f'{{"{name}": 0,', 1) if name == "x" else file.read_text()
    file.write_text(re.sub(rf'"{name}": [^,]*', f'"{name}": {value}', story))
    with pytest.raises(CommissioningError, match="--save-reference"):
        load(file)


def test_no_picture_is_no_reference() -> None:
    """The text says that one is needed."""
    with pytest.raises(CommissioningError, match="no picture"):
        reference_of("top", 0.0, [])

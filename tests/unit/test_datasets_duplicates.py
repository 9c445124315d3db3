"""Copies and photographs of one piece are found by themselves, and different pieces are kept apart."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets import find_duplicates, read_dataset
from datasets.duplicates import compare_groups
from datasets.linking import link
from datasets.synthetic import PartRenderer


def surface(seed: int, side: int = 260) -> np.ndarray:
    """A surface with structure of its own, (side, side) uint8."""
    rng = np.random.default_rng(seed)
    layers = sum(cv2.GaussianBlur(rng.normal(0, s, (side, side)), (0, 0), s) for s in (1.5, 4.0, 12.0))
    return np.clip(110 + 22 * layers, 0, 255).astype(np.uint8)


def write(path: Path, pixels: np.ndarray) -> Path:
    assert cv2.imwrite(str(path), pixels)
    return path


def test_exposures_and_crops_of_a_piece_are_grouped(tmp_path: Path) -> None:
    """Six exposures of a piece, each cropped a little differently, form one group; another piece another."""
    paths = []
    for piece in range(12):
        whole = surface(piece)
        for exposure in range(6):
            x, y = np.random.default_rng([piece, exposure]).integers(0, 24, 2)
            crop = whole[y : y + 220, x : x + 225] * (0.45 + 0.17 * exposure)
            paths.append(write(tmp_path / f"{piece:02d}-{exposure}.jpg", np.clip(crop, 0, 255)))
    found = find_duplicates(paths)
    agreement = compare_groups(found.groups, {path: path.name[:2] for path in paths})
    assert (agreement.precision, agreement.recall) == (1.0, 1.0)


def test_equal_content_is_found_whatever_the_name(tmp_path: Path) -> None:
    """Copies are exact duplicates and share a group; images of one colour, which show nothing, do not meet others."""
    names = ("a.png", "b.png")
    copies = [write(tmp_path / name, surface(1)) for name in names]
    flat = [write(tmp_path / f"flat-{level}.png", np.full((64, 64), level, np.uint8)) for level in (10, 200)]
    found = find_duplicates([*copies, *flat])
    assert found.exact == (tuple(copies),)
    assert found.repeated() == (tuple(copies),)


def test_a_smaller_and_a_recompressed_copy_are_found(tmp_path: Path) -> None:
    """A picture meets its half-size copy and its JPEG among pictures that are strangers."""
    strangers = [write(tmp_path / f"s{seed}.png", surface(100 + seed, 400)) for seed in range(12)]
    original = write(tmp_path / "o.png", surface(7, 400))
    half = write(tmp_path / "half.png", cv2.resize(surface(7, 400), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
    jpeg = write(tmp_path / "o.jpg", surface(7, 400))
    found = find_duplicates([*strangers, original, half, jpeg])
    assert found.repeated() == ((original, half, jpeg),)


def test_parts_of_one_product_are_not_glued_together(tmp_path: Path) -> None:
    """Different parts of one product in one fixture look alike, and still are different pieces."""
    renderer = PartRenderer(5, 320, 240)
    paths = [write(tmp_path / f"{k}.png", renderer.render(k).pixels) for k in range(60)]
    assert find_duplicates(paths).repeated() == ()


def test_five_parts_of_one_product_stay_five_pieces(tmp_path: Path) -> None:
    """So few do not tell how much parts resemble each other, and still are not taken for one; a copy is."""
    renderer = PartRenderer(5, 320, 240)
    paths = [write(tmp_path / f"{k}.png", renderer.render(k).pixels) for k in range(5)]
    assert find_duplicates(paths).repeated() == ()
    copy = write(tmp_path / "copy.jpg", renderer.render(0).pixels)
    assert find_duplicates([*paths, copy]).repeated() == ((paths[0], copy),)


def test_few_images(tmp_path: Path) -> None:
    """No image, one image and two strangers have no duplicates."""
    paths = [write(tmp_path / f"{k}.png", surface(k)) for k in range(2)]
    for count in range(3):
        assert find_duplicates(paths[:count]).repeated() == ()


def test_a_chain_of_single_links_does_not_glue() -> None:
    """Two tight groups with one accidental pair between them stay two."""
    tight = [(a, b) for base in (0, 8) for a in range(base, base + 8) for b in range(a + 1, base + 8)]
    pairs = np.array([*tight, (3, 11)])
    assert link(16, [], pairs, [0.9] * len(tight) + [0.5]) == [0] * 8 + [1] * 8


@settings(max_examples=40, deadline=None)
@given(
    pairs=st.lists(
        st.tuples(st.integers(0, 14), st.integers(0, 14)).filter(lambda p: p[0] < p[1]), unique=True, max_size=60
    )
)
def test_groups_never_reach_beyond_what_is_connected(pairs: list[tuple[int, int]]) -> None:
    """Each group lies inside one connected component of the pairs."""
    groups = link(15, [], np.array(pairs, np.int64).reshape(-1, 2), [1.0] * len(pairs))
    component = list(range(15))
    for _ in range(15):
        for a, b in pairs:
            component[a] = component[b] = min(component[a], component[b])
    for group in set(groups):
        assert len({component[k] for k in range(15) if groups[k] == group}) == 1


@pytest.mark.realdata
def test_the_exposures_of_a_magnetic_tile_belong_together(shared_data: Path) -> None:
    """Without names or the groups file, the groups found agree with it.

    The file was inferred by clustering and has errors of its own: sequences of six exposures cut one image off, tiles
    photographed twice under two numbers, two tiles under one. Judged by eye, all merges against it were right. So the
    bounds are below what was measured (precision 0.890, recall 0.962).
    """
    data = read_dataset(shared_data / "magnetic_tile")
    found = find_duplicates([sample.path for sample in data.samples])
    agreement = compare_groups(found.groups, {sample.path: sample.group for sample in data.samples})
    assert agreement.precision >= 0.87
    assert agreement.recall >= 0.95


@pytest.mark.realdata
def test_strangers_on_real_photographs_stay_apart(shared_data: Path) -> None:
    """The nine copies in the steel set are found, and neither steel, toys nor biscuits are glued into large groups."""
    for name, copies, most in (("x_sdd", 9, 60), ("aliens", 0, 4), ("cookies", 0, 10)):
        paths = sorted(
            p for p in (shared_data / name).rglob("*") if p.suffix in (".jpg", ".png") and "mask" not in str(p)
        )
        found = find_duplicates(paths)
        assert len(found.exact) == copies
        assert sum(len(group) for group in found.repeated()) <= most

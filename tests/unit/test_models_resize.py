"""Resizing to the model's input: any image, nothing left out, the same for views and copies."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.errors import PixelError
from models.resize import fit

side = st.integers(1, 97)
target = st.integers(1, 40)
channel = st.sampled_from([1, 3])


def image(height: int, width: int, channels: int, seed: int) -> NDArray[np.uint8]:
    shape = (height, width) if channels == 1 else (height, width, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@settings(max_examples=150, deadline=None)
@given(h=side, w=side, source=channel, height=target, width=target, channels=channel, seed=st.integers(0, 9))
def test_any_size_gives_the_asked_size_within_the_source_range(
    h: int, w: int, source: int, height: int, width: int, channels: int, seed: int
) -> None:
    """From 1×1 up, grey or RGB to grey or RGB: the shape is right and no value lies outside the image's own range."""
    pixels = image(h, w, source, seed)
    out = fit(pixels, height, width, channels)
    assert out.shape == (height, width, channels)
    assert out.dtype == np.uint8
    assert pixels.min() <= out.min()
    assert out.max() <= pixels.max()


@settings(max_examples=60, deadline=None)
@given(h=side, w=side, source=channel, height=target, width=target, channels=channel, level=st.integers(0, 255))
def test_even_image_stays_even(h: int, w: int, source: int, height: int, width: int, channels: int, level: int) -> None:
    """An image of one grey level keeps exactly that level."""
    pixels = np.full((h, w) if source == 1 else (h, w, 3), level, np.uint8)
    assert (fit(pixels, height, width, channels) == level).all()


@settings(max_examples=80, deadline=None)
@given(
    h=st.integers(8, 97),
    w=st.integers(8, 97),
    channels=channel,
    edge=st.sampled_from(["top", "bottom", "left", "right"]),
)
def test_no_edge_is_left_out(h: int, w: int, channels: int, edge: str) -> None:
    """A white line on the outermost row or column is seen along the whole edge of the result, odd sizes or not."""
    pixels = np.zeros((h, w) if channels == 1 else (h, w, 3), np.uint8)
    line = {"top": np.s_[:1], "bottom": np.s_[-1:], "left": np.s_[:, :1], "right": np.s_[:, -1:]}[edge]
    pixels[line] = 255
    assert (fit(pixels, 8, 8, channels)[line] > 0).all()


@settings(max_examples=60, deadline=None)
@given(h=side, w=side, source=channel, height=target, width=target, channels=channel, seed=st.integers(0, 9))
def test_views_buffers_and_copies_agree(
    h: int, w: int, source: int, height: int, width: int, channels: int, seed: int
) -> None:
    """A region cut out of a larger frame, a given buffer and a trailing channel axis change nothing; input is kept."""
    frame = image(h + 5, w + 7, source, seed)
    view = frame[2 : 2 + h, 3 : 3 + w]
    before = frame.copy()
    expected = fit(np.ascontiguousarray(view), height, width, channels)
    buffer = np.empty((height, width, channels), np.uint8)
    assert fit(view, height, width, channels, buffer) is buffer
    np.testing.assert_array_equal(buffer, expected)
    if source == 1:
        np.testing.assert_array_equal(fit(view[:, :, None], height, width, channels), expected)
    np.testing.assert_array_equal(frame, before)


def test_result_never_aliases_the_image() -> None:
    """Even when nothing is to be done the result is a copy: the camera may fill its buffer again."""
    pixels = image(8, 8, 3, 0)
    out = fit(pixels, 8, 8, 3)
    np.testing.assert_array_equal(out, pixels)
    assert not np.shares_memory(out, pixels)


@pytest.mark.parametrize("size", [(512, 640), (500, 700), (1024, 96)])
def test_result_is_close_to_plain_area(size: tuple[int, int]) -> None:
    """On a smooth picture the halvings stay within a few grey levels of one area step, far nearer than bilinear."""
    noise = np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8)
    pixels = cv2.GaussianBlur(noise, (0, 0), 3)
    pixels = cv2.normalize(pixels, None, 0, 255, cv2.NORM_MINMAX)
    plain = cv2.resize(pixels, (64, 64), interpolation=cv2.INTER_AREA).astype(int)
    bilinear = cv2.resize(pixels, (64, 64), interpolation=cv2.INTER_LINEAR).astype(int)
    ours = np.abs(fit(pixels, 64, 64, 1)[:, :, 0].astype(int) - plain).mean()
    assert ours < 4
    assert ours < np.abs(bilinear - plain).mean() / 2


@settings(max_examples=80, deadline=None)
@given(h=st.integers(16, 800), height=target)
def test_picture_stays_in_place(h: int, height: int) -> None:
    """A ramp comes out where one area step puts it, to less than one pixel of the result, odd sizes or not."""
    ramp = np.repeat(np.linspace(0, 255, h).round().astype(np.uint8)[:, None], 2 * height, axis=1)
    plain = cv2.resize(ramp, (height, min(h, height)), interpolation=cv2.INTER_AREA)
    if h < height:
        plain = cv2.resize(plain, (height, height), interpolation=cv2.INTER_LINEAR)
    down = fit(ramp, height, height, 1)[:, :, 0]
    across = fit(np.ascontiguousarray(ramp.T), height, height, 1)[:, :, 0].T
    one_pixel = 255 / height
    for found in (down, across):
        assert np.abs(found.astype(int) - plain).max() <= one_pixel + 1


def test_halvings_are_exact_area() -> None:
    """Down by four, both ways of averaging agree to the rounding of one step."""
    pixels = image(64, 96, 3, 1)
    plain = cv2.resize(pixels, (24, 16), interpolation=cv2.INTER_AREA).astype(int)
    assert np.abs(fit(pixels, 16, 24, 3).astype(int) - plain).max() <= 1


def test_channels_are_rgb() -> None:
    """Red is the first channel: grey of pure red is 76 (BT.601), of pure blue 29."""
    red, blue = np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4, 3), np.uint8)
    red[..., 0], blue[..., 2] = 255, 255
    assert fit(red, 2, 2, 1).flat[0] == 76
    assert fit(blue, 2, 2, 1).flat[0] == 29


@pytest.mark.parametrize(
    ("pixels", "height", "channels", "out"),
    [
        (np.zeros((4, 4), np.uint16), 4, 1, None),
        (np.zeros((4, 4, 4), np.uint8), 4, 3, None),
        (np.zeros((4, 4, 2), np.uint8), 4, 3, None),
        (np.zeros((0, 4), np.uint8), 4, 1, None),
        (np.zeros(4, np.uint8), 4, 1, None),
        (np.zeros((4, 4), np.uint8), 0, 1, None),
        (np.zeros((4, 4), np.uint8), 4, 2, None),
        (np.zeros((4, 4), np.uint8), 4, 1, np.zeros((4, 4), np.uint8)),
        (np.zeros((4, 4), np.uint8), 4, 1, np.zeros((4, 4, 1), np.float32)),
    ],
)
def test_what_is_no_image_is_refused(
    pixels: NDArray[np.uint8], height: int, channels: int, out: NDArray[np.uint8] | None
) -> None:
    """Another type, four channels, no pixels, a wrong size or buffer: refused with the value and what is needed."""
    with pytest.raises(PixelError, match=r"— (needed is|at least)"):
        fit(pixels, height, 4, channels, out)

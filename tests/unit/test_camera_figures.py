"""The figures of a picture: what they say of known changes, and that every pixel format gives the same."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camera.errors import PixelFormatError
from camera.figures import CELLS, exposure, focus, histogram, light_map, measure, noise, strips, uniformity
from camera.frame import Pixels


def scene(seed: int = 0, height: int = 480, width: int = 640) -> Pixels:
    """A grey picture with detail everywhere, between 40 and 200."""
    rough = np.random.default_rng(seed).integers(0, 256, (height // 8, width // 8), np.uint8)
    smooth = cv2.resize(rough, (width, height), interpolation=cv2.INTER_CUBIC)
    return cv2.normalize(smooth, None, 40, 200, cv2.NORM_MINMAX).astype(np.uint8)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.floats(0.6, 4.0), st.floats(1.2, 3.0))
def test_more_blur_is_less_focus(seed: int, sigma: float, factor: float) -> None:
    """Focus falls with every blur, and twice the light leaves it as it is."""
    sharp = scene(seed, 96, 128)
    blurred = cv2.GaussianBlur(sharp, (0, 0), sigma).astype(np.uint8)
    more = cv2.GaussianBlur(sharp, (0, 0), sigma * factor).astype(np.uint8)
    assert focus(sharp) > focus(blurred) > focus(more)
    assert focus((sharp // 2).astype(np.uint8)) == pytest.approx(focus(sharp), rel=0.05)


def test_focus_is_brenners_sum() -> None:
    """The measure is what its source says, computed here by hand in float64."""
    image = scene(3, 40, 50)
    grey = image.astype(np.float64)
    across = np.mean((grey[:, 2:] - grey[:, :-2]) ** 2)
    along = np.mean((grey[2:] - grey[:-2]) ** 2)
    assert focus(image) == pytest.approx((across + along) / grey.mean() ** 2, rel=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 200), st.integers(1, 200), st.sampled_from([1, 3]))
def test_figures_of_any_size_are_numbers(height: int, width: int, channels: int) -> None:
    """No size of picture is a crash, and black is no division by zero."""
    shape = (height, width) if channels == 1 else (height, width, channels)
    for value in (0, 77, 255):
        found = measure(np.full(shape, value, np.uint8))
        assert found.focus == 0.0
        assert found.brightness == pytest.approx(value)
        assert (found.saturated, found.dark) == (float(value == 255), float(value == 0))
        assert found.light.shape == found.detail.shape == (CELLS, CELLS)
        assert np.isfinite(found.light).all()


def raw_frames(grey: Pixels) -> dict[str, np.ndarray]:
    """The same scene as cameras send it: 8-bit samples in the upper bits of each format."""
    wide = grey.astype(np.uint16)
    pairs = wide.reshape(grey.shape[0], -1, 2) << 4
    packed = np.stack([pairs[:, :, 0] & 255, pairs[:, :, 0] >> 8 | (pairs[:, :, 1] & 15) << 4, pairs[:, :, 1] >> 4], 2)
    yuv = np.full((grey.shape[0], grey.shape[1], 2), 128, np.uint8)
    yuv[:, :, 0] = grey
    return {
        "": grey,
        "Mono8": grey,
        "RGB8": np.repeat(grey[:, :, None], 3, 2),
        "BayerRG8": grey,
        "Mono12": (wide << 4).view(np.uint8),
        "Mono12p": packed.astype(np.uint8).reshape(grey.shape[0], -1),
        "BayerGB12p": packed.astype(np.uint8).reshape(grey.shape[0], -1),
        "YUV422_8": yuv.reshape(grey.shape[0], -1),
        "YUV422_8_UYVY": yuv[:, :, ::-1].reshape(grey.shape[0], -1),
    }


def test_each_pixel_format_gives_the_same_figures() -> None:
    """Raw, packed and Bayer frames of one grey scene measure what the grey picture measures, in a region, too."""
    grey = scene(5)
    for region in (None, (33, 41, 300, 200)):
        expected = measure(grey, "", region)
        for pixel_format, frame in raw_frames(grey).items():
            found = measure(frame, pixel_format, region)
            loose = 0.03 if pixel_format == "RGB8" else 1e-6  # fewer strips: its rows are three times as long
            assert found.focus == pytest.approx(expected.focus, rel=loose), pixel_format
            assert found.brightness == pytest.approx(expected.brightness, rel=loose), pixel_format
            np.testing.assert_allclose(found.light, expected.light, atol=0.1 if loose > 0.01 else 1e-5)


def test_strips_of_a_large_picture_measure_what_all_of_it_measures() -> None:
    """A tenth of the rows gives the focus within 3 % and the brightness within 1 %."""
    grey = scene(7, 960, 1280)
    assert strips(grey).size < 0.1 * grey.size
    found = measure(grey)
    assert found.focus == pytest.approx(focus(grey), rel=0.03)
    assert found.brightness == pytest.approx(float(grey.mean()), rel=0.01)
    np.testing.assert_allclose(found.light, light_map(grey), atol=0.2)


def test_the_centre_follows_the_part() -> None:
    """A part with detail on an even belt is found where it lies, by a fiftieth of the picture."""
    part = scene(9, 160, 160)
    for x, y in ((0.3, 0.4), (0.5, 0.5), (0.7, 0.6)):
        belt = np.full((480, 640), 90, np.uint8)
        left, top = round(x * 640) - 80, round(y * 480) - 80
        belt[top : top + 160, left : left + 160] = part
        found = measure(belt)
        assert found.x == pytest.approx(x, abs=0.04)
        assert found.y == pytest.approx(y, abs=0.04)


def test_exposure_histogram_and_light() -> None:
    """Shares are counts; light that falls off to a half has a uniformity of about a half."""
    image = np.zeros((40, 40), np.uint8)
    image[:10], image[10:20] = 255, 100
    assert exposure(image) == (pytest.approx((255 * 10 + 100 * 10) / 40), 0.25, 0.5)
    assert histogram(image)[[0, 100, 255]].tolist() == [800, 400, 400]
    ramp = np.tile(np.linspace(100, 200, 320), (240, 1)).astype(np.uint8)
    assert uniformity(ramp) == pytest.approx(106 / 194, abs=0.02)


def test_noise_is_that_of_one_picture() -> None:
    """Two pictures of the same scene with noise of 2 grey values each: 2, whatever the scene shows."""
    draw = np.random.default_rng(1)
    still = scene(2).astype(np.float64)
    one, other = (np.clip(np.rint(still + draw.normal(0, 2, still.shape)), 0, 255).astype(np.uint8) for _ in range(2))
    assert noise(one, other) == pytest.approx(2.0, rel=0.03)


def test_a_region_outside_the_frame_is_refused() -> None:
    """Both directions, raw or not."""
    for region in ((0, 470, 640, 20), (600, 0, 50, 20)):
        with pytest.raises(PixelFormatError, match="region"):
            measure(scene(), "Mono8", region)

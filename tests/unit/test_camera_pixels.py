"""Raw pixel formats are read as their definition says, whatever the size, the stride and the region."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camera.errors import PixelFormatError
from camera.pixels import FORMATS, SAMPLED, RawPicture, frame_size, image_of
from camera.yuv import YUV

BITS = {"8": 8, "10": 10, "12": 12, "16": 16, "10p": 10, "12p": 12, "10Packed": 10, "12Packed": 12}
CODES = {
    "BayerRG": cv2.COLOR_BayerRGGB2RGB,
    "BayerGB": cv2.COLOR_BayerGBRG2RGB,
    "BayerGR": cv2.COLOR_BayerGRBG2RGB,
    "BayerBG": cv2.COLOR_BayerBGGR2RGB,
}


def depth_of(name: str) -> str:
    return next(name.removeprefix(start) for start in ("Mono", *CODES) if name.startswith(start))


def pack(values: np.ndarray, depth: str) -> np.ndarray:
    """Write samples (rows, columns) bit by bit, as the PFNC and GigE Vision texts define each layout."""
    if depth == "8":
        return values.astype(np.uint8)
    if depth in ("10", "12", "16"):
        return np.ascontiguousarray(values.astype("<u2")).view(np.uint8)
    rows = []
    for row in values.tolist():
        if depth in ("10p", "12p"):  # one stream of bits, the least significant first
            stream = sum(value << BITS[depth] * place for place, value in enumerate(row))
            rows.append(list(stream.to_bytes(-(-BITS[depth] * len(row) // 8), "little")))
            continue
        low = BITS[depth] - 8
        data = []
        for place in range(0, len(row), 2):
            first, second = row[place], row[place + 1] if place + 1 < len(row) else None
            data += [first >> low, first % 2**low | ((second or 0) % 2**low) << 4]
            data += [] if second is None else [second >> low]
        rows.append(data)
    return np.array(rows, np.uint8)


@st.composite
def frames(draw: st.DrawFn) -> tuple[str, np.ndarray, np.ndarray, tuple[int, int, int, int]]:
    """A format, its samples, its bytes (sometimes a view of padded rows), and a region of it."""
    name = draw(st.sampled_from(sorted(SAMPLED)))
    depth = depth_of(name)
    rows, columns = draw(st.integers(4, 23)), draw(st.integers(4, 23))
    samples = np.random.default_rng(draw(st.integers(0, 2**32 - 1))).integers(0, 2 ** BITS[depth], (rows, columns))
    raw = pack(samples, depth)
    padding = draw(st.integers(0, 3))
    if padding:
        raw = np.pad(raw, ((0, 0), (0, padding)), constant_values=255)[:, : raw.shape[1]]
    x, y = draw(st.integers(0, columns - 1)), draw(st.integers(0, rows - 1))
    region = (x, y, draw(st.integers(1, columns - x)), draw(st.integers(1, rows - y)))
    return name, samples, raw, region


@settings(max_examples=250)
@given(frames())
def test_a_region_of_a_raw_frame_is_that_region_of_the_whole_picture(
    case: tuple[str, np.ndarray, np.ndarray, tuple[int, int, int, int]],
) -> None:
    """The upper 8 bits of each sample, demosaiced as a whole, then cropped: cropping first gives exactly that."""
    name, samples, raw, (x, y, width, height) = case
    grey = (samples >> BITS[depth_of(name)] - 8).astype(np.uint8)
    whole = grey if name.startswith("Mono") else cv2.cvtColor(grey, CODES[name.removesuffix(depth_of(name))])
    assert frame_size(raw, name) == samples.shape
    np.testing.assert_array_equal(image_of(raw, name), whole)
    np.testing.assert_array_equal(image_of(raw, name, (x, y, width, height)), whole[y : y + height, x : x + width])


@given(st.sampled_from(["Mono10", "Mono12", "Mono16", "BayerRG12"]), st.integers(4, 9), st.integers(4, 9))
def test_two_byte_samples_may_come_as_words(name: str, rows: int, columns: int) -> None:
    """uint16 (rows, columns) reads like its bytes."""
    words = np.random.default_rng(rows).integers(0, 2 ** BITS[depth_of(name)], (rows, columns), np.uint16)
    region = (1, 1, columns - 1, rows - 2)
    np.testing.assert_array_equal(image_of(words, name, region), image_of(words.view(np.uint8), name, region))


def full_range(data: np.ndarray) -> np.ndarray:
    """RGB of Y U Y V bytes whose levels are 0 … 255, by ITU-T T.871."""
    rows = data.shape[0]
    pairs = data.reshape(rows, -1, 4).astype(float)
    y = data.reshape(rows, -1, 2)[:, :, 0].astype(float)
    u, v = (np.repeat(pairs[:, :, place], 2, axis=1) - 128 for place in (1, 3))
    rgb = np.stack([y + 1.402 * v, y - 0.344136 * u - 0.714136 * v, y + 1.772 * u], axis=2)
    return np.rint(np.clip(rgb, 0, 255)).astype(np.uint8)


@given(st.sampled_from(sorted(YUV)), st.integers(1, 9), st.integers(1, 9), st.integers(0, 8), st.integers(1, 18))
def test_yuv_422_is_read_pair_by_pair(name: str, rows: int, pairs: int, x: int, width: int) -> None:
    """Both orders of the bytes give the same picture, and an odd region is the region of the whole.

    Levels are those of the format: all 256, to one level; or a video's, as OpenCV reads it, exactly.
    """
    data = np.random.default_rng(rows * 10 + pairs).integers(0, 256, (rows, pairs * 4), np.uint8)
    is_video = "601" in name
    right = cv2.cvtColor(data.reshape(rows, -1, 2), cv2.COLOR_YUV2RGB_YUY2) if is_video else full_range(data)
    if name.endswith("Y"):
        data = data.reshape(rows, -1, 2)[:, :, ::-1].reshape(rows, -1)
    x = min(x, pairs * 2 - 1)
    width = min(width, pairs * 2 - x)
    got = image_of(data, name, (x, 0, width, rows))
    assert np.abs(got.astype(int) - right[:, x : x + width]).max() <= (0 if is_video else 1)


def test_grey_in_yuv_is_the_grey_that_mono_would_be() -> None:
    """A camera that shows no colour sends the same levels as Mono8, black and white included; a video camera fewer."""
    level = np.arange(256, dtype=np.uint8)
    pairs = np.stack([level, np.full(256, 128, np.uint8)], axis=1).reshape(1, -1)
    for name in ("YUV422_8", "YCbCr422_8"):
        np.testing.assert_array_equal(image_of(pairs, name), np.repeat(level[None, :, None], 3, axis=2))
    video = image_of(pairs, "YCbCr601_422_8")[0, :, 0]
    assert (video[:17].max(), video[235:].min()) == (0, 255)


@pytest.mark.parametrize("name", ["Mono10p", "Mono12p", "Mono12Packed", "BayerRG12p", "YUV422_8", "YUV422_8_UYVY"])
def test_a_large_frame_is_read_as_its_rows_are(name: str) -> None:
    """What is converted strip by strip is whole: no strip is left out, cut short, or written over by the next."""
    raw = np.random.default_rng(4).integers(0, 256, (700, 1930), np.uint8)[:, :1920]
    border = 2 if name.startswith("Bayer") else 0
    whole, rows = image_of(raw, name), raw.shape[0]
    width = whole.shape[1]
    for first in range(0, rows, 50):
        last = min(first + 50, rows)
        here, above = image_of(raw[max(0, first - border) : last + border], name), min(first, border)
        np.testing.assert_array_equal(whole[first:last], here[above : above + last - first])
    np.testing.assert_array_equal(image_of(raw, name, (1, 3, width - 2, rows - 5)), whole[3:-2, 1:-1])


def test_what_needs_no_conversion_is_not_copied() -> None:
    """Mono8 and RGB8 give views of the frame; BGR8 gives RGB."""
    grey, colour = np.zeros((6, 8), np.uint8), np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3)
    assert np.shares_memory(image_of(grey, "Mono8", (1, 1, 4, 4)), grey)
    assert np.shares_memory(image_of(colour, "RGB8", (1, 1, 4, 4)), colour)
    np.testing.assert_array_equal(image_of(colour, "BGR8", (1, 1, 4, 4)), colour[1:5, 1:5, ::-1])


@pytest.mark.parametrize("name", FORMATS)
def test_an_array_that_is_no_such_frame_is_refused(name: str) -> None:
    """A wrong rank, a wrong type or a region out of the frame is named, never read."""
    for bad in (np.zeros((4, 5, 2), np.uint8), np.zeros((8, 8), np.float32), np.zeros((0, 8), np.uint8)):
        with pytest.raises(PixelFormatError, match=r"pixels|frame"):
            image_of(bad, name)
    good = np.zeros((8, 8, 3) if name in ("RGB8", "BGR8") else (8, 40), np.uint8)
    with pytest.raises(PixelFormatError, match="reaches out"):
        image_of(good, name, (0, 5, 4, 4))


def test_a_format_that_is_not_read_is_named() -> None:
    """The text lists what may be set instead."""
    with pytest.raises(PixelFormatError, match=r"'Coord3D_C16' is not read — one of Mono8"):
        image_of(np.zeros((4, 4), np.uint8), "Coord3D_C16")


def test_a_raw_picture_is_its_image() -> None:
    """What is recorded and shown of a raw frame is what the model looked at, made when it is asked for."""
    raw = np.random.default_rng(3).integers(0, 256, (8, 12), np.uint8)
    for name, columns, channels in (("Mono12p", 8, ()), ("BayerGB12p", 8, (3,)), ("YUV422_8", 6, (3,))):
        picture = RawPicture(raw, name)
        assert picture.shape == (8, columns, *channels)
        assert (picture.ndim, picture.nbytes) == (len(picture.shape), raw.nbytes)
        np.testing.assert_array_equal(np.asarray(picture), image_of(raw, name))
    with pytest.raises(ValueError, match="not read"):
        np.asarray(RawPicture(raw, "Coord3D_C16"))

"""Images from outside: judged exactly as training saw them, or refused before they take memory."""

from __future__ import annotations

import contextlib
import struct
import tracemalloc
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from camera.image_size import image_size
from camera.pixels import FORMATS, SAMPLED, image_of
from datasets.images import load_image
from inspection.api import v1 as pb
from inspection.api.errors import RefusedError
from inspection.api.images import MAX_PIXELS, request_pixels

GENERATOR = np.random.default_rng(7)
COLOUR = GENERATOR.integers(0, 256, (24, 40, 3), dtype=np.uint8)
PICTURES: dict[str, NDArray[np.uint8] | NDArray[np.uint16]] = {
    "rgb.png": COLOUR,
    "grey.png": COLOUR[:, :, 0],
    "rgba.png": np.dstack([COLOUR, COLOUR[:, :, :1]]),
    "deep.png": (COLOUR.astype(np.uint16) * 257 + 13),
    "rgb.jpg": COLOUR,
    "grey.jpg": COLOUR[:, :, 1],
    "rgb.bmp": COLOUR,
    "rgb.tif": COLOUR,
    "deep.tif": COLOUR[:, :, 0].astype(np.uint16) * 211,
}


def encoded(name: str, *options: int) -> bytes:
    done, data = cv2.imencode(Path(name).suffix, PICTURES[name], list(options))
    assert done
    return data.tobytes()


def decode(data: bytes) -> NDArray[np.uint8]:
    return request_pixels(pb.InspectRequest(encoded=data))


def png_header(width: int, height: int) -> bytes:
    """A small PNG whose header claims any size."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 64)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("name", PICTURES)
def test_pixels_are_those_that_training_reads(name: str, tmp_path: Path) -> None:
    """The same file gives the same pixels here and in the reader of training data: the same image, the same score."""
    path = tmp_path / name
    path.write_bytes(encoded(name))
    pixels = decode(path.read_bytes())
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, load_image(path))


def test_progressive_jpeg_is_complete() -> None:
    """A JPEG of several scans is taken whole."""
    assert decode(encoded("rgb.jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1)).shape == (24, 40, 3)


@pytest.mark.parametrize("name", PICTURES)
def test_size_is_read_from_the_header(name: str) -> None:
    """Each format tells width and height without decoding."""
    assert image_size(encoded(name)) == (40, 24)


@pytest.mark.parametrize("name", PICTURES)
@settings(max_examples=25, deadline=None)
@given(share=st.floats(0, 1, exclude_max=True))
def test_cut_off_file_is_refused(name: str, share: float) -> None:
    """Whatever is missing at the end, the image is refused: no verdict on a half-grey picture."""
    data = encoded(name)
    with pytest.raises(RefusedError) as refused:
        decode(data[: min(int(len(data) * share), len(data) - 2)])
    assert refused.value.reason == "IMAGE"
    assert refused.value.field == "encoded"


@pytest.mark.parametrize("name", ["rgb.png", "rgb.jpg", "rgb.bmp", "rgb.tif"])
@settings(max_examples=40, deadline=None)
@given(hits=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=4))
def test_damaged_file_is_pixels_or_a_refusal(name: str, hits: list[tuple[float, int]]) -> None:
    """Bytes changed anywhere never end in anything but pixels within the limits or one clear refusal."""
    data = bytearray(encoded(name))
    for share, value in hits:
        data[int(len(data) * share)] = value
    with contextlib.suppress(RefusedError):
        pixels = decode(bytes(data))
        assert pixels.size <= MAX_PIXELS * 3
        assert pixels.ndim in (2, 3)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "0 bytes"),
        (b"this is no image at all", "none of the formats"),
        (png_header(20_000, 20_000), "20000×20000"),
        (png_header(1, 1), "1×1"),
        (png_header(4_000_000_000, 2), "4000000000×2"),
        (b"BM" + struct.pack("<IHHIIii", 26, 0, 0, 26, 40, 50_000, -50_000), "50000×50000"),
    ],
    ids=["empty", "text", "huge", "tiny", "wide", "huge bmp"],
)
def test_bad_image_is_refused_with_value_and_limit(data: bytes, text: str) -> None:
    """Nothing, text, and sizes beyond the limits: refused with what came and what is allowed, without taking memory."""
    tracemalloc.start()
    with pytest.raises(RefusedError, match=text) as refused:
        decode(data)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 10_000_000
    assert " — " in str(refused.value)


@pytest.mark.parametrize("pixel_format", FORMATS)
@pytest.mark.parametrize("padding", [0, 7])
def test_each_format_of_the_cameras_is_read_as_theirs(pixel_format: str, padding: int) -> None:
    """The bytes of a frame give the pixels that a camera's frame gives, with padded rows and without."""
    width, height = 42, 30
    group = SAMPLED.get(pixel_format)
    row = 3 * width if pixel_format in ("RGB8", "BGR8") else 2 * width
    row = row if group is None else -(-width * group.size // group.pixels)
    rows = GENERATOR.integers(0, 256, (height, row + padding), dtype=np.uint8)
    frame = np.ascontiguousarray(rows[:, :row])
    if pixel_format in ("RGB8", "BGR8"):
        frame = frame.reshape(height, width, 3)
    for data in (rows.tobytes(), rows.tobytes()[: rows.size - padding]):
        image = pb.RawImage(
            data=data, width=width, height=height, pixel_format=pixel_format, stride_bytes=row + padding
        )
        pixels = request_pixels(pb.InspectRequest(raw=image))
        assert pixels.shape[:2] == (height, width)
        np.testing.assert_array_equal(pixels, image_of(frame, pixel_format))


def test_raw_pixels_keep_their_order() -> None:
    """RGB8 is taken as it is, BGR8 is turned round, Mono8 stays grey."""

    def raw(data: bytes, pixel_format: str) -> NDArray[np.uint8]:
        return request_pixels(
            pb.InspectRequest(raw=pb.RawImage(data=data, width=40, height=24, pixel_format=pixel_format))
        )

    np.testing.assert_array_equal(raw(COLOUR.tobytes(), "RGB8"), COLOUR)
    np.testing.assert_array_equal(raw(COLOUR.tobytes(), "BGR8"), COLOUR[:, :, ::-1])
    np.testing.assert_array_equal(raw(COLOUR[:, :, 0].tobytes(), "Mono8"), COLOUR[:, :, 0])


@pytest.mark.parametrize(
    ("image", "field", "text"),
    [
        (pb.RawImage(data=b"x" * 959, width=40, height=24, pixel_format="Mono8"), "raw.data", "959 bytes.*960 bytes"),
        (pb.RawImage(data=b"x" * 960, width=40, height=24, pixel_format="RGB8"), "raw.data", "2880 bytes"),
        (pb.RawImage(data=b"x" * 960, width=-40, height=-24, pixel_format="Mono8"), "raw", "-40×-24"),
        (pb.RawImage(data=b"x", width=20_000, height=20_000, pixel_format="Mono8"), "raw", "20000×20000"),
        (pb.RawImage(data=b"x" * 960, width=40, height=24, pixel_format="Mono13"), "raw.pixel_format", "Mono13"),
        (pb.RawImage(data=b"x" * 960, width=40, height=24, pixel_format="Mono12"), "raw.data", "1920 bytes"),
        (
            pb.RawImage(data=b"x" * 960, width=40, height=24, pixel_format="Mono8", stride_bytes=39),
            "raw.stride_bytes",
            "40 to",
        ),
        (
            pb.RawImage(data=b"x", width=40, height=24, pixel_format="Mono8", stride_bytes=2**32 - 1),
            "raw.stride_bytes",
            "4294967295",
        ),
    ],
)
def test_raw_pixels_must_fit_their_size(image: pb.RawImage, field: str, text: str) -> None:
    """A size, a format or a length that does not fit is refused at the field that is wrong."""
    with pytest.raises(RefusedError, match=text) as refused:
        request_pixels(pb.InspectRequest(raw=image))
    assert refused.value.field == field


def test_request_without_an_image_is_refused() -> None:
    """An empty request says what to send."""
    with pytest.raises(RefusedError, match=r"encoded.*raw"):
        request_pixels(pb.InspectRequest())

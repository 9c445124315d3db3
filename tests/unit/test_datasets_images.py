"""Image files as people bring them: what is read, and what is refused with a message that helps."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from datasets.errors import ImageError
from datasets.images import load_image


def picture(channels: int = 3, dtype: type = np.uint8) -> np.ndarray:
    rng = np.random.default_rng(1)
    shape = (40, 60) if channels == 1 else (40, 60, channels)
    return rng.integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)


def save(path: Path, pixels: np.ndarray) -> Path:
    assert cv2.imwrite(str(path), pixels)
    return path


def blank_png(path: Path, width: int, height: int) -> Path:
    """A complete PNG of any size that takes little room: one bit a pixel, all zero."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    packer = zlib.compressobj(9)
    row = bytes(1 + (width + 7) // 8)
    rows = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b""))
    return path


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
def test_colour_comes_as_rgb(tmp_path: Path, suffix: str) -> None:
    """A lossless colour file gives back its pixels in the order R, G, B."""
    pixels = picture()
    assert np.array_equal(load_image(save(tmp_path / f"a{suffix}", pixels)), pixels[:, :, ::-1])


def test_grey_stays_grey(tmp_path: Path) -> None:
    """A grey PNG and a grey JPEG come as (H, W)."""
    pixels = picture(1)
    assert np.array_equal(load_image(save(tmp_path / "a.png", pixels)), pixels)
    assert load_image(save(tmp_path / "a.jpg", pixels)).shape == (40, 60)


@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bits_are_scaled_over_the_full_range(tmp_path: Path, channels: int) -> None:
    """65535 becomes 255 and every value its nearest 255th."""
    pixels = picture(channels, np.uint16)
    pixels[0, 0] = 65535
    loaded = load_image(save(tmp_path / "a.png", pixels))
    expected = pixels if channels == 1 else pixels[:, :, ::-1]
    assert loaded.dtype == np.uint8
    assert np.abs(loaded - expected / 257).max() <= 0.501


def test_alpha_is_dropped(tmp_path: Path) -> None:
    """What is stored as colour stays, whatever its alpha says."""
    pixels = picture(4)
    assert np.array_equal(load_image(save(tmp_path / "a.png", pixels)), pixels[:, :, 2::-1])


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".tif"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9, 0.99])
def test_a_file_that_was_cut_off_is_refused(tmp_path: Path, suffix: str, share: float) -> None:
    """Wherever an image file ends too early, it is refused by name; a JPEG is not filled up with grey."""
    whole = save(tmp_path / f"whole{suffix}", picture()).read_bytes()
    part = tmp_path / f"part{suffix}"
    part.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(ImageError, match="part"):
        load_image(part)


def test_a_progressive_jpeg_is_followed_through_all_its_scans(tmp_path: Path) -> None:
    """A progressive JPEG is read, and refused where its last scan is missing."""
    path = tmp_path / "a.jpg"
    assert cv2.imwrite(str(path), picture(), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1, cv2.IMWRITE_JPEG_QUALITY, 90])
    assert load_image(path).shape == (40, 60, 3)
    data = path.read_bytes()
    path.write_bytes(data[: data.rindex(b"\xff\xda")])
    with pytest.raises(ImageError, match="cut off"):
        load_image(path)


def test_a_damaged_png_is_refused(tmp_path: Path) -> None:
    """One wrong byte in the pixel data breaks the checksum, and the message says so."""
    path = save(tmp_path / "a.png", picture())
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x10
    path.write_bytes(data)
    with pytest.raises(ImageError, match="checksum"):
        load_image(path)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    """A file of no bytes is called empty."""
    (tmp_path / "a.jpg").touch()
    with pytest.raises(ImageError, match=r"a\.jpg: the file is empty"):
        load_image(tmp_path / "a.jpg")


def test_text_under_an_image_name_is_refused(tmp_path: Path) -> None:
    """A text file named .png is called no image."""
    (tmp_path / "a.png").write_text("defects of June\n" * 9)
    with pytest.raises(ImageError, match="no image"):
        load_image(tmp_path / "a.png")


def test_a_misnamed_image_is_refused(tmp_path: Path) -> None:
    """A PNG named .jpg is told from damage, with what to do."""
    save(tmp_path / "a.png", picture()).rename(tmp_path / "a.jpg")
    with pytest.raises(ImageError, match=r"misnamed, the content is PNG.*rename"):
        load_image(tmp_path / "a.jpg")


def test_one_pixel_is_refused(tmp_path: Path) -> None:
    """A 1×1 image is refused with its size and the limit."""
    with pytest.raises(ImageError, match="1×1 pixels; at least 8×8"):
        load_image(save(tmp_path / "a.png", np.zeros((1, 1), np.uint8)))


def test_a_giant_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    """A 20,000×20,000 image is refused by its header, with its size and the limit."""
    with pytest.raises(ImageError, match=r"20000×20000 pixels \(400 megapixels\); at most 100"):
        load_image(blank_png(tmp_path / "a.png", 20_000, 20_000))


def test_one_bit_a_pixel_is_read(tmp_path: Path) -> None:
    """A bilevel PNG comes as grey; the same writer as for the giant shows that its size alone refused that one."""
    assert not load_image(blank_png(tmp_path / "a.png", 200, 100)).any()


def test_a_missing_file_is_an_image_error(tmp_path: Path) -> None:
    """A file that is gone is named, without a traceback of the system's."""
    with pytest.raises(ImageError, match=r"gone\.png: cannot be read"):
        load_image(tmp_path / "gone.png")

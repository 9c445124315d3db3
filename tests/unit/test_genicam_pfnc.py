"""Codes, old names and sizes of pixel formats are those that devices and their makers use."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camera.errors import PixelFormatError
from camera.genicam import pfnc
from camera.pixels import FORMATS, SAMPLED, frame_size, image_of

# pylon's names where they are neither the PFNC's nor the old ones of GigE Vision
_PYLON = {"YUV422_8_UYVY": "YUV422packed", "YUV422_8": "YUV422_YUYV_Packed", "RGB8": "RGB8packed", "BGR8": "BGR8packed"}


def test_every_format_that_is_read_has_one_code() -> None:
    """No format lacks a code, no code is two formats, and names come back from codes."""
    assert set(pfnc.CODES) == set(FORMATS)
    assert len(set(pfnc.CODES.values())) == len(pfnc.CODES)
    assert all(pfnc.name_of(code) == name for name, code in pfnc.CODES.items())
    assert all(pfnc.canonical(name) == name for name in FORMATS)
    assert pfnc.name_of(0x02300099) == "0x02300099"


def test_codes_are_those_of_another_maker() -> None:
    """Basler's runtime has the same code for every format that it knows by name."""
    from pypylon import pylon

    theirs = {name.removeprefix("PixelType_"): getattr(pylon, name) for name in dir(pylon) if name[:10] == "PixelType_"}
    theirs |= {name.replace("packed", "Packed"): code for name, code in theirs.items()}
    compared = {name for name in FORMATS if _PYLON.get(name, name) in theirs}
    assert {name: hex(pfnc.CODES[name]) for name in compared} == {
        name: hex(theirs[_PYLON.get(name, name)]) for name in compared
    }
    assert len(compared) >= 36, sorted(set(FORMATS) - compared)


@pytest.mark.parametrize("name", sorted(set(FORMATS)))
def test_bits_of_the_code_are_the_layout_of_the_image(name: str) -> None:
    """What the code says a pixel takes up is what `camera.pixels` reads."""
    layout = SAMPLED.get(name)
    bits = pfnc.bits_per_pixel(name)
    assert bits == (layout.size * 8 / layout.pixels if layout else {"R": 24, "B": 24, "Y": 16}[name[0]]) or (
        # Mono10Packed takes up 12 bits
        name.endswith("10Packed") and bits == 12
    )


@pytest.mark.parametrize(
    ("old", "now"),
    [
        ("RGB8Packed", "RGB8"),
        ("BGR8Packed", "BGR8"),
        ("YUV422Packed", "YUV422_8_UYVY"),
        ("YUV422_YUYV_Packed", "YUV422_8"),
        ("Mono12Packed", "Mono12Packed"),
        ("BayerRG12Packed", "BayerRG12Packed"),
        ("YCbCr422_8", "YCbCr422_8"),
    ],
)
def test_old_names_mean_the_layout_that_they_always_had(old: str, now: str) -> None:
    """Packed formats of GigE Vision keep their own bit order, YUV422Packed is UYVY, other colours are not guessed."""
    assert pfnc.canonical(old) == now
    assert pfnc.named_among(now, ["Mono8", old]) == old
    assert pfnc.named_among(old, ["Mono8", now]) == now
    assert pfnc.named_among(now, ["Mono8"]) is None


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(FORMATS), st.integers(4, 40), st.integers(4, 9), st.integers(0, 7), st.booleans(), st.data())
def test_a_flat_buffer_becomes_the_frame_and_nothing_else_does(
    name: str, width: int, height: int, padding_x: int, cut: bool, data: st.DataObject
) -> None:
    """The bytes of each row are where they were, nothing is copied, the image has the size; other sizes are refused."""
    if name.startswith("Y"):
        width -= width % 2
    row = pfnc.bytes_per_row(name, width)
    size = pfnc.frame_bytes(name, width, height, padding_x) - (padding_x if cut else 0)
    flat = np.arange(size, dtype=np.uint64).astype(np.uint8)
    pixels = pfnc.shaped(flat, name, width, height, padding_x)
    assert np.shares_memory(pixels, flat)
    for y in range(height):
        start = y * (row + padding_x)
        assert pixels[y].tobytes() == flat[start : start + row].tobytes()
    assert frame_size(pixels, name) == (height, width)
    assert image_of(pixels, name).shape[:2] == (height, width)
    other = data.draw(
        st.integers(0, 2 * size).filter(lambda other: other not in (size, size + padding_x, size - padding_x))
    )
    with pytest.raises(PixelFormatError, match=f"{other} bytes came"):
        pfnc.shaped(bytes(other), name, width, height, padding_x)


def test_a_view_of_a_foreign_buffer_stays_as_it_is() -> None:
    """Read-only memory gives a read-only frame; a buffer of wider samples is taken by its bytes."""
    assert not pfnc.shaped(bytes(12), "Mono8", 4, 3).flags.writeable
    assert pfnc.shaped(memoryview(bytearray(36)), "BGR8", 4, 3).shape == (3, 4, 3)
    words = np.arange(12, dtype="<u2")
    assert np.array_equal(image_of(pfnc.shaped(words, "Mono16", 4, 3), "Mono16"), np.zeros((3, 4)))


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (("RGBa8", 4, 4, 0), "'RGBa8' is not read"),
        (("Mono8", 0, 4, 0), "0 bytes came for 0×4"),
        (("Mono8", -2, -2, 0), "-2×-2"),
        (("Mono8", 4, 4, -4), "0 bytes came"),
        (("YUV422_8", 3, 0, 0), "bytes came"),
    ],
)
def test_what_makes_no_frame_is_refused(wrong: tuple[str, int, int, int], text: str) -> None:
    """Formats that are not read, and sizes that are none."""
    with pytest.raises(PixelFormatError, match=text):
        pfnc.shaped(b"", *wrong)


def test_half_a_pair_of_yuv_is_refused() -> None:
    """Two columns share their colour: an odd width has no whole last pair."""
    with pytest.raises(PixelFormatError, match="make Width even"):
        pfnc.shaped(bytes(3 * 2 * 4), "YUV422_8", 3, 4)

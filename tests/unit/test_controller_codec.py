"""The controller's framing, in C++ and in Python: each reads what the other writes, whatever the line does to it."""

from __future__ import annotations

import binascii
import ctypes

import pytest
from controller_world import needs_compiler
from hypothesis import example, given
from hypothesis import strategies as st

from inspection.ejector.controller.core import load
from inspection.ejector.controller.frame import MAX_PAYLOAD, Frame, FrameReader, encode

pytestmark = needs_compiler
FRAMES = st.builds(Frame, st.integers(0, 255), st.integers(0, 255), st.binary(max_size=MAX_PAYLOAD))


def encode_in_cpp(frame: Frame) -> bytes:
    out = ctypes.create_string_buffer(128)
    size = load().lw_encode(frame.type, frame.sequence, frame.payload, len(frame.payload), out)
    return out.raw[:size]


def read_in_cpp(data: bytes) -> tuple[list[Frame], int]:
    reader, out, size = load().lw_reader_new(), ctypes.create_string_buffer(128), ctypes.c_size_t()
    frames = [
        Frame(out.raw[0], out.raw[1], out.raw[2 : 2 + size.value])
        for byte in data
        if load().lw_reader_feed(reader, byte, out, ctypes.byref(size))
    ]
    bad = load().lw_reader_bad_frames(reader)
    load().lw_reader_free(reader)
    return frames, bad


def read_in_python(data: bytes, cuts: list[int]) -> tuple[list[Frame], int]:
    reader, frames, at = FrameReader(), [], 0
    for cut in [*sorted({cut % (len(data) + 1) for cut in cuts}), len(data)]:
        frames += reader.feed(data[at:cut])
        at = cut
    return frames, reader.bad_frames


def test_the_crc_is_the_one_that_is_documented() -> None:
    """CRC-16/IBM-3740 has the check value 0x29B1."""
    assert binascii.crc_hqx(b"123456789", 0xFFFF) == 0x29B1


@given(FRAMES)
@example(Frame(0, 0, b"\0" * MAX_PAYLOAD))
def test_both_write_the_same_bytes(frame: Frame) -> None:
    """Every frame has one form, with one zero, at its end."""
    written = encode(frame)
    assert written == encode_in_cpp(frame)
    assert written.index(0) == len(written) - 1
    assert len(written) <= MAX_PAYLOAD + 6


@given(st.lists(FRAMES, max_size=6), st.lists(st.integers(0, 10_000), max_size=6))
def test_both_read_what_was_written(frames: list[Frame], cuts: list[int]) -> None:
    """Frames arrive whole and in order, however the stream is cut."""
    data = b"".join(map(encode, frames))
    assert read_in_python(data, cuts) == (frames, 0)
    assert read_in_cpp(data) == (frames, 0)


@given(st.binary(max_size=400), st.lists(st.integers(0, 10_000), max_size=4), FRAMES)
def test_both_see_the_same_in_any_bytes(garbage: bytes, cuts: list[int], frame: Frame) -> None:
    """After any garbage and a zero the next frame is read, and both count the same bad stretches."""
    data = garbage + b"\0" + encode(frame)
    told = read_in_cpp(data)
    assert told == read_in_python(data, cuts)
    assert told[0][-1] == frame


@given(FRAMES, st.integers(0, 10_000), st.integers(1, 255))
def test_a_damaged_byte_is_noticed(frame: Frame, at: int, flip: int) -> None:
    """One changed byte never gives another frame (a CRC-16 finds every burst of up to 16 bits)."""
    data = bytearray(encode(frame))
    data[at % (len(data) - 1)] ^= flip
    for frames, _ in (read_in_cpp(bytes(data)), read_in_python(bytes(data), [])):
        assert all(one == frame for one in frames)


def test_an_endless_stretch_is_one_bad_frame() -> None:
    """A stretch without a zero takes no more room than the longest frame, and is forgotten at the next zero."""
    frame = Frame(5, 1, b"")
    data = b"\x01" * 10_000 + b"\0" + encode(frame)
    assert read_in_cpp(data) == read_in_python(data, [100, 5000]) == ([frame], 1)


def test_a_payload_that_is_too_long_is_refused() -> None:
    """Nothing is cut off in silence."""
    with pytest.raises(ValueError, match="97 bytes"):
        encode(Frame(1, 1, bytes(MAX_PAYLOAD + 1)))

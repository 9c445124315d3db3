"""The frame pool: a buffer is never handed out while a frame looks at it."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from inspection.pipeline.frame_pool import FramePool


def _frame_in(buffer: np.ndarray) -> np.ndarray:
    return buffer[:12].reshape(3, 4)


def test_a_buffer_comes_back_when_its_last_view_has_gone() -> None:
    """Views of views count, too; only when all are gone is the buffer free."""
    pool = FramePool(1)
    assert pool.free_buffer() is None
    pool.learn(np.zeros((3, 4), np.uint8))
    first = pool.free_buffer()
    assert first is not None
    frame, address = _frame_in(first), first.ctypes.data
    del first
    assert pool.free_buffer() is None
    row = frame[1]
    del frame
    assert pool.free_buffer() is None
    del row
    again = pool.free_buffer()
    assert again is not None
    assert again.ctypes.data == address


def test_a_larger_frame_replaces_the_buffers() -> None:
    """After a larger frame every buffer is large enough for it."""
    pool = FramePool(2)
    pool.learn(np.zeros(12, np.uint8))
    small = pool.free_buffer()
    assert small is not None
    pool.learn(np.zeros(20, np.uint8))
    large = pool.free_buffer()
    assert large is not None
    assert large.size == 20


@given(st.lists(st.one_of(st.just("take"), st.integers(0, 7)), max_size=60))
def test_frames_that_are_held_never_share_memory(steps: list[object]) -> None:
    """Whatever is taken and dropped in whatever order: no two held frames lie in one buffer."""
    pool = FramePool(4)
    pool.learn(np.zeros(12, np.uint8))
    held: list[np.ndarray] = []
    for step in steps:
        if step == "take":
            buffer = pool.free_buffer()
            if buffer is not None:
                held.append(_frame_in(buffer))
            del buffer
        elif held:
            del held[int(str(step)) % len(held)]
        assert len({frame.ctypes.data for frame in held}) == len(held) <= 4

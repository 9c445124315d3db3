"""Packed samples of 10 and 12 bits (GenICam PFNC, GigE Vision): the upper 8 bits of each, strip by strip.

OpenCV and numpy take many bytes at once where these lie side by side, and where numpy multiplies: its shift of single
bytes to the left takes one at a time.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from camera.frame import Pixels

_STRIP_BYTES = 512 * 1024  # less costs more in calls than the second cache saves; more leaves the third one
_PAGE, _APART = 4096, 1096  # bytes


def strips(rows: Pixels) -> Iterator[slice]:
    """Give strips of the rows: what is computed for one stays in the cache, and in memory that the process has already.

    Whole planes come from the kernel page by page each time, which costs ten times the computing on a busy machine.
    """
    step = strip_rows(rows)
    for first in range(0, rows.shape[0], step):
        yield slice(first, min(first + step, rows.shape[0]))


def strip_rows(rows: Pixels) -> int:
    """Return how many rows a strip has at most."""
    return int(min(rows.shape[0], max(1, _STRIP_BYTES * rows.shape[0] // rows.size)))


def planes(count: int, rows: int, width: int) -> list[Pixels]:
    """Return room for some planes, no two of which begin near the same place of a page.

    A processor takes addresses that are whole pages apart for the same at first, and waits: planes of a width of 2048
    or 640 that follow each other are up to twice as slow.
    """
    apart = -(-rows * width // _PAGE) * _PAGE + _APART
    room = np.empty(count * apart, np.uint8)
    return [room[apart * place :][: rows * width].reshape(rows, width) for place in range(count)]


def outer(rows: Pixels) -> Pixels:
    """Read Mono10Packed and Mono12Packed: two pixels in three bytes, the upper 8 bits in the first and the last."""
    groups, room, result = _pairs(rows)
    for strip in strips(rows):
        first, second, last = (plane[: strip.stop - strip.start] for plane in room)
        cv2.split(groups[strip], [first, second, last])
        cv2.merge([first, last], result[strip])
    return result.reshape(rows.shape[0], -1)


def lsb12(rows: Pixels) -> Pixels:
    """Read Mono12p: two pixels in three bytes, the least significant bit first."""
    groups, room, result = _pairs(rows)
    for strip in strips(rows):
        first, second, last = (plane[: strip.stop - strip.start] for plane in room)
        cv2.split(groups[strip], [first, second, last])
        first //= 16
        second *= 16  # without its upper half
        first |= second
        cv2.merge([first, last], result[strip])
    return result.reshape(rows.shape[0], -1)


def _pairs(rows: Pixels) -> tuple[Pixels, list[Pixels], Pixels]:
    """Return (rows, groups, 3) of two pixels in three bytes, room for their planes in a strip, and for the samples."""
    groups = rows.reshape(rows.shape[0], -1, 3)
    room = planes(3, strip_rows(rows), groups.shape[1])
    return groups, room, np.empty((*groups.shape[:2], 2), np.uint8)


def lsb10(rows: Pixels) -> Pixels:
    """Read Mono10p: four pixels in five bytes, the least significant bit first.

    Two neighbouring bytes hold the upper 8 bits of each pixel: bytes 0 and 1, 2 and 3 those of the first and the third,
    1 and 2, 3 and 4 those of the others. Multiplied as a word of 16 bits, these come to its upper byte.
    """
    groups = rows.reshape(rows.shape[0], -1, 5)
    result = np.empty(groups.shape[:2], "<u4")
    even = np.empty((strip_rows(rows), groups.shape[1]), "<u4")
    even_up, odd_up = (
        np.full(groups.shape[1], pair, "<u4").view("<u2") for pair in (1 << 18 | 1 << 6, 1 << 16 | 1 << 4)
    )
    for strip in strips(rows):
        part, firsts, words = groups[strip], even[: strip.stop - strip.start], result[strip]
        np.copyto(firsts, part[:, :, :4].view("<u4")[:, :, 0])
        np.copyto(words, part[:, :, 1:].view("<u4")[:, :, 0])
        halves, others = firsts.view("<u2"), words.view("<u2")
        halves *= even_up
        halves >>= 8
        others *= odd_up
        words &= 0xFF00FF00
        words |= firsts
    return result.view(np.uint8).reshape(rows.shape[0], -1)

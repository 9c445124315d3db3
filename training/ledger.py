"""Notes which rows of an array on disk are complete, so that a run that was killed loads only the others."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


class Ledger:
    """A checksum for each row of an array, in a file beside it; rows may be noted from several threads.

    A row counts only while its pixels have the checksum: neither a half-written row nor one that a power failure took
    from the disk is mistaken for a complete one, in whatever order the two files were written.
    """

    def __init__(self, file: Path, rows: int) -> None:
        size = 8 * rows
        if not file.exists() or file.stat().st_size != size:
            file.write_bytes(bytes(size))
        self._sums: NDArray[np.uint64] = np.memmap(file, dtype=np.uint64, mode="r+", shape=(rows,))

    def holds(self, index: int, row: NDArray[np.uint8]) -> bool:
        """Tell whether a row was completed, and is still what it was."""
        noted = int(self._sums[index])
        return noted != 0 and noted == _sum_of(row)

    def note(self, index: int, row: NDArray[np.uint8]) -> None:
        """Take a row for complete."""
        self._sums[index] = _sum_of(row)


def _sum_of(row: NDArray[np.uint8]) -> int:
    """Give the CRC-32 of a row with a bit above it, so that no row has the sum 0, which means: not there yet."""
    return (1 << 32) | zlib.crc32(np.ascontiguousarray(row).data)

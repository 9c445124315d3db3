"""Image files as bytes: which names are images, bounded reading, hashing, and one way to go through many of them."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from datasets.errors import ImageError

FORMAT_OF_SUFFIX = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".png": "PNG",
    ".bmp": "BMP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
}
UNSUPPORTED_SUFFIXES = frozenset({".webp", ".gif", ".heic", ".heif", ".avif", ".jp2", ".jxl", ".pgm", ".ppm"})

MAX_FILE_BYTES = 650_000_000  # 100 megapixels of three 16-bit channels, uncompressed, and some room

Item = TypeVar("Item")
Result = TypeVar("Result")
Progress = Callable[[int, int], None]


def read_bytes(path: Path) -> bytes:
    """Return the content of an image file; raise ImageError where it cannot be read, is empty or is too large."""
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise ImageError(
                f"{path}: the file has {size / 1e6:.0f} MB; at most {MAX_FILE_BYTES / 1e6:.0f} MB are allowed; "
                "crop or downsize the image"
            )
        data = path.read_bytes()
    except OSError as error:
        raise ImageError(f"{path}: cannot be read ({error.strerror or error}); check its rights") from error
    if not data:
        raise ImageError(f"{path}: the file is empty (0 bytes); an image is needed; copy it again or remove it")
    return data


def sha256_of(path: Path) -> str:
    """Return the sha256 (hex) of a file's content."""
    return hashlib.sha256(read_bytes(path)).hexdigest()


def sha256_of_each(paths: Sequence[Path]) -> list[str]:
    """Return the sha256 (hex) of each file's content, in order."""
    return list(in_threads(sha256_of, paths))


def in_threads(
    work: Callable[[Item], Result], items: Iterable[Item], *, total: int = 0, progress: Progress | None = None
) -> Iterator[Result]:
    """Yield `work(item)` for each item in order, done by a few threads with at most four items a thread in flight.

    Reading and cv2's decoding release the GIL, so threads suffice. progress: called with (done, total) after each item.
    An exception of `work` is raised here; what was not started by then is not started.
    """
    workers = min(8, os.cpu_count() or 1)
    done = 0
    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="images") as pool:
        waiting: deque[Future[Result]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) >= 4 * workers:
                    yield waiting.popleft().result()
                    done += 1
                    if progress is not None:
                        progress(done, total)
            while waiting:
                yield waiting.popleft().result()
                done += 1
                if progress is not None:
                    progress(done, total)
        finally:
            for future in waiting:
                future.cancel()

"""Image files: which parts' images are kept, how they are encoded, and how they become durable."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from inspection.part import Verdict
from inspection.records.durable import sync_directory
from inspection.records.model_input import with_inputs
from inspection.records.record import CONTENT_TYPES, ImageState, KeptImage, image_path

ImageFormat = Literal["jpeg", "png", "tiff"]
_LZW = 5
_FORMATS: dict[str, tuple[str, list[int]]] = {
    "jpeg": (".jpg", [cv2.IMWRITE_JPEG_QUALITY, 90]),
    "png": (".png", [cv2.IMWRITE_PNG_COMPRESSION, 1]),
    "tiff": (".tiff", [cv2.IMWRITE_TIFF_COMPRESSION, _LZW]),
}


class ImageSample:
    """Chooses whose image is kept: every rejected part's, and every N-th passed part's. Used under the owner's lock."""

    def __init__(self, one_of: int) -> None:
        """Keep one of `one_of` passed parts, beginning with the first; 0 keeps none."""
        self._one_of = one_of
        self._passed = 0

    def wants(self, verdict: Verdict) -> bool:
        """Count the part and return whether to keep its image."""
        if verdict is Verdict.REJECT:
            return True
        self._passed += 1
        return self._one_of > 0 and (self._passed - 1) % self._one_of == 0


def encode_image(pixels: NDArray[np.uint8], image_format: ImageFormat) -> bytes:
    """Return the file of a uint8 image, H×W or H×W×3 RGB. Raises ValueError when the pixels make no image."""
    is_grey = pixels.ndim == 2
    if pixels.dtype != np.uint8 or pixels.size == 0 or not (is_grey or (pixels.ndim == 3 and pixels.shape[2] == 3)):
        raise ValueError(f"pixels {pixels.dtype} {pixels.shape} — uint8 H×W or H×W×3 is allowed — mend the camera")
    suffix, parameters = _FORMATS[image_format]
    try:
        ok, data = cv2.imencode(suffix, pixels if is_grey else cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), parameters)
    except cv2.error as error:
        raise ValueError(f"pixels {pixels.shape}: not encoded as {image_format}: {error}") from error
    if not ok:
        raise ValueError(f"pixels {pixels.shape}: not encoded as {image_format} — choose another format")
    return data.tobytes()


def keep_image(
    root: Path, run: str, part: int, pixels: Any, image_format: ImageFormat, inputs: Sequence[Any] = ()
) -> KeptImage:
    """Encode one image and write it to its place below `root`; durable, with its folders, on return.

    The file is flushed before the record that names it is written: a record never names an image that a power loss can
    take. Nothing half-written stays. inputs: what the model got, kept in the same file (see `with_inputs`). Raises
    ValueError (no image) and OSError (disk).
    """
    data = with_inputs(encode_image(np.asarray(pixels), image_format), inputs)
    name = image_path(run, part, _FORMATS[image_format][0])
    path = root / name
    _make_folder(path.parent, root)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        try:
            _write_all(descriptor, data)
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)
        sync_directory(path.parent)
    except OSError:
        path.unlink(missing_ok=True)
        raise
    return KeptImage(ImageState.KEPT, name, hashlib.sha256(data).hexdigest(), len(data))


def remove_orphans(root: Path, named: set[str]) -> None:
    """Remove image files that no record names: a crash between file and record leaves them.

    `named`: the files that records name, relative to `root`. Only files of our own naming are touched.
    """
    for folder in _part_folders(root):
        for path in folder.iterdir():
            if path.suffix in CONTENT_TYPES and path.stem.isdigit() and str(path.relative_to(root)) not in named:
                path.unlink(missing_ok=True)


def _part_folders(root: Path) -> list[Path]:
    return [folder for folder in (root / "images").glob("*/*") if folder.is_dir() and not folder.is_symlink()]


def _make_folder(folder: Path, root: Path) -> None:
    if folder.is_dir():
        return
    if folder.parent != root:
        _make_folder(folder.parent, root)
    folder.mkdir(exist_ok=True)
    sync_directory(folder.parent)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]

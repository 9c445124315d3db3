"""What the model got, in the file of the picture: lossless, behind the picture's own end, where no viewer looks.

So there is one file, one hash in the record, one size and one removal for both. The layout of what is behind the
picture: for each view that is kept a PNG file; a line of JSON, `{"views": [size of its PNG in bytes, or null, …]}`;
the number of bytes of that line and of the PNG files, as two little-endian 64-bit numbers; 16 bytes that name it.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

_NAME = b"LINEWARD INPUT 1"
_TAIL = struct.Struct("<QQ16s")
_PNG = [cv2.IMWRITE_PNG_COMPRESSION, 1]

Input = NDArray[np.uint8]


def with_inputs(picture: bytes, inputs: Sequence[Input | None]) -> bytes:
    """Return a picture's file with the inputs of its views behind it, each uint8 (height, width, 1 or 3) RGB or None.

    Without any it stays as it is. Raises ValueError for what cannot be kept.
    """
    if all(one is None for one in inputs):
        return picture
    files = [None if one is None else _encoded(one) for one in inputs]
    line = json.dumps({"views": [None if file is None else len(file) for file in files]}).encode()
    body = b"".join(file for file in files if file is not None)
    return b"".join((picture, body, line, _TAIL.pack(len(line), len(body), _NAME)))


def inputs_of(data: bytes) -> tuple[Input | None, ...]:
    """Return the inputs that lie behind a picture, one a view; () where there are none. Raises ValueError."""
    if len(data) < _TAIL.size or not data.endswith(_NAME):
        return ()
    line_bytes, body_bytes, _ = _TAIL.unpack(data[-_TAIL.size :])
    line_at = len(data) - _TAIL.size - line_bytes
    at = line_at - body_bytes
    if at < 0:
        raise ValueError("the model's input behind the picture is cut off")
    inputs: list[Input | None] = []
    for size in json.loads(data[line_at : line_at + line_bytes])["views"]:
        inputs.append(None if size is None else _decoded(data[at : at + size]))
        at += size or 0
    return tuple(inputs)


def _encoded(pixels: Input) -> bytes:
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in (1, 3):
        raise ValueError(f"a model's input {pixels.dtype} {pixels.shape} — uint8 (height, width, 1 or 3) can be kept")
    ok, data = cv2.imencode(".png", _swapped(pixels), _PNG)
    if not ok:
        raise ValueError(f"a model's input {pixels.shape} was not encoded as PNG")
    return data.tobytes()


def _decoded(data: bytes) -> Input:
    pixels: Any = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise ValueError("the model's input behind the picture is no PNG")
    return np.ascontiguousarray(_swapped(pixels if pixels.ndim == 3 else pixels[..., None]), np.uint8)


def _swapped(pixels: Input) -> Input:
    """Return RGB as the library's BGR and the other way round, so that any viewer shows the PNG's colours right."""
    return pixels if pixels.shape[2] == 1 else np.ascontiguousarray(pixels[..., ::-1])

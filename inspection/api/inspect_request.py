"""A picture on its way to the station: a file as it is, or pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inspection.api import v1 as pb
from inspection.api.errors import ApiError


def inspect_request(image: Path | NDArray[np.uint8], max_message_bytes: int) -> pb.InspectRequest:
    """Return the request to judge an image file, or pixels as uint8 (H, W) or RGB (H, W, 3). Raises ApiError."""
    request = _encoded(image) if isinstance(image, Path) else _raw(image)
    size_bytes = request.ByteSize()
    if size_bytes > max_message_bytes:
        raise ApiError(
            f"the image makes a message of {size_bytes} bytes — {max_message_bytes} are allowed — send it as JPEG or "
            "PNG, downsize it, or raise the limit on both sides (api.max_message_mb)"
        )
    return request


def _encoded(image: Path) -> pb.InspectRequest:
    try:
        return pb.InspectRequest(encoded=image.read_bytes())
    except OSError as error:
        raise ApiError(f"{image}: cannot be read ({error.strerror}) — name a readable image file") from error


def _raw(image: NDArray[np.uint8]) -> pb.InspectRequest:
    is_mono, is_rgb = image.ndim == 2, image.ndim == 3 and image.shape[-1] == 3
    if image.dtype != np.uint8 or not (is_mono or is_rgb):
        raise ApiError(
            f"the pixels are {image.dtype} {image.shape} — uint8 (height, width) or (height, width, 3) in the order R, "
            "G, B are allowed — convert them"
        )
    height, width = image.shape[:2]
    raw = pb.RawImage(data=image.tobytes(), width=width, height=height, pixel_format="Mono8" if is_mono else "RGB8")
    return pb.InspectRequest(raw=raw)

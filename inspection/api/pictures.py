"""Pictures on their way to the station, as files or pixels, and on their way back, in pieces."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import grpc
import numpy as np
from numpy.typing import NDArray

from inspection.api import v1 as pb
from inspection.api.errors import ApiError, CallError


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


def whole_image(sequence: int, pieces: Sequence[pb.GetResultImageResponse]) -> tuple[bytes, str]:
    """Return a record's image file and content type. Raises CallError (DATA_LOSS) where it is not what was recorded."""
    data, first = b"".join(piece.data for piece in pieces), pieces[0]
    if first.sha256 and hashlib.sha256(data).hexdigest() != first.sha256:
        raise CallError(
            f"the image of record {sequence} has another hash than its record — {first.sha256} was recorded — "
            "check the station's store with `lineward records verify`",
            grpc.StatusCode.DATA_LOSS,
            reason="IMAGE",
        )
    return data, first.content_type


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

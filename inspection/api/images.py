"""The image of an `InspectRequest` as pixels, with every limit checked before memory is taken for it."""

from __future__ import annotations

from collections.abc import Callable

import grpc
import numpy as np
from numpy.typing import NDArray

from camera.encoded import check_size, decode_image
from camera.errors import PixelFormatError
from camera.image_size import BadImageError
from camera.pixels import FORMATS, SAMPLED, image_of
from camera.yuv import YUV
from inspection.api import v1 as pb
from inspection.api.errors import RefusedError
from inspection.api.shared_memory import read_shared

MAX_PIXELS = 32_000_000  # 96 MB as RGB8; two are decoded at a time at most
MIN_SIDE_PX = 8
MAX_BYTES = 200_000_000  # of raw pixels with their padding

Pixels = NDArray[np.uint8]
Buffer = bytes | bytearray


def request_pixels(request: pb.InspectRequest) -> Pixels:
    """Return uint8 (H, W) or RGB (H, W, 3). Raises RefusedError (INVALID_ARGUMENT, reason IMAGE).

    Raw formats become 8 bits as a camera's frames do (`camera.pixels`). Encoded files are taken as training takes them:
    16 bits are scaled by 255/65535, an alpha channel is dropped, an EXIF orientation is ignored.
    """
    match request.WhichOneof("image"):
        case "encoded":
            return _decode(request.encoded)
        case "raw":
            data = request.raw.data  # each look at it is a copy
            return _from_raw(request.raw, "raw", len(data), lambda: data)
        case "shared":
            shared = request.shared
            size = shared.size_bytes
            return _from_raw(shared, "shared", size, lambda: read_shared(shared.name, shared.offset_bytes, size))
    raise _refused("image", "the request holds no image — send `encoded` (a file), `raw` or `shared` (pixels)")


def _decode(data: bytes) -> Pixels:
    try:
        return decode_image(data, min_side_px=MIN_SIDE_PX, max_pixels=MAX_PIXELS)
    except BadImageError as error:
        raise _refused(
            "encoded",
            f"the image cannot be used: {error} — a complete PNG, JPEG, BMP or TIFF file is needed — check how the "
            "file was read and sent",
        ) from error


def _from_raw(image: pb.RawImage | pb.SharedImage, field: str, size: int, data: Callable[[], Buffer]) -> Pixels:
    """Return the pixels of an image whose `size` bytes `data` brings once size and format are known to be right."""
    _require_size(image, field)
    row_bytes = _row_bytes(image.width, image.pixel_format, field)
    stride = image.stride_bytes or row_bytes
    longest = MAX_BYTES // image.height
    if not row_bytes <= stride <= longest:
        raise _refused(
            f"{field}.stride_bytes",
            f"stride_bytes is {stride} — {row_bytes} to {longest} are allowed for {image.width} pixels of "
            f"{image.pixel_format}; 0 where rows are not padded — mend the stride",
        )
    least, most = stride * (image.height - 1) + row_bytes, stride * image.height
    if not least <= size <= most:
        needed = f"{most}" if least == most else f"{least} to {most}"
        raise _refused(
            f"{field}.data" if isinstance(image, pb.RawImage) else f"{field}.size_bytes",
            f"{size} bytes came for {image.width}×{image.height} {image.pixel_format} — {needed} bytes are needed — "
            "send whole rows and the size that belongs to them",
        )
    rows = np.ndarray((image.height, row_bytes), np.uint8, buffer=data(), strides=(stride, 1))
    return _eight_bit(rows, image.pixel_format, field)


def _require_size(image: pb.RawImage | pb.SharedImage, field: str) -> None:
    try:
        check_size(image.width, image.height, min_side_px=MIN_SIDE_PX, max_pixels=MAX_PIXELS)
    except BadImageError as error:
        raise _refused(field, f"the image cannot be used: {error} — crop or downsize it") from error


def _row_bytes(width: int, pixel_format: str, field: str) -> int:
    """Return the bytes of a row without padding. Raises RefusedError for a format that is not read."""
    if pixel_format in ("RGB8", "BGR8"):
        return 3 * width
    if pixel_format in YUV and width % 2 == 0:
        return 2 * width
    layout = SAMPLED.get(pixel_format)
    if layout is None:
        why = "has pixels in pairs, so the width must be even" if pixel_format in YUV else "is not known"
        raise _refused(
            f"{field}.pixel_format",
            f"pixel format {pixel_format[:50]!r} {why} — {', '.join(FORMATS)} are known — convert the image",
        )
    return -(-width * layout.size // layout.pixels)


def _eight_bit(rows: Pixels, pixel_format: str, field: str) -> Pixels:
    if pixel_format in ("RGB8", "BGR8"):
        rows = rows.reshape(rows.shape[0], -1, 3)  # a view, padded rows or not
    try:
        return np.ascontiguousarray(image_of(rows, pixel_format))
    except PixelFormatError as error:
        raise _refused(f"{field}.pixel_format", str(error)) from error


def _refused(field: str, text: str) -> RefusedError:
    return RefusedError(grpc.StatusCode.INVALID_ARGUMENT, "IMAGE", text, field=field)

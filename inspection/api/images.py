"""The image of an `InspectRequest` as pixels, with every limit checked before memory is taken for it."""

from __future__ import annotations

import cv2
import grpc
import numpy as np
from numpy.typing import NDArray

from camera.encoded import check_size, decode_image
from camera.image_size import BadImageError
from inspection.api.errors import RefusedError
from inspection.api.pb import inspection_pb2 as pb

MAX_PIXELS = 32_000_000  # 96 MB as RGB8; two are decoded at a time at most
MIN_SIDE_PX = 8
RAW_CHANNELS = {"Mono8": 1, "RGB8": 3, "BGR8": 3}

Pixels = NDArray[np.uint8]


def request_pixels(request: pb.InspectRequest) -> Pixels:
    """Return uint8 (H, W) or RGB (H, W, 3). Raises RefusedError (INVALID_ARGUMENT, reason IMAGE).

    Encoded files are taken as training takes them: 16 bits are scaled by 255/65535, an alpha channel is dropped, an
    EXIF orientation is ignored.
    """
    match request.WhichOneof("image"):
        case "encoded":
            return _decode(request.encoded)
        case "raw":
            return _from_raw(request.raw)
    raise _refused("image", "the request holds no image — send `encoded` (a file) or `raw` (pixels)")


def _decode(data: bytes) -> Pixels:
    try:
        return decode_image(data, min_side_px=MIN_SIDE_PX, max_pixels=MAX_PIXELS)
    except BadImageError as error:
        raise _refused(
            "encoded",
            f"the image cannot be used: {error} — a complete PNG, JPEG, BMP or TIFF file is needed — check how the "
            "file was read and sent",
        ) from error


def _from_raw(image: pb.RawImage) -> Pixels:
    channels = RAW_CHANNELS.get(image.pixel_format)
    if channels is None:
        raise _refused(
            "raw.pixel_format",
            f"pixel format {image.pixel_format!r} is not known — {', '.join(RAW_CHANNELS)} are — convert the image",
        )
    try:
        check_size(image.width, image.height, min_side_px=MIN_SIDE_PX, max_pixels=MAX_PIXELS)
    except BadImageError as error:
        raise _refused("raw", f"the image cannot be used: {error} — crop or downsize it") from error
    needed = image.width * image.height * channels
    if len(image.data) != needed:
        raise _refused(
            "raw.data",
            f"{len(image.data)} bytes came for {image.width}×{image.height} {image.pixel_format} — {needed} bytes "
            "without padding are needed — send packed rows and the size that belongs to them",
        )
    shape = (image.height, image.width) if channels == 1 else (image.height, image.width, channels)
    pixels = np.frombuffer(image.data, np.uint8).reshape(shape)
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8) if image.pixel_format == "BGR8" else pixels


def _refused(field: str, text: str) -> RefusedError:
    return RefusedError(grpc.StatusCode.INVALID_ARGUMENT, "IMAGE", text, field=field)

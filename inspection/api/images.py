"""The image of an `InspectRequest` as pixels, with every limit checked before memory is taken for it."""

from __future__ import annotations

from typing import Any

import cv2
import grpc
import numpy as np
from numpy.typing import NDArray

from inspection.api.errors import RefusedError
from inspection.api.image_size import BadImageError, image_size
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
        _check_size("encoded", *image_size(data))
        raw = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        if raw is None:
            raise BadImageError(f"its {len(data)} bytes are damaged")
        if raw.dtype not in (np.uint8, np.uint16):
            raise BadImageError(f"its pixels are {raw.dtype}, not integers of 8 or 16 bits")
    except (BadImageError, cv2.error) as error:
        text = error.err if isinstance(error, cv2.error) else str(error)
        raise _refused(
            "encoded",
            f"the image cannot be decoded: {text} — a complete PNG, JPEG, BMP or TIFF file is needed — check how the "
            "file was read and sent",
        ) from error
    return _to_rgb_or_mono(raw)


def _to_rgb_or_mono(raw: NDArray[Any]) -> Pixels:
    scaled = cv2.convertScaleAbs(raw, alpha=255 / 65535) if raw.dtype == np.uint16 else raw
    pixels = np.asarray(scaled, dtype=np.uint8)
    if pixels.ndim == 2:
        return pixels
    if pixels.shape[2] == 1:
        return np.ascontiguousarray(pixels[:, :, 0])
    code = cv2.COLOR_BGRA2RGB if pixels.shape[2] == 4 else cv2.COLOR_BGR2RGB
    return np.asarray(cv2.cvtColor(pixels, code), dtype=np.uint8)


def _from_raw(image: pb.RawImage) -> Pixels:
    channels = RAW_CHANNELS.get(image.pixel_format)
    if channels is None:
        raise _refused(
            "raw.pixel_format",
            f"pixel format {image.pixel_format!r} is not known — {', '.join(RAW_CHANNELS)} are — convert the image",
        )
    _check_size("raw", image.width, image.height)
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


def _check_size(field: str, width: int, height: int) -> None:
    if width < MIN_SIDE_PX or height < MIN_SIDE_PX or width * height > MAX_PIXELS:
        raise _refused(
            field,
            f"the image has {width}×{height} pixels — from {MIN_SIDE_PX}×{MIN_SIDE_PX} up to "
            f"{MAX_PIXELS // 1_000_000} megapixels are allowed — crop or downsize it",
        )


def _refused(field: str, text: str) -> RefusedError:
    return RefusedError(grpc.StatusCode.INVALID_ARGUMENT, "IMAGE", text, field=field)

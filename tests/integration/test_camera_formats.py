"""Every pixel format that is read: a test pattern through a real camera where one sends it, against other conversions.

pylon's emulation and the GigE Vision camera of Aravis read the pattern from an image file and send it in their formats.
No counterpart without hardware sends Mono and Bayer in 10p, 12p, 10Packed and 12Packed, or YUV: those rows are encoded
here, bit by bit. What is compared with: the pattern itself, bilinear interpolation by its definition, and Basler's
ImageFormatConverter, which shares no code with us.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from gige import FakeProcess, network, require_aravis
from numpy.typing import NDArray
from pfnc_encoder import PATTERNS, Picture, demosaiced, encoded, mosaic, yuv_encoded

from camera import Frame, make_camera
from camera.aravis.fake_description import FORMATS as ARAVIS
from camera.genicam.pfnc import CODES, canonical, shaped
from camera.pixels import FORMATS, image_of
from camera.yuv import YUV

BOUND_S = 30.0
WIDTH, HEIGHT, SMOOTH = 96, 64, 48  # the pattern's left is any grey, from SMOOTH on it is smooth colour
ROUNDED, SUBSAMPLED, EDGELESS = 1, 3, 4
"""Levels of 256: a mean rounded twice; colour shared by two pixels; interpolated in another way, where it is smooth."""

DEPTHS = ("8", "10", "12", "16", "10p", "12p", "10Packed", "12Packed")
PYLON = (
    *(f"Mono{depth}" for depth in DEPTHS[:4]),
    *(f"{pattern}{depth}" for pattern in PATTERNS for depth in DEPTHS[:4]),
    "RGB8",
    "BGR8",
)
ENCODED = tuple(f"{kind}{depth}" for kind in ("Mono", *PATTERNS) for depth in DEPTHS[4:])


def pattern() -> Picture:
    """Return grey of every level beside ramps of colour, another one in each channel."""
    generator = np.random.default_rng(11)
    rgb = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    rgb[:, :SMOOTH] = generator.permutation(np.arange(HEIGHT * SMOOTH) % 256).reshape(HEIGHT, SMOOTH, 1)
    y, x = np.mgrid[:HEIGHT, : WIDTH - SMOOTH]
    for channel, level in enumerate((40 + 4 * x, 20 + 3 * y, 250 - 2 * x - y)):
        rgb[:, SMOOTH:, channel] = level
    return rgb


PATTERN = pattern()


def parts(name: str) -> tuple[str, str]:
    """Return "BayerRG" and "12p" of BayerRG12p; "Mono" and "8" of Mono8."""
    start = next(start for start in ("Mono", *PATTERNS) if name.startswith(start))
    return start, name.removeprefix(start)


def by_basler(data: Picture, name: str) -> Picture | None:
    """Return what Basler's converter makes of the bytes of a picture; None where it does not read the format."""
    pylon = pytest.importorskip("pypylon.pylon")
    converter, code = pylon.ImageFormatConverter(), CODES[name]
    if not converter.IsSupportedInputFormat(code):
        return None
    converter.OutputPixelFormat = pylon.PixelType_Mono8 if name.startswith("Mono") else pylon.PixelType_RGB8packed
    source = pylon.PylonImage()
    source.AttachMemoryView(memoryview(np.ascontiguousarray(data).reshape(-1)), code, WIDTH, HEIGHT, 0)
    result: Picture = converter.Convert(source).Array.copy()
    return result


def differ(one: NDArray[np.generic], other: NDArray[np.generic]) -> float:
    """Return by how many levels two pictures differ at most."""
    assert one.shape == other.shape
    return float(np.abs(one.astype(float) - other.astype(float)).max())


def check(data: Picture, name: str) -> None:
    """Hold the image of a frame of the pattern against the pattern, a definition and Basler's conversion."""
    image, theirs = image_of(data, name), by_basler(data, name)
    if name.startswith("Mono"):
        assert differ(image[:, :SMOOTH], PATTERN[:, :SMOOTH, 0]) == 0
        assert theirs is not None
        assert differ(image, theirs) == 0
    elif name.startswith("Bayer"):
        raw = mosaic(PATTERN, parts(name)[0])
        assert differ(image[1:-1, 1:-1], demosaiced(raw, parts(name)[0])) <= ROUNDED
        smooth = (slice(2, -2), slice(SMOOTH + 2, -2))
        assert differ(image[smooth], PATTERN[smooth]) <= EDGELESS
        assert theirs is None or differ(image[smooth], theirs[smooth]) <= EDGELESS
        assert (theirs is None) == name.endswith("10Packed")
    else:
        assert differ(image, PATTERN) == 0
        assert theirs is not None
        assert differ(image, theirs) == 0


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pattern")
    assert cv2.imwrite(str(folder / "1.png"), PATTERN[:, :, ::-1])
    return folder


@pytest.fixture(scope="module")
def gige(images: Path) -> Iterator[None]:
    require_aravis()
    with network(), FakeProcess("FORMATS", "--images", str(images), "--size", f"{WIDTH}x{HEIGHT}"):
        yield


def frame_from(backend: str, options: dict[str, object]) -> Frame:
    with make_camera(backend, "top", {"own_process": False, "roi": (0, 0, WIDTH, HEIGHT), **options}) as camera:
        camera.start()
        frame = camera.grab(None, BOUND_S)
        assert isinstance(frame, Frame)
        return frame


def test_every_format_that_is_read_has_a_row() -> None:
    """A format that is added without a row here fails; what a real counterpart can send is sent by it."""
    assert {*PYLON, *ARAVIS, *ENCODED, *YUV} == set(FORMATS)
    assert not set(ENCODED) & {*PYLON, *ARAVIS}


def test_the_emulation_offers_nothing_that_is_left_out() -> None:
    """Of pylon's emulation all formats have a row but those of 16 bits a colour and with a transparency."""
    with make_camera("pylon", "top", {"own_process": False, "emulated": True}) as camera:
        assert camera.nodes is not None
        offered = {canonical(entry) for entry in camera.nodes.node("PixelFormat").entries}
    assert offered - set(PYLON) == {"BGRa8", "RGB16Packed"}
    assert set(PYLON) <= offered


@pytest.mark.parametrize("name", PYLON)
def test_pylons_emulation_sends_it(images: Path, name: str) -> None:
    """The pattern from a file, in each format: whole, under the name that was set, and read as others read it."""
    options = {"emulated": True, "images": str(images), "pixel_format": name}
    frame = frame_from("pylon", {**options, "features": {"ExposureTimeAbs": 100.0}})
    assert frame.pixel_format == name
    if name.startswith("Bayer"):
        start, depth = parts(name)
        bits = int(depth)
        raw = encoded(mosaic(PATTERN, start).astype(np.uint16) << bits - 8, depth)
        assert np.array_equal(frame.pixels, raw)
    check(frame.pixels, name)


@pytest.mark.parametrize("name", ARAVIS)
def test_a_gige_vision_camera_sends_it(gige: None, name: str) -> None:
    """The pattern over UDP, in each format of Aravis's camera."""
    frame = frame_from("aravis", {"device": "127.0.0.1", "pixel_format": name, "exposure_us": 100.0})
    assert frame.pixel_format == name
    check(frame.pixels, name)


@pytest.mark.parametrize("name", ENCODED)
def test_packed_formats_that_no_counterpart_sends(name: str) -> None:
    """Encoded here with noise in the bits below the upper 8: they change nothing, and padded rows are read as well."""
    start, depth = parts(name)
    bits = int(depth.removesuffix("Packed").removesuffix("p"))
    grey = PATTERN[:, :, 1] if start == "Mono" else mosaic(PATTERN, start)
    noise = np.random.default_rng(bits).integers(0, 1 << bits - 8, grey.shape, np.uint16)
    data = encoded((grey.astype(np.uint16) << bits - 8) + noise, depth)
    check(data, name)
    padded = np.pad(data, ((0, 0), (0, 5)), constant_values=255)
    view = shaped(padded.reshape(-1), name, WIDTH, HEIGHT, padding_x=5)
    assert np.array_equal(image_of(view, name), image_of(data, name))


@pytest.mark.parametrize("name", sorted(YUV))
def test_yuv_that_no_counterpart_sends(name: str) -> None:
    """Encoded here: the pattern comes back but for the colour that two pixels share; grey is what grey was."""
    video, luminance_first = "601" in name, not name.endswith("Y")
    data = yuv_encoded(PATTERN, video=video, luminance_first=luminance_first)
    image, theirs = image_of(data, name), by_basler(data, name)
    assert differ(image[:, :SMOOTH], PATTERN[:, :SMOOTH]) <= (ROUNDED if video else 0)
    assert differ(image[:, SMOOTH:], PATTERN[:, SMOOTH:]) <= SUBSAMPLED
    assert (theirs is not None) == name.startswith("YUV")
    assert theirs is None or differ(image, theirs) <= ROUNDED

"""Real codes, as cameras see them: turned, blurred, pale, inverted, in raw formats, and with hostile content."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from coded_belt import code_image, on_part, turned
from pfnc_encoder import encoded, mosaic

from camera.frame import Pixels
from inspection.config.identity import IdentitySection
from inspection.identity.codes import CodeReader
from inspection.simulation.coded import STRIP, CodedScene
from inspection.simulation.scene import HEIGHT, WIDTH

SIZE = (300, 500)


def reader(**values: object) -> CodeReader:
    """A reader with these keys of [identity]."""
    return CodeReader(IdentitySection.model_validate({"source": "code", **values}))


def blurred(picture: Pixels) -> Pixels:
    """As out of focus by a third of a module."""
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 1.0), np.uint8)


def pale(picture: Pixels) -> Pixels:
    """As a laser mark on bright metal: an eighth of the contrast, and noise."""
    noise = np.random.default_rng(3).normal(0, 2, picture.shape)
    return np.clip(150 + (picture.astype(float) - 128) / 8 + noise, 0, 255).astype(np.uint8)


LOOKS = {
    "straight": lambda picture: picture,
    "turned by 7 degrees": lambda picture: turned(picture, 7),
    "turned by 90 degrees": lambda picture: np.ascontiguousarray(np.rot90(picture)),
    "turned by 215 degrees": lambda picture: turned(picture, 215),
    "blurred": blurred,
    "pale": pale,
    "inverted": lambda picture: 255 - picture,
}


NOT_FOR_BARS = {"turned by 215 degrees", "inverted"}
"""A linear code is read along the rows and columns of the picture, up to 20° askew, and dark on light."""


@pytest.mark.parametrize(
    ("code_format", "look"),
    [
        (code_format, look)
        for code_format in ("DataMatrix", "QRCode", "Code128")
        for look in LOOKS
        if code_format != "Code128" or look not in NOT_FOR_BARS
    ],
)
def test_a_code_is_read_however_it_looks(code_format: str, look: str) -> None:
    """The usual three, in every look that a line has on an ordinary day."""
    picture = LOOKS[look](on_part(code_image("LW-000123", code_format, 3), SIZE))
    reading = reader().read(picture)
    assert (reading.serial, reading.why) == ("LW-000123", "")
    assert reading.code is not None
    assert reading.code.format == code_format


@pytest.mark.parametrize(
    ("code_format", "content", "name", "said"),
    [
        ("Aztec", "LW-7", "Aztec", "LW-7"),
        ("PDF417", "LW-7", "PDF417", "LW-7"),
        ("Code39", "LW-7", "Code39", "LW-7"),
        ("Code93", "LW-7", "Code93", "LW-7"),
        ("ITF", "012345", "ITF", "012345"),
        ("EAN13", "4006381333931", "EANUPC", "4006381333931"),
        ("DataBar", "0123456", "DataBar", "(01)00000001234565"),
        ("Codabar", "A12345B", "Codabar", "A12345B"),
        ("MicroQRCode", "LW-7", "QRCode", "LW-7"),
    ],
)
def test_every_other_format_is_read_when_it_is_named_and_only_then(
    code_format: str, content: str, name: str, said: str
) -> None:
    """A format costs time, and a code of another one may be somebody else's: the list decides."""
    picture = on_part(code_image(content, code_format), SIZE)
    assert reader(formats=[name]).read(picture).serial == said
    other = "QRCode" if name == "DataMatrix" else "DataMatrix"
    assert reader(formats=[other]).read(picture).why == "no code was found"


def test_a_gs1_code_is_written_as_people_read_it() -> None:
    """Application identifiers in brackets, no separators that do not print."""
    import zxingcpp

    code = zxingcpp.create_barcode("[01]04012345678901[21]ABC123", zxingcpp.BarcodeFormat.DataMatrix, gs1=True)
    picture = on_part(np.pad(np.array(code.to_image(scale=4)), 8, constant_values=255), SIZE)
    assert reader().read(picture).serial == "(01)04012345678901(21)ABC123"


@pytest.mark.parametrize(
    "content",
    ['a\nb\r\x1b[31m,"=1+2', "\u202egnp.exe", b"\xff\xfe\x00\x01\x80abc", "x\x00y", "\u2028new line", "'; DROP TABLE"],
)
def test_hostile_content_becomes_printable_text(content: str | bytes) -> None:
    """Line breaks, escapes of terminals, text that runs backwards, bytes that are no text."""
    reading = reader().read(on_part(code_image(content, "QRCode"), SIZE))
    assert reading.serial
    assert reading.serial.isprintable()
    assert len(reading.serial) <= 64


def test_a_code_of_2900_characters_counts_as_unreadable() -> None:
    """What does not go into the record whole is no serial number."""
    reading = reader().read(on_part(code_image("x" * 2900, "QRCode", 2), (800, 800)))
    assert reading.why == "a code of 2900 characters; up to 64 are allowed"


def test_the_region_is_where_the_code_is_looked_for() -> None:
    """A code beside it is not seen; the corners are those of the frame; a frame that ends before it is an error."""
    left, right = on_part(code_image("LEFT"), (200, 200)), on_part(code_image("RIGHT"), (200, 200))
    picture = np.concatenate([left, right], axis=1)
    region = {"x": 200, "y": 0, "width": 200, "height": 200}
    reading = reader(region=region).read(picture)
    assert reading.serial == "RIGHT"
    assert reading.code is not None
    assert all(x > 200 for x, _ in reading.code.corners)
    with pytest.raises(ValueError, match="reaches out of a 300×200 frame"):
        reader(region=region).read(np.ascontiguousarray(picture[:, :300]))


def test_raw_frames_of_cameras_are_read_as_they_come() -> None:
    """Mono12p and BayerRG8, cut to the region; colour is read as grey."""
    picture = on_part(code_image("RAW-1"), (200, 240))
    region = {"x": 20, "y": 20, "width": 200, "height": 160}
    packed = encoded(picture.astype(np.uint16) << 4, "12p")
    assert reader(region=region).read(packed, "Mono12p").serial == "RAW-1"
    rgb = np.repeat(picture[..., None], 3, axis=2)
    assert reader(region=region).read(mosaic(rgb, "BayerRG"), "BayerRG8").serial == "RAW-1"
    assert reader(region=region).read(rgb, "RGB8").serial == "RAW-1"


def test_blank_and_noisy_pictures_have_no_code() -> None:
    """Nothing is made up."""
    noise = np.random.default_rng(1).integers(0, 255, SIZE, np.uint8)
    for picture in (np.zeros(SIZE, np.uint8), np.full(SIZE, 255, np.uint8), noise):
        assert reader().read(picture).serial == ""


class Plain:
    """Parts without a look of their own."""

    def render(self, part: int) -> Pixels:
        return np.full((HEIGHT, WIDTH, 3), part % 200, np.uint8)

    def truth(self, part: int) -> str:
        return "good"


def test_the_simulated_belt_lays_codes_beside_the_parts() -> None:
    """Each strip says the part's number, but for the share that is blank or bears the number of the part before."""
    scene, strip = CodedScene(Plain(), 7, 0.3), {"x": WIDTH, "y": 0, "width": STRIP, "height": HEIGHT}
    seen = {part: reader(region=strip).read(scene.render(part)).serial for part in range(1, 101)}
    assert seen == {part: scene.text(part) for part in seen}
    own = [part for part, text in seen.items() if text == f"SIM-7-{part:06d}"]
    doubled = [part for part, text in seen.items() if text == f"SIM-7-{part - 1:06d}"]
    blank = [part for part, text in seen.items() if not text]
    assert len(own) + len(doubled) + len(blank) == 100
    assert 8 <= len(doubled) <= 23
    assert 8 <= len(blank) <= 23
    assert (scene.render(5)[:, :WIDTH] == Plain().render(5)).all()

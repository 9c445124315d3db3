"""The pure parts of the GigE Vision driver and of the camera without hardware."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from gige import number_of
from hypothesis import given
from hypothesis import strategies as st

from camera.aravis import gvcp
from camera.aravis.fake_description import FORMATS, description
from camera.aravis.fake_pictures import Pictures, as_sent
from camera.aravis.network import is_loopback, mtu_of, widen_receiver
from camera.aravis.numbered import draw
from camera.aravis.options import Options
from camera.genicam.block_ids import BlockIds
from camera.genicam.link import Received
from camera.genicam.pfnc import CODES, frame_bytes, name_of
from camera.genicam.picture import Picture
from camera.pixels import image_of


@given(st.integers(1, 2**32 - 1), st.integers(4, 40), st.integers(32, 300), st.data())
def test_a_numbered_picture_tells_its_number_and_that_it_is_whole(
    number: int, height: int, row_bytes: int, data: st.DataObject
) -> None:
    """The number is read back; with a single byte changed, or rows of the next picture, it is no picture."""
    picture = draw(number, height, row_bytes)
    assert number_of(picture) == number
    row, column = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, row_bytes - 1))
    broken = picture.copy()
    broken[row, column] ^= 1
    assert number_of(broken) != number
    torn = np.concatenate([picture[:3], draw(number % (2**32 - 1) + 1, height, row_bytes)[3:]])
    assert number_of(torn) is None


@pytest.mark.parametrize("pixel_format", FORMATS)
def test_what_the_camera_sends_is_the_image(pixel_format: str) -> None:
    """A picture without fine detail comes back from each format as the image that it was made of."""
    ramp = np.linspace(40, 200, 64, dtype=np.uint8)
    image = np.stack([np.tile(ramp, (48, 1)), np.full((48, 64), 90, np.uint8), np.tile(ramp[::-1], (48, 1))], axis=2)
    sent = Pictures([image]).picture(1, pixel_format, (0, 0, 64, 48))
    assert sent.nbytes == frame_bytes(pixel_format, 64, 48)
    pixels = sent.reshape(48, 64, 3) if pixel_format == "RGB8" else sent
    back = image_of(pixels, pixel_format)
    expected = image if back.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    inside = (slice(2, -2), slice(2, -2))
    assert np.abs(back[inside].astype(int) - np.asarray(expected)[inside]).max() <= 3
    assert as_sent(image, pixel_format).tobytes() == sent.tobytes()


def test_the_description_is_xml_whose_names_are_all_there() -> None:
    """Every feature, limit and register that is referred to is described once."""
    root = ElementTree.fromstring(description())
    names = [
        element.attrib["Name"] for element in root.iter() if "Name" in element.attrib and element.tag[-5:] != "Entry"
    ]
    top = [name for name in names if name not in ("W", "H", "F")]
    assert len(top) == len(set(top))
    for element in root.iter():
        tag = element.tag.split("}")[-1]
        if tag in ("pFeature", "pValue", "pMax", "pPort", "pVariable"):
            assert element.text in top


def test_packets_that_lost_their_number_are_counted_as_the_next() -> None:
    """Over the wrap, too: what came and what was lost adds up to the device's own count."""
    ids = BlockIds()
    assert ids.take_next() == (1, 0)
    assert ids.take(65_534) == (2, 0)
    assert ids.take_next() == (3, 0)
    assert ids.take_next() == (4, 0)
    assert ids.take(2) == (5, 0)
    assert ids.take(5) == (8, 2)
    assert ids.take(5) is None


def received(width: int, height: int, code: int, size: int, trouble: str = "", padding: int = 0) -> Received:
    return Received(1, 1, width, height, name_of(code), padding, np.arange(size, dtype=np.uint8), trouble, token=1)


def test_only_a_whole_buffer_of_the_set_size_and_format_is_a_picture() -> None:
    """Everything else is said what it is: another size, another format, too few bytes, the library's own word."""
    picture = Picture(8, 4, "Mono8", 32)
    mono = CODES["Mono8"]
    assert picture.trouble_of(received(8, 4, mono, 32)) == ""
    assert picture.trouble_of(received(0, 1920, mono, 32)) == "0×1920 Mono8 came, 8×4 Mono8 was set"
    assert picture.trouble_of(received(8, 4, CODES["Mono16"], 64)) == "8×4 Mono16 came, 8×4 Mono8 was set"
    assert picture.trouble_of(received(8, 4, 0x2300099, 64)) == "8×4 0x02300099 came, 8×4 Mono8 was set"
    assert picture.trouble_of(received(8, 4, mono, 31)) == "31 of its 32 bytes came"
    assert picture.trouble_of(received(8, 4, mono, 33)) == "33 bytes came, 8×4 Mono8 has 32"
    assert picture.trouble_of(received(8, 4, mono, 37, padding=2)) == "37 of its 38 bytes came"
    assert picture.trouble_of(received(8, 4, mono, 39, padding=2)) == "39 of its 38 bytes came"
    assert picture.trouble_of(received(8, 4, mono, 32, trouble="packets are missing")) == "packets are missing"


def test_padding_at_the_end_of_rows_is_left_out() -> None:
    """A device may fill rows up; the copy has none of it, in memory of its own or in the caller's."""
    picture = Picture(8, 4, "Mono8", 32)
    came = received(8, 4, CODES["Mono8"], 8 * 4 + 2 * 3, padding=2)
    assert picture.trouble_of(came) == ""
    into = np.zeros(40, np.uint8)
    for pixels in (picture.copied(came, None), picture.copied(came, into)):
        assert pixels.tolist() == [[10 * row + column for column in range(8)] for row in range(4)]
    assert into[:32].tolist() == picture.copied(came, None).reshape(-1).tolist()


def test_the_network_is_asked_for_sizes() -> None:
    """The loopback takes large packets; an address of nobody has no size; a socket's room can be widened."""
    assert is_loopback("127.3.2.1")
    assert not is_loopback("10.0.0.1")
    assert not is_loopback("")
    assert (mtu_of("127.0.0.1") or 0) > 9000
    assert mtu_of("192.0.2.77") is None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        before = receiver.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        assert widen_receiver(receiver.getsockname()[1], 2 * before)
        assert receiver.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) > before
        port = receiver.getsockname()[1]
    assert not widen_receiver(port, before)


@pytest.fixture
def peer(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[int, bytes]]:
    """A device's register memory behind a real UDP socket that answers late, twice and with junk before."""
    memory: dict[int, bytes] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as device:
        device.bind(("127.0.0.1", 0))
        monkeypatch.setattr(gvcp, "PORT", device.getsockname()[1])

        def serve() -> None:
            asked = 0
            while True:
                request, sender = device.recvfrom(1024)
                if request == b"end":
                    return
                asked += 1
                _, _, command, _, number, address, _, size = struct.unpack(">BBHHHIHH", request)
                assert command == 0x84
                if asked % 3 == 1:
                    continue  # lost on the way
                device.sendto(b"?", sender)
                stale = struct.pack(">HHHH", 0, 0x85, 4 + size, number - 1 & 0xFFFF)
                device.sendto(stale + struct.pack(">I", address) + bytes(size), sender)
                status = 0 if address in memory else 0x8003
                head = struct.pack(">HHHH", status, 0x85, 4 + size, number)
                device.sendto(head + struct.pack(">I", address) + memory.get(address, b"").ljust(size, b"\0"), sender)

        server = threading.Thread(target=serve, daemon=True)
        server.start()
        yield memory
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ender:
            ender.sendto(b"end", device.getsockname())
        server.join(30)
        assert not server.is_alive()


def test_registers_are_read_past_lost_stale_and_broken_answers(peer: dict[int, bytes]) -> None:
    """The name, and who controls the camera, come from the right answer; a refusal and silence are errors."""
    with gvcp.Registers("127.0.0.1", timeout_s=1.0) as registers:
        peer[0xE8] = "Süd 3".encode()
        assert registers.user_name() == "Süd 3"
        peer[0xA00] = struct.pack(">I", 0)
        assert registers.controller() is None
        peer[0xA00], peer[0xA14] = struct.pack(">I", 2), bytes(4)
        assert registers.controller() == "another program"
        peer[0xA14] = bytes((10, 0, 0, 9))
        assert registers.controller() == "a program on 10.0.0.9"
        del peer[0xA00]
        with pytest.raises(OSError, match="0x8003"):
            registers.controller()


def test_options_are_bounded_and_named() -> None:
    """A packet larger than GigE Vision knows, and a spelling of nobody, are refused."""
    assert Options().packet_size == 0
    for wrong in ({"packet_size": 20_000}, {"packet_socket": "perhaps"}, {"buffers": 1}, {"bufers": 3}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            Options.model_validate(wrong)

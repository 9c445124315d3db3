"""The bytes on the serial line and on the link to the ejector's process."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspection.ejector.errors import EjectorError
from inspection.ejector.farend import LcusDecoder, ModbusRtuDecoder
from inspection.ejector.lcus import frame
from inspection.ejector.messages import (
    DETAIL_BYTES,
    LONGEST,
    Alive,
    Decide,
    Expect,
    Goodbye,
    Health,
    Message,
    decode,
    encode,
)
from inspection.ejector.modbus_rtu import coil_frame, with_crc
from inspection.part import Actuation, EjectorAction, Verdict

INT64 = st.integers(-(2**63), 2**63 - 1)
COUNT = st.integers(0, 2**63 - 1)
WRITTEN = st.one_of(st.just((None, None)), st.tuples(INT64, INT64))
MESSAGES: st.SearchStrategy[Message] = st.one_of(
    st.builds(Expect, INT64, INT64, INT64),
    st.builds(Decide, INT64, st.sampled_from(Verdict)),
    st.just(Alive()),
    st.just(Goodbye()),
    st.builds(
        lambda part, action, default, written: Actuation(part, action, default, *written),
        INT64,
        st.sampled_from(EjectorAction),
        st.booleans(),
        WRITTEN,
    ),
    st.builds(
        Health,
        *[st.booleans()] * 3,
        *[COUNT] * 7,
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=DETAIL_BYTES // 4),
    ),
)


@given(MESSAGES)
def test_messages_survive_the_link(message: Message) -> None:
    """What is sent is what arrives, type included, and fits the packet."""
    packet = encode(message)
    assert len(packet) <= LONGEST
    assert decode(packet) == message
    assert type(decode(packet)) is type(message)


def test_a_long_detail_is_cut() -> None:
    """A detail longer than its field is cut, also in the midst of a letter, and still arrives."""
    health = Health(True, False, False, 1, 0, 0, 0, 0, 0, 0, "é" * DETAIL_BYTES + "x")
    told = decode(encode(health))
    assert isinstance(told, Health)
    assert told.detail.startswith("é" * (DETAIL_BYTES // 2 - 1))


@pytest.mark.parametrize(
    "packet", [b"", b"\x02\x01", b"\x01\x63", b"\x01\x01\x00", b"\x01\x02" + b"\x00" * 8 + b"\x09"]
)
def test_a_foreign_packet_is_refused(packet: bytes) -> None:
    """Another version, an unknown kind, a wrong length or an unknown verdict is an error with a next step."""
    with pytest.raises(EjectorError, match="restart the station"):
        decode(packet)


def test_frames_are_those_of_the_data_sheets() -> None:
    """The bytes equal those that the makers of the boards publish."""
    assert frame(1, True) == bytes.fromhex("A00101A2")
    assert frame(1, False) == bytes.fromhex("A00100A1")
    assert frame(2, True) == bytes.fromhex("A00201A3")
    assert coil_frame(1, 0, True) == bytes.fromhex("01050000FF008C3A")
    assert coil_frame(1, 0, False) == bytes.fromhex("010500000000CDCA")
    assert with_crc(bytes.fromhex("010502000007")) == bytes.fromhex("0105020000078DB0")


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(1, 4), st.booleans()), max_size=12),
    st.lists(st.integers(1, 7), min_size=1, max_size=8),
    st.sampled_from(["lcus", "modbus_rtu"]),
)
def test_the_far_end_understands_bytes_cut_anywhere(
    switchings: list[tuple[int, bool]], cuts: list[int], protocol: str
) -> None:
    """Whole commands are understood in order however the line cuts them; a Modbus board answers each with itself."""
    decoder = LcusDecoder(4) if protocol == "lcus" else ModbusRtuDecoder(4)
    encoded = [frame(*one) if protocol == "lcus" else coil_frame(1, one[0] - 1, one[1]) for one in switchings]
    stream, at, found, answers = b"".join(encoded), 0, [], b""
    while at < len(stream):
        length = cuts[at % len(cuts)]
        some, answer = decoder.feed(stream[at : at + length])
        found += some
        answers += answer
        at += length
    assert found == switchings
    assert decoder.garbage_bytes == 0
    assert answers == (b"" if protocol == "lcus" else stream)


@given(st.binary(max_size=20), st.sampled_from(["lcus", "modbus_rtu"]))
def test_the_far_end_finds_its_way_back(garbage: bytes, protocol: str) -> None:
    """After any garbage the second whole command at the latest is understood, and the garbage is counted."""
    decoder = LcusDecoder(4) if protocol == "lcus" else ModbusRtuDecoder(4)
    decoder.feed(garbage)
    command = frame(3, True) if protocol == "lcus" else coil_frame(1, 2, True)
    found = decoder.feed(command)[0] + decoder.feed(command)[0]
    assert (3, True) in found
    assert decoder.garbage_bytes <= len(garbage) + len(command)


def test_a_modbus_board_refuses_what_it_has_not() -> None:
    """A missing coil, a foreign value and a foreign function are answered with exceptions 2, 3 and 1."""
    decoder = ModbusRtuDecoder(4)
    for body, answer in (("01050009FF00", "018502"), ("010500005500", "018503"), ("010100000001", "018101")):
        switched, said = decoder.feed(with_crc(bytes.fromhex(body)))
        assert switched == []
        assert said == with_crc(bytes.fromhex(answer))


def test_the_scheduler_process_stays_small() -> None:
    """The ejector's process imports no numpy, OpenCV, ONNX Runtime or validation library."""
    code = (
        "import sys, inspection.ejector.process, inspection.ejector.lcus, inspection.ejector.modbus_rtu, "
        "inspection.ejector.farend; print(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "serial" in loaded
    assert not {"numpy", "cv2", "onnxruntime", "pydantic", "asyncio", "grpc"} & set(loaded)

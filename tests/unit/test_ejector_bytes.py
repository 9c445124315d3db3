"""The bytes on the serial line and on the link to the ejector's process."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspection.ejector import devantech, kmtronic, numato
from inspection.ejector.decoders import DECODERS, Decoder, ModbusRtuDecoder, Switching
from inspection.ejector.errors import EjectorError
from inspection.ejector.lcus import frame
from inspection.ejector.messages import (
    COUNTERS,
    DETAIL_BYTES,
    LONGEST,
    Alive,
    Decide,
    Expect,
    Goodbye,
    Health,
    Message,
    Moved,
    decode,
    encode,
)
from inspection.ejector.modbus_rtu import coil_frame, flash_frame, inputs_frame, with_crc
from inspection.part import Actuation, EjectorAction, Verdict

INT64 = st.integers(-(2**63), 2**63 - 1)
COUNT = st.integers(0, 2**63 - 1)
WRITTEN = st.one_of(st.just((None, None)), st.tuples(INT64, INT64))
MESSAGES: st.SearchStrategy[Message] = st.one_of(
    st.builds(Expect, INT64, INT64),
    st.builds(Moved, INT64, INT64),
    st.builds(Decide, INT64, st.sampled_from(Verdict)),
    st.just(Alive()),
    st.just(Goodbye()),
    st.builds(
        lambda part, action, default, written, due: Actuation(part, action, default, *written, due),
        INT64,
        st.sampled_from(EjectorAction),
        st.booleans(),
        WRITTEN,
        st.none() | INT64,
    ),
    st.builds(
        Health,
        *[st.booleans()] * 3,
        COUNT,
        st.tuples(*[COUNT] * len(COUNTERS)),
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
    health = Health(True, False, False, 1, (0,) * len(COUNTERS), "é" * DETAIL_BYTES + "x")
    told = decode(encode(health))
    assert isinstance(told, Health)
    assert told.detail.startswith("é" * (DETAIL_BYTES // 2 - 1))


@pytest.mark.parametrize(
    "packet", [b"", b"\x01\x01", b"\x02\x63", b"\x02\x01\x00", b"\x02\x02" + b"\x00" * 8 + b"\x09"]
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
    assert flash_frame(1, 1, 700) == bytes.fromhex("0105020000078DB0")
    assert inputs_frame(1, 8) == with_crc(bytes.fromhex("010200000008"))
    assert kmtronic.frame(1, True) == bytes.fromhex("FF0101")
    assert kmtronic.frame(2, False) == bytes.fromhex("FF0200")
    assert numato.frame(1, True) == b"relay on 0\r"
    assert numato.frame(8, False) == b"relay off 7\r"
    assert devantech.frame(1, True) == bytes.fromhex("655B")
    assert devantech.frame(8, False) == bytes.fromhex("765B")


def encoded(protocol: str, channel: int, on: bool) -> bytes:
    if protocol.startswith("modbus"):
        return coil_frame(1, channel - 1, on)
    makers = {"lcus": frame, "kmtronic": kmtronic.frame, "numato": numato.frame, "devantech": devantech.frame}
    return makers[protocol](channel, on)


def fed(decoder: Decoder, stream: bytes, cuts: list[int]) -> tuple[list[Switching], bytes]:
    """Feed a stream in pieces and return all that came of it."""
    at, found, answers = 0, [], b""
    while at < len(stream):
        length = cuts[at % len(cuts)]
        some, answer = decoder.feed(stream[at : at + length])
        found += some
        answers += answer
        at += length
    return found, answers


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(1, 4), st.booleans()), max_size=12),
    st.lists(st.integers(1, 7), min_size=1, max_size=8),
    st.sampled_from(sorted(DECODERS)),
)
def test_the_far_end_understands_bytes_cut_anywhere(
    switchings: list[tuple[int, bool]], cuts: list[int], protocol: str
) -> None:
    """Whole commands are understood in order however the line cuts them; a Modbus board answers each with itself."""
    decoder = DECODERS[protocol](4)
    stream = b"".join(encoded(protocol, *one) for one in switchings)
    found, answers = fed(decoder, stream, cuts)
    assert found == [Switching(*one) for one in switchings]
    assert decoder.garbage_bytes == 0
    if protocol in ("lcus", "kmtronic"):
        assert answers == b""
    elif protocol == "numato":
        assert answers == stream.replace(b"\r", b"\r\n\r>")
    elif protocol == "devantech":
        assert len(answers) == len(switchings)
    else:
        assert answers == stream


@given(st.binary(max_size=20), st.sampled_from(sorted(DECODERS)))
def test_the_far_end_finds_its_way_back(garbage: bytes, protocol: str) -> None:
    """After any garbage the second whole command at the latest is understood, and the garbage is counted."""
    decoder = DECODERS[protocol](4)
    decoder.feed(garbage)
    command = encoded(protocol, 3, True)
    found = decoder.feed(command)[0] + decoder.feed(command)[0]
    assert Switching(3, True) in found
    assert decoder.garbage_bytes <= len(garbage) + len(command)


@given(st.integers(1, 4), st.integers(1, 100), st.integers(0, 255))
def test_a_flash_board_ends_its_pulses_and_tells_its_inputs(channel: int, steps: int, levels: int) -> None:
    """A flash command switches for n × 100 ms, and the levels of the inputs are told as they are."""
    decoder = DECODERS["modbus_flash"](4)
    decoder.inputs = levels
    command = flash_frame(1, channel, steps * 100)
    assert decoder.feed(command) == ([Switching(channel, True, steps * 100)], command)
    assert decoder.feed(inputs_frame(1, 8)) == ([], with_crc(bytes((1, 2, 1, levels))))


def test_a_modbus_board_refuses_what_it_has_not() -> None:
    """A missing coil, a foreign value and a foreign function are answered with exceptions 2, 3 and 1."""
    decoder = ModbusRtuDecoder(4)
    for body, answer in (
        ("01050009FF00", "018502"),
        ("010500005500", "018503"),
        ("010100000001", "018101"),
        ("010200000009", "018202"),
    ):
        switched, said = decoder.feed(with_crc(bytes.fromhex(body)))
        assert switched == []
        assert said == with_crc(bytes.fromhex(answer))


def test_the_scheduler_process_stays_small() -> None:
    """The ejector's process imports no numpy, OpenCV, ONNX Runtime or validation library."""
    code = (
        "import sys, inspection.ejector.process, inspection.ejector.farend, inspection.ejector.decoders; "
        "print(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "serial" in loaded
    assert not {"numpy", "cv2", "onnxruntime", "pydantic", "asyncio", "grpc"} & set(loaded)

"""Several messages travel in one packet, in order, and threads that send at once neither wait nor lose anything."""

from __future__ import annotations

import socket
import threading
import time
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspection.ejector.errors import EjectorError
from inspection.ejector.link import Link
from inspection.ejector.messages import (
    COUNTERS,
    LONGEST,
    Alive,
    Decide,
    Expect,
    Goodbye,
    Health,
    Message,
    Moved,
    decode_all,
    encode,
    pack,
)
from inspection.ejector.options import EjectorOptions, make_ejector
from inspection.part import Actuation, EjectorAction, Verdict

_long = st.integers(-(2**63), 2**63 - 1)
messages: st.SearchStrategy[Message] = st.one_of(
    st.builds(Expect, _long, _long),
    st.builds(Decide, _long, st.sampled_from(Verdict)),
    st.builds(Moved, _long, _long),
    st.just(Alive()),
    st.just(Goodbye()),
    st.builds(Actuation, _long, st.sampled_from(EjectorAction), st.booleans(), _long, _long, st.none() | _long),
    st.builds(
        Health,
        st.booleans(),
        st.booleans(),
        st.booleans(),
        _long,
        st.tuples(*[_long for _ in COUNTERS]),
        st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20),
    ),
)


@given(st.lists(messages, min_size=1, max_size=40))
def test_what_was_packed_comes_out_in_order(told: list[Message]) -> None:
    """However many packets it takes, each fits, and together they are the messages that were sent."""
    waiting = deque(encode(message) for message in told)
    heard: list[Message] = []
    while waiting:
        packet = pack(waiting)
        assert len(packet) <= LONGEST
        heard += decode_all(packet)
    assert heard == told


@given(st.binary(max_size=60))
def test_what_is_no_packet_is_refused(packet: bytes) -> None:
    """Any bytes are either messages, every byte of them, or an EjectorError."""
    try:
        heard = decode_all(packet)
    except EjectorError:
        return
    assert b"".join(encode(message)[:2] for message in heard) == b"".join(
        bytes([2, encode(message)[1]]) for message in heard
    )
    assert heard


def test_a_link_sends_all_that_waits_even_when_the_other_end_is_slow() -> None:
    """More than the socket takes at once stays in order and arrives when there is room again."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    sender, receiver = Link(ours), Link(theirs)
    told = [Expect(number, number) for number in range(8000)]
    for message in told:
        sender.send(message)
    sender.flush()
    heard: list[Message] = []
    while len(heard) < len(told):
        heard += receiver.receive()
        sender.flush()
    assert heard == told
    assert not sender.congested
    ours.close()
    theirs.close()


@pytest.fixture
def reports() -> tuple[list[Actuation], threading.Condition]:
    return [], threading.Condition()


def test_threads_that_send_at_once_lose_nothing(reports: tuple[list[Actuation], threading.Condition]) -> None:
    """Four threads arm and release 250 parts each: every part is released, and reported once."""
    found, changed = reports

    def on_actuation(actuation: Actuation) -> None:
        with changed:
            found.append(actuation)
            changed.notify_all()

    ejector = make_ejector(EjectorOptions(driver="simulated"))
    ejector.open(on_actuation, lambda health: None)
    try:
        due_host_ns = time.monotonic_ns() + 60 * 10**9

        def send(first: int) -> None:
            for part in range(first, 1000, 4):
                ejector.expect(part, due_host_ns + part * 10**7)
                ejector.decide(part, Verdict.PASS)

        threads = [threading.Thread(target=send, args=(first,)) for first in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        with changed:
            assert changed.wait_for(lambda: len(found) >= 1000, 30)
    finally:
        ejector.close()
    assert sorted(actuation.part for actuation in found) == list(range(1000))
    assert {actuation.action for actuation in found} == {EjectorAction.RELEASED}

"""What comes from a driver's process comes whole or ends it, and a call that meets a close is told so."""

from __future__ import annotations

import os
import resource
import socket

import pytest

from camera.errors import CameraLostError, Cause
from camera.own_process.lane import Lane
from camera.own_process.messages import Failure, FilledSlot, receive, send
from camera.own_process.process import DriverProcess


def test_a_frame_whose_memory_was_left_out_is_none() -> None:
    """A station that may open no more files would look for the frame in the memory before, where an old one lies."""
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    memory = os.memfd_create("frames", os.MFD_CLOEXEC)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    told = FilledSlot(0, (1, 1), "|u1", 1, None, 1, 0, "Mono8", {})
    with here, there:
        assert send(there, told, memory)
        lowest_free = os.dup(memory)
        os.close(lowest_free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
        try:
            with pytest.raises(EOFError, match="cut off"):
                receive(here)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert send(there, told, memory)
        received = receive(here)
        assert received is not None
        message, files = received
        assert (message, len(files)) == (told, 1)
        os.close(files[0])
    os.close(memory)


def test_a_call_that_comes_after_the_close_ends_as_one_into_a_dead_process() -> None:
    """Threads that ask for counters or features need not know that another one closes the camera."""
    here, there = socket.socketpair()
    lane = Lane(here)
    with there:
        lane.post("counters")
        lane.close()
        with pytest.raises(EOFError):
            lane.call("counters", timeout_s=1.0)
        with pytest.raises(EOFError):
            lane.post("counters")


class UnpluggedError(CameraLostError):
    """What a driver of another package may raise."""


@pytest.mark.parametrize("kind", [CameraLostError, UnpluggedError])
@pytest.mark.parametrize("letter", ["x", "길", "🔌"])
def test_an_error_of_any_length_arrives_with_its_beginning(kind: type[CameraLostError], letter: str) -> None:
    """A driver that raises with a whole dump in its text is lost for that reason, not for a crash without one."""
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with here, there:
        assert send(there, Failure(kind("no link: " + letter * 200_000, Cause.CONTROL_LOST)), None)
        received = receive(here)
    assert received is not None
    message, _ = received
    assert isinstance(message, Failure)
    assert isinstance(message.error, CameraLostError)
    assert message.error.cause is Cause.CONTROL_LOST
    assert str(message.error).startswith("no link: " + letter * 5_000)
    assert "200009 characters" in str(message.error)


def test_a_driver_that_was_given_back_still_tells_how_it_ended() -> None:
    """A call that was under way when the driver died asks after another thread has closed its files."""
    driver = DriverProcess()
    driver.kill()
    driver.end()
    assert driver.wait_dead(0.0)
    assert driver.obituary() == "was ended by SIGKILL and wrote nothing"

"""A network of its own for a measurement, so that no other program's cameras are on it, and its cable can be pulled."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

_NEW_NETWORK = 0x40000000  # CLONE_NEWNET
STATION, CAMERA = "10.99.8.1", "10.99.8.2"


@contextmanager
def own_network() -> Iterator[bool]:
    """Move this thread, and what it begins, into a network of its own (True), or stay on the loopback (False)."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        if shutil.which("ip") is None or libc.unshare(_NEW_NETWORK):
            yield False
            return
        ip("link set lo up")
        try:
            yield True
        finally:
            libc.setns(before, _NEW_NETWORK)
    finally:
        os.close(before)


@contextmanager
def cable() -> Iterator[str]:
    """Join this thread's own network to another one by a cable, `lwcable` at this end; give the other's name."""
    name = f"lwbench{os.getpid()}"
    ip(f"netns add {name}")
    try:
        ip(f"link add lwcable mtu 9000 type veth peer name lwcamera netns {name}")
        ip(f"address add {STATION}/24 dev lwcable")
        ip("link set lwcable up")
        for change in ("link set lo up", f"address add {CAMERA}/24 dev lwcamera", "link set lwcamera mtu 9000 up"):
            ip(f"netns exec {name} ip {change}")
        yield name
    finally:
        subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


def ip(arguments: str) -> None:
    """Change the network that this thread is in."""
    subprocess.run(["ip", *arguments.split()], check=True, capture_output=True)

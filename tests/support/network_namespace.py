"""A network of its own for a test: two namespaces joined by a cable (veth) that can be pulled."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

_NUMBERS = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Side:
    """One end of the cable: a namespace, its interface and its address."""

    namespace: str
    interface: str
    address: str

    def command(self, *command: str) -> list[str]:
        """Return a command as it runs in this network."""
        return ["ip", "netns", "exec", self.namespace, *command]

    def run(self, *command: str) -> str:
        """Run a command in this network and return what it printed."""
        done = subprocess.run(self.command(*command), capture_output=True, text=True, timeout=60, check=True)
        return done.stdout


def namespaces_permitted() -> bool:
    """Return whether this user may make network namespaces."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return False
    probe = f"lwp{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", probe], capture_output=True, check=False).returncode == 0
    if made:
        subprocess.run(["ip", "netns", "del", probe], capture_output=True, check=True)
    return made


def require_namespaces() -> None:
    """Skip the test loudly where this user may not make a network; fail it in CI."""
    if not namespaces_permitted():
        message = "network namespaces are not permitted here (root and iproute2 are needed): not run"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)


@contextmanager
def cable() -> Iterator[tuple[Side, Side]]:
    """Make two networks joined by a cable: the host's side and the camera's."""
    tag = f"{os.getpid()}{next(_NUMBERS)}"
    host = Side(f"lwh{tag}", f"h{tag}", "10.99.7.1")
    camera = Side(f"lwc{tag}", f"c{tag}", "10.99.7.2")
    sides = (host, camera)
    try:
        for side in sides:
            _ip("netns", "add", side.namespace)
        _ip("link", "add", host.interface, "netns", host.namespace, "type", "veth",
            "peer", "name", camera.interface, "netns", camera.namespace)  # fmt: skip
        for side in sides:
            side.run("ip", "link", "set", "lo", "up")
            side.run("ip", "address", "add", f"{side.address}/24", "dev", side.interface)
            side.run("ip", "link", "set", side.interface, "up")
        yield host, camera
    finally:
        for side in sides:
            subprocess.run(["ip", "netns", "del", side.namespace], capture_output=True, check=False)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], capture_output=True, text=True, timeout=60, check=True)

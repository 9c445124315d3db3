"""The place of the station's own socket: nobody else's, and found again by commands of the same user."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from inspection.api.local_socket import local_address, make_socket_place


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:  # a socket's path may have 107 characters
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield Path(folder)


def listen(place: Path) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    made.bind(str(place))
    return made


def test_a_socket_is_found_by_the_address_of_its_station(runtime: Path) -> None:
    """By loopback addresses with its port, and by no other."""
    place = make_socket_place(50051)
    assert place.parent.stat().st_mode & 0o777 == 0o700
    assert local_address("127.0.0.1:50051") == ""
    with listen(place):
        for address in ("127.0.0.1:50051", "localhost:50051", "[::1]:50051"):
            assert local_address(address) == f"unix:{place}"
        for address in ("127.0.0.1:50052", "10.0.0.7:50051", "station-1.plant:50051", "127.0.0.1", ""):
            assert local_address(address) == ""


def test_a_folder_that_others_may_enter_is_not_used(runtime: Path) -> None:
    """Somebody else could have laid a socket there: neither the station nor a command takes it."""
    place = make_socket_place(50051)
    with listen(place):
        place.parent.chmod(0o755)
        assert local_address("127.0.0.1:50051") == ""
        elsewhere = make_socket_place(50051)
    assert elsewhere.parent != place.parent
    assert elsewhere.parent.stat().st_mode & 0o777 == 0o700
    elsewhere.parent.rmdir()


def test_a_link_to_another_folder_is_not_used(runtime: Path, tmp_path: Path) -> None:
    """A link may lead anywhere tomorrow."""
    (tmp_path / "there").mkdir(mode=0o700)
    (runtime / "lineward").symlink_to(tmp_path / "there")
    elsewhere = make_socket_place(50051)
    assert elsewhere.parent != runtime / "lineward"
    elsewhere.parent.rmdir()

"""Why the API cannot listen: the reason is the system's, not a guess."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import grpc
import pytest

from inspection.api.errors import ApiError
from inspection.api.listening import listen
from inspection.api.options import SecurityOptions

GUARDED = SecurityOptions(tls_certificate=Path("s.pem"), tls_key=Path("s.key"), tokens=Path("access.json"))


async def _listen(address: str) -> None:
    server = grpc.aio.server()
    try:
        listen(server, address, GUARDED, None)
    finally:
        await server.stop(None)


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("no-such-host.invalid:1", "the host 'no-such-host.invalid' cannot be resolved"),
        ("192.0.2.1:0", "192.0.2.1 is no address of this machine"),
        (f"{'a' * 70}.example:1", "cannot be resolved"),
    ],
)
def test_a_host_that_is_none_of_this_machine_is_not_a_taken_port(address: str, told: str) -> None:
    """Who misspelt the host looks for no other program on that port."""
    with pytest.raises(ApiError) as refused:
        asyncio.run(_listen(address))
    assert told in str(refused.value)
    assert "taken" not in str(refused.value)


def test_a_taken_port_is_told_as_such() -> None:
    """The program that has the port is what to look for."""
    told = "the port is taken — a free port is needed"
    with socket.create_server(("127.0.0.1", 0)) as holder, pytest.raises(ApiError, match=told):
        asyncio.run(_listen(f"127.0.0.1:{holder.getsockname()[1]}"))

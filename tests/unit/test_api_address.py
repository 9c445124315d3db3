"""The API listens on loopback, or not at all."""

from __future__ import annotations

import pytest

from inspection.api.address import check_address
from inspection.api.errors import AddressError


@pytest.mark.parametrize("address", ["127.0.0.1:50051", "localhost:1", "[::1]:0", "127.8.8.8:65535"])
def test_loopback_is_allowed(address: str) -> None:
    """Every spelling of loopback is taken."""
    host, port = check_address(address)
    assert f"{host}:{port}" == address


@pytest.mark.parametrize("address", ["0.0.0.0:50051", "192.168.1.7:50051", "[::]:50051", "example.org:1", "10.0.0.1:0"])
def test_anything_else_is_refused_with_the_reason(address: str) -> None:
    """An address that others could reach is refused, and the text says why and what to do instead."""
    with pytest.raises(AddressError, match="TLS") as refused:
        check_address(address)
    assert address in str(refused.value)
    assert refused.value.exit_code == 2


@pytest.mark.parametrize(
    "address", ["", "127.0.0.1", ":50051", "127.0.0.1:", "127.0.0.1:70000", "127.0.0.1:-1", "a:b:c"]
)
def test_what_is_no_address_is_refused(address: str) -> None:
    """Half an address, or a port that does not exist, is named with an example of a good one."""
    with pytest.raises(AddressError, match=r"127\.0\.0\.1:50051"):
        check_address(address)

"""What the host's network allows: packet sizes by interface, and how much a socket may hold back."""

from __future__ import annotations

import fcntl
import ipaddress
import socket
import struct
from pathlib import Path

LOOPBACK_PACKET = 9000  # bytes; the loopback interface takes 65536
SAFE_PACKET = 1500  # bytes; what every Ethernet network passes
_SIOCGIFADDR, _SIOCGIFMTU = 0x8915, 0x8921


def is_loopback(address: str) -> bool:
    """Return whether packets from this address come over the loopback interface."""
    return bool(address) and ipaddress.ip_address(address).is_loopback


def mtu_of(address: str) -> int | None:
    """Return the MTU in bytes of the interface that has this IPv4 address, None where none has."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        for _, name in socket.if_nameindex():
            request = struct.pack("16s24x", name.encode()[:15])
            try:
                answer = fcntl.ioctl(asked, _SIOCGIFADDR, request)
                if socket.inet_ntoa(answer[20:24]) == address:
                    return int(struct.unpack_from("i", fcntl.ioctl(asked, _SIOCGIFMTU, request), 16)[0])
            except OSError:
                continue  # an interface without an IPv4 address
    return None


def socket_buffer_limit() -> int:
    """Return how many bytes the kernel lets a socket hold back (net.core.rmem_max); 0 where it does not say."""
    try:
        return int(Path("/proc/sys/net/core/rmem_max").read_text())
    except (OSError, ValueError):
        return 0

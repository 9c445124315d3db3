"""What the host's network allows: packet sizes by interface, and how much a socket may hold back."""

from __future__ import annotations

import contextlib
import fcntl
import ipaddress
import os
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


def widen_receiver(port: int, size_bytes: int) -> bool:
    """Let this process's UDP socket on `port` hold back `size_bytes`, or as much as the kernel allows.

    Aravis does so only once the first picture arrives, which the default of some 200 KB then cuts short on a busy
    computer. Returns whether there is such a socket.
    """
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # closed meanwhile, or no socket
            if not os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):
                continue
            with socket.socket(fileno=os.dup(int(name))) as found:
                is_udp = found.family == socket.AF_INET and found.type == socket.SOCK_DGRAM
                if is_udp and found.getsockname()[1] == port:
                    found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size_bytes)
                    return True
    return False

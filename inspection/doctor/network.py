"""What GigE Vision cameras need of the network: large packets, large buffers, answers that are let through."""

from __future__ import annotations

import array
import fcntl
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

from inspection.doctor.finding import Finding

JUMBO_MTU = 9000
SOCKET_BUFFER_BYTES = 4 * 1024 * 1024
"""What a stream of 2048² at 60 frames a second was measured to need without a lost packet."""
_SIOCETHTOOL = 0x8946
_ETHTOOL_GRINGPARAM = 0x10
_RING = struct.Struct("IIIIIIIII")  # cmd, rx_max, mini_max, jumbo_max, tx_max, rx, mini, jumbo, tx (linux/ethtool.h)
_LOOPBACK = "772"  # ARPHRD_LOOPBACK

NET = Path("/sys/class/net")
SYSCTL = Path("/proc/sys/net")


def interfaces() -> list[str]:
    """Return the names of the network interfaces that are up and lead somewhere."""
    return [
        place.name
        for place in sorted(NET.iterdir())
        if _read(place / "type") != _LOOPBACK and _read(place / "operstate") in ("up", "unknown")
    ]


def look_at_buffers() -> Iterator[Finding]:
    """Look at how much the kernel keeps of what nobody has taken yet."""
    told = _read(SYSCTL / "core/rmem_max")
    if not told:  # a network namespace of an older kernel does not see it
        return
    allowed = int(told)
    enough = allowed >= SOCKET_BUFFER_BYTES
    yield Finding(
        "socket buffer", "ok" if enough else "problem", f"{allowed / 1e6:.1f} MB at most for what a camera sends",
        "" if enough else f"{_sysctl(f'net.core.rmem_max={SOCKET_BUFFER_BYTES}')} — too small, it loses frames",
    )  # fmt: skip
    lost = _udp_errors()
    yield Finding(
        "packets lost in the kernel", "ok" if not lost else "note",
        f"{lost} since the machine started, because nobody took them in time",
        "" if not lost else f"{_sysctl('net.core.rmem_max=33554432')}, and look whether the number still grows",
    )  # fmt: skip


def look_at_interface(name: str, *, carries_camera: bool) -> Iterator[Finding]:
    """Look at one network interface; where a camera is known to be on it, what is unfit is a problem."""
    bad = "problem" if carries_camera else "note"
    only_if = "" if carries_camera else "; needed only where a GigE Vision camera is connected here"
    place = NET / name
    mtu = int(_read(place / "mtu") or 0)
    jumbo = mtu >= JUMBO_MTU
    yield Finding(
        f"{name}: packets", "ok" if jumbo else bad, f"MTU {mtu} bytes",
        "" if jumbo else f"ip link set {name} mtu {JUMBO_MTU} (switches on the way must take it, too){only_if}",
    )  # fmt: skip
    strictest = max(int(_read(SYSCTL / f"ipv4/conf/{where}/rp_filter") or 0) for where in ("all", name))
    strict = strictest == 1
    mend = " ".join(f"net.ipv4.conf.{where}.rp_filter=2" for where in ("all", name))
    yield Finding(
        f"{name}: answers let through", "note" if strict else "ok", f"rp_filter {strictest}",
        f"{_sysctl(mend)} — a camera whose address is of another subnet is not found" if strict else "",
    )  # fmt: skip
    yield from _speed(name)
    yield from _ring(name)
    yield from _dropped(name, place)


def speed_mbit(name: str) -> int | None:
    """Return the link's speed in Mbit/s; None where the driver does not tell."""
    told = _read(NET / name / "speed")
    return int(told) if told and int(told) > 0 else None


def _speed(name: str) -> Iterator[Finding]:
    mbit = speed_mbit(name)
    if mbit is not None:
        slow = mbit < 1000
        yield Finding(
            f"{name}: link", "problem" if slow else "ok", f"{mbit} Mbit/s",
            "use a Cat 5e cable or better and a gigabit port: GigE Vision needs 1000 Mbit/s" if slow else "",
        )  # fmt: skip


def _ring(name: str) -> Iterator[Finding]:
    rings = _receive_ring(name)
    if rings is not None:
        now, most = rings
        small = now < min(most, 4096)
        yield Finding(
            f"{name}: receive ring", "note" if small else "ok", f"{now} of {most} packets",
            f"ethtool -G {name} rx {most}" if small else "",
        )  # fmt: skip


def _dropped(name: str, place: Path) -> Iterator[Finding]:
    dropped = sum(int(_read(place / "statistics" / kind) or 0) for kind in ("rx_missed_errors", "rx_fifo_errors"))
    if dropped:
        yield Finding(
            f"{name}: packets lost in the card", "note", f"{dropped} since the interface came up",
            f"ethtool -G {name} rx 4096, a packet_delay at the cameras, or fewer frames a second",
        )  # fmt: skip


def _receive_ring(name: str) -> tuple[int, int] | None:
    """Return how many packets the card keeps and how many it could; None where the driver has none (ethtool -g)."""
    data = array.array("B", _RING.pack(_ETHTOOL_GRINGPARAM, *[0] * 8))
    request = struct.pack("16sP", name.encode(), data.buffer_info()[0])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        try:
            fcntl.ioctl(any_socket.fileno(), _SIOCETHTOOL, request)
        except OSError:
            return None
    _, most, _, _, _, now, *_ = _RING.unpack(data.tobytes())
    return (now, most) if most else None


def _udp_errors() -> int:
    """Return how many UDP packets found a full socket buffer (RcvbufErrors of /proc/net/snmp)."""
    rows = [line.split() for line in Path("/proc/net/snmp").read_text().splitlines() if line.startswith("Udp:")]
    return int(dict(zip(*rows, strict=True)).get("RcvbufErrors", 0)) if len(rows) == 2 else 0


def _sysctl(settings: str) -> str:
    return f"sysctl -w {settings}"


def _read(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""

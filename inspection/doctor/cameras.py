"""What keeps cameras from sending every picture, and the command that mends it."""

from __future__ import annotations

import array
import fcntl
import socket
import struct
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from camera.device import Device
from camera.discovery import find_devices
from inspection.config import StationConfig
from inspection.config.load import load_config
from inspection.doctor import bandwidth, clocks, drivers, network, usb
from inspection.doctor.finding import Finding, Look, look_at

_SIOCGIFADDR = 0x8915


def examine_cameras(station: Path | None) -> list[Finding]:
    """Look at libraries, devices, network, USB and, for a station file, at what its cameras send altogether.

    Raises ConfigError for a file that is no station.
    """
    config = None if station is None else load_config(station)
    devices, troubles = find_devices()
    links = {device: _interface_to(device.address) for device in devices}
    of_station: tuple[Look, ...] = ()
    if config is not None:
        of_station = (
            partial(_look_at_bandwidth, config, _links_of(config, devices, links)),
            partial(clocks.look_at_clocks, config),
        )
    return look_at(
        (
            drivers.look_at_libraries,
            drivers.look_at_producers,
            partial(_look_at_devices, links, troubles),
            partial(_look_at_network, {link for link in links.values() if link}),
            usb.look_at_memory,
            usb.look_at_devices,
            usb.look_at_video_nodes,
            *of_station,
        )
    )


def _look_at_devices(links: Mapping[Device, str], troubles: Sequence[str]) -> Iterator[Finding]:
    for device, link in links.items():
        yield _device(device, link)
    for trouble in troubles:
        yield Finding("search for cameras", "problem", trouble, "mend the library, or uninstall it")
    if not links:
        yield Finding(
            "cameras", "note", "none answers",
            "connect one, give its network card an address of the camera's subnet, and allow UDP in the firewall",
        )  # fmt: skip


def _look_at_network(carrying: Collection[str]) -> Iterator[Finding]:
    yield from network.look_at_buffers()
    for name in network.interfaces():
        yield from network.look_at_interface(name, carries_camera=name in carrying)


def _look_at_bandwidth(config: StationConfig, links: Mapping[str, str]) -> Iterator[Finding]:
    speeds = {link: network.speed_mbit(link) for link in links.values()}
    yield from bandwidth.look_at_links(bandwidth.flows(config), links, speeds)


def _device(device: Device, link: str) -> Finding:
    name = " ".join(filter(None, (device.vendor, device.model, device.serial or device.id)))
    where = " at ".join(filter(None, (link, device.address)))
    bad = device.state == "unreachable"
    level = "problem" if bad else "note" if device.state == "held" else "ok"
    found = ", ".join(filter(None, (f"backend {device.backend}", where, device.state)))
    return Finding(name, level, found, device.hint)


def _links_of(config: StationConfig, devices: Sequence[Device], links: Mapping[Device, str]) -> dict[str, str]:
    """Return the network interface of each of the station's cameras, where its device was found on one."""
    found = {}
    for section in config.cameras:
        wanted = str(section.options.get("device", ""))
        for device in devices:
            if device.backend == section.backend and device.answers_to(wanted) and links[device]:
                found[section.name] = links[device]
    return found


def _interface_to(address: str) -> str:
    """Return the network interface that leads to an IPv4 address, '' for any other address or none."""
    try:
        socket.inet_aton(address)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as towards:
            towards.connect((address, 3956))
            own = towards.getsockname()[0]
    except OSError:
        return ""
    for _, name in socket.if_nameindex():
        with suppress(OSError):
            if _address_of(name) == own:
                return name
    return ""


def _address_of(interface: str) -> str:
    """Return an interface's IPv4 address. Raises OSError where it has none (netdevice(7))."""
    request = array.array("B", struct.pack("256s", interface.encode()[:15]))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket.fileno(), _SIOCGIFADDR, request)
    return socket.inet_ntoa(request[20:24].tobytes())

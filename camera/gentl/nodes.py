"""The features of a device behind a GenTL port, by the description that the device itself gives."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from genicam import genapi

from camera.genicam.genapi_nodes import GenapiNodes, snake
from camera.gentl.binding import Binding, GentlError, Handle, PortUrlInfo

_READ_WRITE = 4


class _Port(genapi.AbstractPort):  # type: ignore[misc]  # the package has no types
    """What the node map reads and writes registers through."""

    def __init__(self, binding: Binding, port: Handle) -> None:
        super().__init__()
        self._binding, self._port = binding, port

    def get_access_mode(self) -> int:
        return _READ_WRITE

    def read(self, address: int, length: int) -> bytes:
        return self._binding.read(self._port, address, length)

    def write(self, address: int, value: bytes) -> None:
        self._binding.write(self._port, address, value)


class GentlNodes(GenapiNodes):
    """The features of one open GenTL device; keeps the port that they are read through."""

    def __init__(self, binding: Binding, port: Handle, gone: Callable[[], bool]) -> None:
        node_map = genapi.NodeMap()
        self.description_address, content = _description(binding, port)
        """A register that can be read at any time; 0, where even GigE Vision has one, if the description is a file."""
        _load(node_map, content)
        self.node_map = node_map
        self._port = _Port(binding, port)
        node_map.connect(self._port, "Device")
        super().__init__(node_map, snake, (genapi.GenericException, GentlError, RuntimeError), gone)


def _description(binding: Binding, port: Handle) -> tuple[int, bytes]:
    """Return the address and content of the description (GenTL 1.6, 4.1.2: local:NAME;ADDRESS;LENGTH, or file:)."""
    url = str(binding.info("GCGetPortURLInfo", port, 0, PortUrlInfo.URL))
    if url.lower().startswith("local:"):
        _, address, length = url[6:].split("?")[0].split(";")
        return int(address, 16), binding.read(port, int(address, 16), int(length, 16))
    if url.lower().startswith("file:"):
        return 0, Path(unquote(urlsplit(url.split("?")[0]).path)).read_bytes()
    raise GentlError("GCGetPortURLInfo", -1003, f"the description lies at {url!r}, neither in the device nor in a file")


def _load(node_map: Any, content: bytes) -> None:
    if not content.startswith(b"PK"):
        node_map.load_xml_from_string(content.rstrip(b"\0").decode("utf-8"))
        return
    with tempfile.NamedTemporaryFile(suffix=".zip") as file:
        file.write(content)
        file.flush()
        node_map.load_xml_from_zip_file(file.name)

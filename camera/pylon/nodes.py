"""The features of a device under pylon."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pypylon import genicam

from camera.genicam.genapi_nodes import GenapiNodes, pascal


class PylonNodes(GenapiNodes):
    """The features of one open device, in pylon's own node map."""

    def __init__(self, node_map: Any, gone: Callable[[], bool]) -> None:
        super().__init__(node_map, pascal, (genicam.GenericException, RuntimeError), gone)

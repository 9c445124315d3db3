"""A GigE Vision or USB3 Vision camera of any vendor, through Aravis."""

from __future__ import annotations

from camera.aravis.binding import AravisError
from camera.aravis.discovery import devices as devices
from camera.aravis.link import AravisLink
from camera.aravis.options import Options
from camera.errors import CameraOpenError
from camera.genicam.link import Link
from camera.genicam.streaming import StreamingCamera
from camera.genicam.writing import Applied

__all__ = ["AravisCamera", "Options", "devices"]


class AravisCamera(StreamingCamera):
    """One camera under Aravis; owned by one grabbing thread. The library receives packets on a thread of its own."""

    silence_hint = "check its cable and power; if it never sends one, lower packet_size"

    def __init__(self, name: str, options: Options) -> None:
        super().__init__(name, options)
        self._options = options

    def _connect(self) -> AravisLink:
        return AravisLink(self.name, self._options)

    def _configure(self, link: Link) -> tuple[Applied, ...]:
        """Set the device, then its packets: their size is tested with the picture that was set."""
        assert isinstance(link, AravisLink)
        applied = super()._configure(link)
        try:
            link.connection.settle_network()
        except AravisError as error:
            raise CameraOpenError(f"camera '{self.name}': {error}", error.cause) from error
        return applied

    def _device_now_ns(self) -> int | None:
        link = self._link
        return None if isinstance(link, AravisLink) and link.connection.is_lost else super()._device_now_ns()

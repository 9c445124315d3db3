"""One open device under Aravis: its features, the stream of each acquisition, and whether it is lost."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace

from camera.aravis.binding import AravisError
from camera.aravis.connection import Connection
from camera.aravis.nodes import AravisNodes
from camera.aravis.options import Options
from camera.aravis.stream import Stream
from camera.errors import CameraLostError, Cause, NodeError
from camera.frame_memory import MemorySource
from camera.genicam.block_ids import BlockIds
from camera.genicam.link import Received


class AravisLink:
    """A claimed device; owned by the camera's grabbing thread. The library receives on a thread of its own.

    After a loss nothing is asked of the device any more: each question would wait 2.5 s for an answer.
    """

    def __init__(self, camera: str, options: Options) -> None:
        """Find and claim the device, and silence it. Raises CameraOpenError."""
        self._camera = camera
        self.connection = Connection(camera, options)
        self._stream: Stream | None = None
        self._payload = 0
        self._missing_packets = 0
        self._earlier: dict[str, int] = {}
        with contextlib.suppress(NodeError, CameraLostError):
            self.nodes.execute("AcquisitionStop")  # one that was lost may still send to where nobody listens

    @property
    def nodes(self) -> AravisNodes:
        """The features of the device."""
        return self.connection.nodes

    def block_ids(self) -> BlockIds:
        """Return 16-bit numbers for a GigE Vision device that does not extend them, else 64-bit ones."""
        is_short = self.connection.is_gige and not _extended(self.nodes)
        return BlockIds() if is_short else BlockIds(64, zero_is_skipped=False)

    def begin(self, memory: MemorySource) -> None:
        """Make a stream and let the device acquire."""
        if self.connection.is_lost:
            raise self._control_lost()
        try:
            self._payload = int(self.nodes.get("PayloadSize"))
            self._stream = self.connection.stream(self._payload, memory)
            self._missing_packets = 0
            self.nodes.execute("AcquisitionStart")
        except AravisError as error:
            raise NodeError(str(error), Cause.REFUSED) from error

    def pop(self, timeout_s: float) -> Received | None:
        """Return the next buffer, whole or not. Raises CameraLostError once control was lost and nothing waits."""
        if self._stream is None:
            return None
        came = self._stream.pop(timeout_s)
        if came is None:
            if self.connection.is_lost:
                raise self._control_lost()
            return None
        return replace(came, trouble=f"{came.trouble}{self._missing()}") if came.trouble else came

    def lend(self, received: Received) -> bool:
        """Leave the memory of the buffer to whoever looks at it, if another one can take its place."""
        return self._stream is not None and self._stream.lend(received)

    def give_back(self, received: Received) -> None:
        """Let the library fill the buffer again, unless it was lent."""
        if self._stream is not None:
            self._stream.give_back(received)

    def is_ready(self) -> bool:
        """Return True: to ask the device takes as long as to trigger it."""
        return True

    def give_up(self) -> None:
        """Ask nothing of the device any more."""
        self.connection.give_up()

    def end(self) -> None:
        """Let the device acquire no longer, unless it is lost, and give the stream up with all that it holds."""
        stream, self._stream = self._stream, None
        if stream is None:
            return
        if not self.connection.is_lost:
            try:
                self.nodes.execute("AcquisitionStop")
            except (NodeError, CameraLostError):
                self.connection.give_up()
        for name, count in stream.counted().items():
            self._earlier[name] = self._earlier.get(name, 0) + count
        if self.connection.is_lost:
            self.connection.leave(stream)
        else:
            stream.close()

    def close(self) -> None:
        """Give control back; of a lost device a thread of its own takes leave."""
        self.end()
        self.connection.close()

    def counted(self) -> Mapping[str, int]:
        """Return what the streams counted since it was opened, and what the network was set to."""
        stream, connection = self._stream, self.connection
        current = {} if stream is None else stream.counted()
        received = {name: self._earlier.get(name, 0) + current.get(name, 0) for name in {*self._earlier, *current}}
        if not connection.is_gige:
            return received
        return {
            **received,
            "packet_size": connection.packet_size,
            "socket_buffer_bytes": connection.socket_buffer_bytes,
            "socket_buffer_too_small": int(connection.socket_buffer_is_short(self._payload)),
        }

    def _missing(self) -> str:
        """Return how many packets went missing since this was asked last, for people; '' for none."""
        assert self._stream is not None  # a buffer of it is at hand
        counted = self._stream.counted()["missing_packets"]
        missing, self._missing_packets = counted - self._missing_packets, counted
        return f" ({missing} packets are missing)" if missing > 0 else ""

    def _control_lost(self) -> CameraLostError:
        return CameraLostError(
            f"camera '{self._camera}': it does not answer any more and control of it is lost; check its cable, power "
            "and address",
            Cause.CONTROL_LOST,
        )


def _extended(nodes: AravisNodes) -> bool:
    """Return whether a GigE Vision 2 device numbers its frames with 64 bits."""
    name = "GevGVSPExtendedIDMode"
    try:
        return nodes.has(name) and nodes.get(name) in ("On", 1, True)
    except NodeError:
        return False

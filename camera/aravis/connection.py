"""A claimed device: found, opened, under our control, and whether that control was lost."""

from __future__ import annotations

import threading
from ctypes import c_int, create_string_buffer

from camera.aravis.binding import AravisError, Library, library, text_of
from camera.aravis.chunks import ChunkParser
from camera.aravis.discovery import find
from camera.aravis.network import LOOPBACK_PACKET, SAFE_PACKET, is_loopback, mtu_of, socket_buffer_limit
from camera.aravis.nodes import AravisNodes
from camera.aravis.options import Options
from camera.aravis.stream import Stream, StreamSettings
from camera.device import Device
from camera.errors import CameraOpenError, Cause
from camera.frame_memory import MemorySource
from camera.genicam.clock import tick_hz

_NOT_FOUND = 6  # ArvDeviceError
_SERIAL, _SERIAL_SIZE = 0x00D8, 16  # GigE Vision 2.0, chapter 28 (bootstrap registers)
_NEVER = 0  # ArvGvPacketSizeAdjustment: the size is decided here
_BURIAL_S = 0.3  # a device that is silent but alive lets go within this time
_SMALLEST_PACKET = 576  # what every IPv4 host takes; less is no answer of a packet size test


class Connection:
    """One device under our control. Owned by the camera; `is_lost` may be read from any thread and never waits.

    The library notes the loss of control on a thread of its own, about 5.5 s after the last answer of the device, by
    increasing a number that is read here.
    """

    def __init__(self, camera: str, options: Options) -> None:
        """Find and claim the device. Raises CameraOpenError."""
        self.library: Library = library()
        self._camera, self._options = camera, options
        self.found = find(camera, options.device)
        if self.found.state == "held":
            raise _held(camera, self.found, self.found.hint)
        self._device: int | None = _opened(self.library, camera, self.found)
        self._losses, self._given_up = c_int(0), False
        self._remains: list[Stream] = []
        self.is_gige = bool(
            self.library.g_type_check_instance_is_a(self._device, self.library.arv_gv_device_get_type())
        )
        if self.is_gige and not self.library.arv_gv_device_is_controller(self._device):
            self.library.g_object_unref(self._device)
            raise _held(camera, self.found, "another program controls it: end that program")
        self._refuse_another()
        self._handler = self.library.count_signal(self.device, "control-lost", self._losses)
        self.host_address = self._host_address() if self.is_gige else ""
        self.nodes = AravisNodes(self.library, self.device, camera, lambda: self.is_lost)
        self.packet_size = 0
        self._chunks: ChunkParser | None = None

    def _refuse_another(self) -> None:
        """Let go of a camera with another serial number than the one that was found. Raises CameraOpenError.

        It is opened by its address, where another one may answer: two cameras with one address, or one that just moved.
        """
        found, there = self.found, _serial_of(self.library, self.device) if self.is_gige else ""
        if there in ("", found.serial) or not found.serial:
            return
        self.library.g_object_unref(self._device)
        raise CameraOpenError(
            f"camera '{self._camera}': {found.serial} was found at {found.address}, but {there} answers there — two "
            "cameras have this address, or they have just exchanged it — give each camera an address of its own",
            Cause.NETWORK,
        )

    @property
    def device(self) -> int:
        """The ArvDevice. Only while it is open."""
        assert self._device is not None  # the camera's life cycle puts close() last
        return self._device

    @property
    def is_lost(self) -> bool:
        """True once control was lost or the camera gave the device up: whoever asks it now waits for nothing."""
        return self._losses.value > 0 or self._given_up

    def give_up(self) -> None:
        """Note that the device is lost although it was not told so yet."""
        self._given_up = True

    def settle_network(self) -> None:
        """Set packet size and delay. Raises CameraOpenError where the size that was asked for is too large."""
        if not self.is_gige:
            return
        aravis, asked = self.library, self._options.packet_size
        aravis.arv_gv_device_set_packet_size_adjustment(self._device, _NEVER)
        mtu = mtu_of(self.host_address)
        if asked and mtu is not None and asked > mtu:
            raise CameraOpenError(
                f"camera '{self._camera}': packet_size = {asked} — at most the {mtu} bytes (MTU) of the port "
                f"{self.host_address} — lower it, or raise the MTU of the port and of every switch on the way",
                Cause.NETWORK,
            )
        try:
            size = asked or self._negotiated(mtu)
            aravis.arv_gv_device_set_packet_size(self._device, size)
            if self._options.packet_delay is not None:
                self.nodes.set("GevSCPD", self._options.packet_delay)
            self.packet_size = int(aravis.arv_gv_device_get_packet_size(self._device))
        except AravisError as error:
            raise CameraOpenError(
                f"camera '{self._camera}': its packet size cannot be set ({error}); set packet_size = 1500",
                Cause.NETWORK,
            ) from error

    def stream(self, payload: int, memory: MemorySource) -> Stream:
        """Make a stream for frames of `payload` bytes in this memory. Raises AravisError."""
        options = self._options
        packet_socket = options.packet_socket == "on" or (
            options.packet_socket == "auto" and not is_loopback(self.host_address)
        )
        settings = StreamSettings(
            buffers=options.buffers,
            socket_buffer_bytes=self.socket_buffer_bytes,
            packet_socket=packet_socket,
            resend=options.resend,
            packet_timeout_us=int(options.packet_timeout_ms * 1000),
            frame_retention_us=int(options.frame_retention_ms * 1000),
        )
        slots, chunks = memory(payload, options.buffers), self._chunk_parser()
        with self.nodes.asking:
            return Stream(self.library, self.device, self.is_gige, payload, settings, slots, chunks)

    def _chunk_parser(self) -> ChunkParser | None:
        if self._chunks is None and self._options.chunks:
            self._chunks = ChunkParser(self.library, self.device, self._options.chunks, tick_hz(self.nodes))
        return self._chunks

    @property
    def socket_buffer_bytes(self) -> int:
        """What the stream's socket may hold back, in bytes: as asked for, and no more than the kernel allows."""
        limit = socket_buffer_limit() or 1 << 20
        asked = self._options.socket_buffer_mb
        return limit if asked is None else min(limit, asked << 20)

    def socket_buffer_is_short(self, payload: int) -> bool:
        """Return whether it is less than was asked for, or than one frame."""
        wanted = (self._options.socket_buffer_mb or 0) << 20
        return self.is_gige and self.socket_buffer_bytes < max(wanted, payload)

    def leave(self, stream: Stream) -> None:
        """Take over a stream of the lost device: to end it takes as long as to end the device."""
        self._remains.append(stream)

    def close(self) -> None:
        """Give control back, where it is still ours, and forget the device. Idempotent.

        Of a device that is lost the library takes leave with questions that nobody answers, up to 10 s: that goes on
        beside, in a thread that does nothing else, so that the camera can be opened again meanwhile.
        """
        device, self._device = self._device, None
        if device is None:
            return
        self.library.g_signal_handler_disconnect(device, self._handler)
        if self._chunks is not None:
            self._chunks.close()
        if not self.is_lost:
            self.nodes.end()  # another thread may be asking just now
            self.library.g_object_unref(device)
            return
        burial = threading.Thread(target=self._bury, args=(device,), name=f"{self._camera}-burial", daemon=True)
        burial.start()
        burial.join(_BURIAL_S)

    def _bury(self, device: int) -> None:
        self.nodes.end()
        for stream in self._remains:
            stream.close()
        self.library.g_object_unref(device)

    def _negotiated(self, mtu: int | None) -> int:
        """Return the largest packet that comes through: by test packets, where the device can send them."""
        if is_loopback(self.host_address):
            return LOOPBACK_PACKET
        if not self.nodes.has("GevSCPSFireTestPacket"):
            return min(SAFE_PACKET, mtu or SAFE_PACKET)
        size = int(self.library.arv_gv_device_auto_packet_size(self._device))
        return size if size >= _SMALLEST_PACKET else min(SAFE_PACKET, mtu or SAFE_PACKET)

    def _host_address(self) -> str:
        return self.library.inet_address(self.library.arv_gv_device_get_interface_address(self._device))


def _held(camera: str, found: Device, hint: str) -> CameraOpenError:
    at = f" at {found.address}" if found.address not in ("", found.id) else ""
    return CameraOpenError(
        f"camera '{camera}': {found.id}{at} is held — one program at a time may control a camera — {hint}; where that "
        "program has just died, the camera lets go by itself after some seconds",
        Cause.HELD,
    )


def _serial_of(aravis: Library, device: int) -> str:
    """Return the serial number in the device's own register, '' where it has none (it is optional)."""
    register = create_string_buffer(_SERIAL_SIZE + 1)
    try:
        aravis.arv_device_read_memory(device, _SERIAL, _SERIAL_SIZE, register)
    except AravisError:
        return ""
    return text_of(register.value)


def _opened(aravis: Library, camera: str, found: Device) -> int:
    """Open the device by its address, which is certain, else by its id."""
    try:
        return int(aravis.arv_open_device((found.address or found.id).encode()))
    except AravisError as error:
        where = f"{found.id} at {found.address}" if found.address not in ("", found.id) else found.id
        if error.family == "device" and error.code == _NOT_FOUND:
            raise CameraOpenError(
                f"camera '{camera}': nothing answers for {where} ({error}); check its power, cable and subnet",
                Cause.ABSENT,
            ) from error
        held = "claim" in str(error).lower() or "busy" in str(error).lower()  # what libusb says of an interface in use
        raise CameraOpenError(
            f"camera '{camera}': {where} cannot be opened ({error}); end other programs that use it, and see that this "
            "user may open it (for USB: the udev rule of Aravis)",
            Cause.HELD if held else Cause.UNKNOWN,
        ) from error

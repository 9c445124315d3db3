"""One open device under pylon: its features, and the buffers that it fills."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pypylon import genicam, pylon

from camera.errors import CameraLostError, CameraOpenError, Cause
from camera.frame import Pixels
from camera.frame_memory import MemorySource
from camera.genicam.block_ids import BlockIds
from camera.genicam.chunks import read_chunks
from camera.genicam.clock import tick_hz
from camera.genicam.link import Received
from camera.genicam.options import StreamingOptions
from camera.genicam.pfnc import canonical, frame_bytes, name_of
from camera.pylon.buffers import Buffers
from camera.pylon.finding import enumerate_devices
from camera.pylon.nodes import PylonNodes

_GIGE, _EMULATION = "BaslerGigE", "BaslerCamEmu"
_BEGINS_WITH = {_GIGE: 1, "BaslerUsb": 0, _EMULATION: 0}  # each start of these devices (pylon's GetBlockID)
_UNKNOWN_ID = 0xFFFFFFFFFFFFFFFF
_SIGN_OF_LIFE_S = 2.0
_READY_MS = 50
_NS = 1_000_000_000
_NOTHING: Pixels = np.zeros(0, np.uint8)
_STATISTICS = {
    "underruns": "Statistic_Buffer_Underrun_Count",
    "missing_packets": "Statistic_Failed_Packet_Count",
    "resend_requests": "Statistic_Resend_Request_Count",
    "resent_packets": "Statistic_Resend_Packet_Count",
}


class PylonLink:
    """An open device; owned by the camera's grabbing thread. pylon receives on a thread of its own."""

    def __init__(self, camera: str, info: Any, options: StreamingOptions, images: Path | None) -> None:
        self._full_name, self._class = str(info.GetFullName()), str(info.GetDeviceClass())
        self._chunks, self._wanted = options.chunks, options.buffers
        self._buffers: Buffers | None = None
        self._camera: Any = None
        self._is_lost = False
        try:
            self._camera = pylon.InstantCamera(pylon.TlFactory.GetInstance().CreateDevice(info))
            self._camera.Open()
            if images is not None:
                self._show(images)
        except (genicam.GenericException, RuntimeError) as error:
            self.close()
            raise _refusal(camera, info, error) from error
        self.nodes = PylonNodes(self._camera.GetNodeMap(), self._is_gone)
        self._tick_hz = tick_hz(self.nodes) or _NS

    def block_ids(self) -> BlockIds:
        """Return 16-bit numbers for a GigE Vision device that does not extend them, else 64-bit ones."""
        begins_with = _BEGINS_WITH.get(self._class)
        name = "GevGVSPExtendedIDMode"
        if self._class == _GIGE and not (self.nodes.has(name) and self.nodes.get(name) == "On"):
            return BlockIds(begins_with=begins_with)
        return BlockIds(64, zero_is_skipped=False, begins_with=begins_with)

    def begin(self, memory: MemorySource) -> None:
        """Queue buffers and let the device acquire; each picture comes once and in order, none is skipped."""
        size = int(self.nodes.get("PayloadSize"))
        self._buffers = buffers = Buffers(memory(size, self._wanted), self._wanted)
        try:
            self._camera.SetBufferFactory(buffers)
            self._camera.MaxNumBuffer.Value = buffers.count
            self._camera.StartGrabbing(pylon.GrabStrategy_OneByOne, pylon.GrabLoop_ProvidedByUser)
        except (genicam.GenericException, RuntimeError) as error:
            raise self._lost(error) from error
        self._alive_at_s = time.monotonic()

    def pop(self, timeout_s: float) -> Received | None:
        """Return the next buffer that was filled. Raises CameraLostError."""
        camera = self._camera
        try:
            if self._buffers is not None:
                self._buffers.take_back()
            if not camera.IsGrabbing():
                raise CameraLostError("pylon does not receive from the device any more", Cause.CONTROL_LOST)
            # After an error of its transport, RetrieveResult was seen to wait for ever, whatever time it was given.
            waiting = camera.GetGrabResultWaitObject().Wait(int(timeout_s * 1000))
            result = camera.RetrieveResult(0, pylon.TimeoutHandling_Return) if waiting else None
            if result is None or not result.IsValid():
                self._look_for_life()
                return None
            self._alive_at_s = time.monotonic()
            return self._received(result)
        except (genicam.GenericException, RuntimeError) as error:
            raise self._lost(error) from error

    def lend(self, received: Received) -> bool:
        """Keep the buffer from pylon while anybody looks at its memory; False where pylon needs it itself."""
        return self._buffers is not None and self._buffers.lend(received.data, received.token)

    def give_back(self, received: Received) -> None:
        """Let pylon fill the buffer again, unless it was lent."""
        result: Any = received.token
        if self._buffers is not None and self._buffers.has_lent(result):
            return
        try:
            result.Release()
        except (genicam.GenericException, RuntimeError):
            return

    def end(self) -> None:
        """Let the device acquire no longer; pylon discards what waits."""
        try:
            if self._camera.IsGrabbing():
                self._camera.StopGrabbing()
        except (genicam.GenericException, RuntimeError):
            self._is_lost = True
        if self._buffers is not None:
            self._buffers.end()

    def close(self) -> None:
        """Close the device and give it free."""
        camera, self._camera = self._camera, None  # its last reference: pylon keeps 32 handles and a thread for each
        if camera is None:
            return
        for ending in (camera.StopGrabbing, camera.Close, camera.DestroyDevice):
            try:
                ending()
            except (genicam.GenericException, RuntimeError):
                continue

    def is_ready(self) -> bool:
        """Wait a little until the device takes a trigger; one that cannot tell is always ready."""
        camera = self._camera
        try:
            if camera is None or not camera.IsGrabbing():
                return False
            if not camera.CanWaitForFrameTriggerReady():
                return True
            return bool(camera.WaitForFrameTriggerReady(_READY_MS, pylon.TimeoutHandling_Return))
        except (genicam.GenericException, RuntimeError):
            return False

    def give_up(self) -> None:
        """Do nothing: pylon waits for no dead device for long."""

    def counted(self) -> Mapping[str, int]:
        """Return what pylon's receiver counts, where the device's transport has it."""
        camera = self._camera
        if camera is None:
            return {}
        try:
            nodes = camera.GetStreamGrabberNodeMap()
            found = {ours: nodes.GetNode(theirs) for ours, theirs in _STATISTICS.items()}
            return {ours: int(node.Value) for ours, node in found.items() if node is not None and node.IsReadable()}
        except (genicam.GenericException, RuntimeError):
            return {}

    def _received(self, result: Any) -> Received:
        whole = bool(result.GrabSucceeded())
        block_id = int(result.BlockID)
        ticks = int(result.TimeStamp)
        width, height = int(result.Width), int(result.Height)
        pixel_format, padding = "", 0
        data = _NOTHING
        chunks: Mapping[str, int | float] = {}
        if whole:
            pixel_format, padding = canonical(name_of(int(result.PixelType) & 0xFFFFFFFF)), int(result.PaddingX)
            data = self._memory_of(result)
            if result.IsChunkDataAvailable():
                data = data[: frame_bytes(pixel_format, width, height, padding)]
                if self._chunks:
                    sent = PylonNodes(result.GetChunkDataNodeMap(), lambda: False)
                    chunks = read_chunks(sent, self._chunks, self._tick_hz)
        return Received(
            block_id=None if block_id == _UNKNOWN_ID else block_id,
            device_ns=ticks * _NS // self._tick_hz if ticks else None,
            width=width,
            height=height,
            pixel_format=pixel_format,
            padding=padding,
            data=data,
            trouble="" if whole else str(result.ErrorDescription) or f"pylon's error {int(result.ErrorCode):#x}",
            token=result,
            chunks=chunks,
        )

    def _memory_of(self, result: Any) -> Pixels:
        """Return what was filled of a buffer, as memory that outlives pylon's handle of it."""
        slot = None if self._buffers is None else self._buffers.memory_of(result)
        return np.frombuffer(result.GetMemoryView(), np.uint8) if slot is None else slot[: int(result.PayloadSize)]

    def _show(self, images: Path) -> None:
        """Let the emulation show the files of a folder, over and over, in the order of their names."""
        camera = self._camera
        camera.TestImageSelector.Value = "Off"
        camera.ImageFilename.Value = str(images)
        camera.ImageFileMode.Value = "On"

    def _look_for_life(self) -> None:
        """Look now and then whether an idle device is still there: pylon need not tell of its removal."""
        now_s = time.monotonic()
        if now_s - self._alive_at_s < _SIGN_OF_LIFE_S:
            return
        self._alive_at_s = now_s
        if self._is_gone():
            raise CameraLostError("the device is there no more; check its cable and power", Cause.CONTROL_LOST)

    def _is_gone(self) -> bool:
        if self._is_lost or self._camera is None or self._camera.IsCameraDeviceRemoved():
            return True
        if self._class == _EMULATION:
            return all(str(info.GetFullName()) != self._full_name for info in enumerate_devices(emulated=True))
        return False

    def _lost(self, error: Exception) -> CameraLostError:
        self._is_lost = True
        return CameraLostError(f"pylon says: {error}; the device is closed and opened again", Cause.CONTROL_LOST)


def _refusal(camera: str, info: Any, error: Exception) -> CameraOpenError:
    """Return why a device that was seen cannot be opened."""
    name, text = str(info.GetFullName()), str(error)
    try:
        is_free = bool(pylon.TlFactory.GetInstance().IsDeviceAccessible(info))
    except genicam.GenericException:
        return CameraOpenError(
            f"camera '{camera}': device {name!r} went away while it was opened: {text}", Cause.ABSENT
        )
    if not is_free:
        return CameraOpenError(
            f"camera '{camera}': device {name!r} is held by another program (the pylon Viewer?); end that ({text})",
            Cause.HELD,
        )
    return CameraOpenError(f"camera '{camera}': device {name!r} cannot be opened: {text}", Cause.UNKNOWN)

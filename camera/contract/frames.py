"""Checks of the frames: order, identity, clocks, the buffer that the host gives, and a wait without one."""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np

from camera.contract.expecting import NotTriedError, expect, expect_equal, expect_refusal, expect_some
from camera.contract.under_test import CameraUnderTest
from camera.frame import Frame

_LIKE = 5  # grey levels that a picture may be off: videos are compressed


def frames_show_their_own_part_with_all_fields(row: CameraUnderTest) -> None:
    """All parts arrive in order; counter, clocks, format, shape and content belong to the same part."""
    with row.camera() as camera:
        camera.start()
        frames = row.all_frames(camera)
        lends = camera.lends_frames
    expect_equal([frame.counter for frame in frames], list(range(1, row.parts + 1)), "counters")
    shape = row.shape or frames[0].pixels.shape
    pixel_format = row.pixel_format or frames[0].pixel_format
    for frame in frames:
        _belongs_together(row, frame, shape, pixel_format)
        expect(
            frame.pixels.flags.writeable is not lends,
            f"lends_frames is {lends}: pixels are read-only exactly where it is true",
        )
    expect(all(a.received_host_ns < b.received_host_ns for a, b in pairwise(frames)), "received_host_ns does not grow")
    stamps = [frame.device_ns for frame in frames if frame.device_ns is not None]
    expect(len(stamps) == row.parts or not row.stamped, f"{len(stamps)} of {row.parts} frames have a device_ns")
    expect_equal(stamps, sorted(set(stamps)), "device_ns, which grows,")


def _belongs_together(row: CameraUnderTest, frame: Frame, shape: tuple[int, ...], pixel_format: str) -> None:
    what = f"of frame {frame.counter}"
    expect_equal(frame.camera, row.camera_name, f"camera {what}")
    expect_equal(frame.lost_before, 0, f"lost_before {what}")
    expect_equal(frame.pixel_format, pixel_format, f"pixel_format {what}")
    expect_equal(frame.pixels.shape, shape, f"shape {what}")
    expect_equal(frame.pixels.dtype, np.dtype(np.uint8), f"type of the pixels {what}")
    if row.grey_of is not None and not row.free_running:
        grey, wanted = float(frame.pixels.mean()), row.grey_of(frame.counter)
        expect(abs(grey - wanted) < _LIKE, f"the picture {what} has grey level {grey:.1f}, its part {wanted}")


def the_clock_that_was_read_dates_the_frames(row: CameraUnderTest) -> None:
    """Before the start nobody can tell; then what it showed tells of every frame that it came before its receipt."""
    with row.camera() as camera:
        expect(camera.read_clock() is None, "read_clock() before start() gives something")
        camera.start()
        reading = camera.read_clock()
        frames = row.all_frames(camera)
        expect_equal(camera.waits_for_host, row.handshake, "waits_for_host")
        camera.stop()
        expect(camera.read_clock() is None, "read_clock() after stop() gives something")
    if reading is None:
        expect(row.handshake or not (row.has_clock and row.stamped), "read_clock() gives nothing")
        return
    expect(row.has_clock, "read_clock() gives a time of a clock that cannot be asked")
    expect(reading.before_host_ns <= reading.after_host_ns, "before_host_ns is later than after_host_ns")
    for frame in frames:
        device_ns = expect_some(frame.device_ns, f"frame {frame.counter} has no device_ns, and the clock can be asked")
        exposed_host_ns = reading.before_host_ns + device_ns - reading.device_ns
        expect(
            reading.before_host_ns - reading.device_ns <= exposed_host_ns <= frame.received_host_ns,
            f"frame {frame.counter} was exposed at {exposed_host_ns} by the clock that was read, and received at "
            f"{frame.received_host_ns}",
        )


def a_given_buffer_holds_the_pixels(row: CameraUnderTest) -> None:
    """The frame's pixels are a view of the buffer; one that is too small is refused and the frame is not lost."""
    buffer = np.zeros(row.frame_bytes() + 11, np.uint8)
    with row.camera() as camera:
        camera.start()
        if camera.takes_software_trigger:
            row.await_trigger(camera)
        short, matrix = buffer[: min(100, buffer.size - 12)], buffer.reshape(1, -1)
        expect_refusal(lambda: camera.grab(short, row.patience_s), ValueError, "buffer", "a buffer that is too small")
        expect_refusal(lambda: camera.grab(matrix, row.patience_s), ValueError, "buffer", "a buffer of two dimensions")
        grabbed = row.whole(camera.grab(buffer, row.patience_s))
        frame = expect_some(grabbed, "no frame came into a buffer that is large enough")
        expect_equal(row.next_after(0, frame).counter, 1, "counter of the frame that did not fit at first")
        expect(np.shares_memory(frame.pixels, buffer), "the pixels are no view of the buffer")
        if row.grey_of is not None and not row.free_running:
            wanted = row.grey_of(1)
            expect(abs(int(buffer[0]) - wanted) < _LIKE, f"the buffer begins with {buffer[0]}, its part is {wanted}")


def a_wait_that_runs_out_gives_nothing(row: CameraUnderTest) -> None:
    """A grab or a wait for a trigger whose time is up returns None and is no fault."""
    if row.slow is None:
        with row.camera() as camera:
            camera.start()
            if row.handshake and not row.free_running:  # no part comes before the grabbing thread asks for it
                expect(camera.wait_trigger(0.01) is None, "a trigger came that nobody asked for")
                return
            row.some_frame(camera)
        raise NotTriedError("its frames come soon whatever one does")
    with row.slow_camera() as camera:
        camera.start()
        triggered = not row.free_running
        until = time.monotonic() + row.patience_s
        while camera.grab(None, 0.01) is not None or (triggered and camera.wait_trigger(0.01) is not None):
            expect(time.monotonic() < until, "a slow camera never stops to send")
        expect(camera.grab(None, 0.01) is None, "a frame of a slow camera came twice")
        if triggered:
            expect(camera.wait_trigger(0.0) is None, "a trigger of a slow camera came twice")
        expect(not camera.exhausted, "a source that has not given all is exhausted")

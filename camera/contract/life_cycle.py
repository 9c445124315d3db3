"""Checks of the life cycle: calls in the wrong state, calls twice, stopping and closing while another thread waits."""

from __future__ import annotations

import threading
from collections.abc import Callable

from camera.contract.expecting import (
    LONG_S,
    expect,
    expect_end,
    expect_equal,
    expect_refusal,
    in_thread,
    open_files,
)
from camera.contract.under_test import CameraUnderTest
from camera.errors import CameraError
from camera.frame import Frame

_SETTLING_S = 0.05  # so that most runs find both threads in the driver; it holds in either order


def calls_outside_the_life_cycle_are_refused_or_silent(row: CameraUnderTest) -> None:
    """A closed camera refuses to start or grab, an open one that is not started gives nothing."""
    camera = row.camera()

    def listen() -> object:
        return camera.wait_trigger(0.0)

    expect_refusal(camera.start, CameraError, "not open", "start() before open()")
    expect_refusal(lambda: camera.grab(None, 0.0), CameraError, "not open", "grab() before open()")
    expect_refusal(listen, CameraError, "not open", "wait_trigger() before open()")
    with camera:
        expect(camera.grab(None, 0.0) is None, "grab() before start() gives something")
        if row.free_running:
            expect_refusal(
                listen, CameraError, "does not report triggers", "wait_trigger() of a camera without triggers"
            )
        else:
            expect(listen() is None, "wait_trigger() before start() gives something")


def open_start_stop_and_close_are_idempotent(row: CameraUnderTest) -> None:
    """Each life-cycle call may be repeated; close may follow any state, and the camera opens again after it."""
    camera = row.camera()
    camera.close()
    try:
        for _ in range(2):
            camera.open()
            camera.open()
            camera.start()
            camera.start()
            expect_equal(row.first_frame(camera).counter, 1, "counter of the first frame after open()")
            camera.stop()
            camera.stop()
            expect(camera.grab(None, 0.0) is None, "grab() after stop() gives something")
            camera.close()
            camera.close()
    finally:
        camera.close()


def stop_ends_both_waits(row: CameraUnderTest) -> None:
    """While one thread waits for a frame and one for a trigger, stop makes both return nothing in time."""
    _ends_both_waits(row, "stop")


def close_ends_both_waits(row: CameraUnderTest) -> None:
    """While one thread waits for a frame and one for a trigger, close makes both return nothing in time."""
    _ends_both_waits(row, "close")


def _ends_both_waits(row: CameraUnderTest, ending: str) -> None:
    camera = row.slow_camera()
    camera.open()
    camera.start()
    seen: list[object] = []
    failed: list[CameraError] = []
    entering = threading.Barrier(2 if row.free_running else 3)

    def wait(call: Callable[[], object]) -> None:
        entering.wait(row.patience_s)
        try:
            while (given := call()) is not None:
                seen.append(given)
        except CameraError as error:
            failed.append(error)

    waits = [] if row.free_running else [in_thread(lambda: wait(lambda: camera.wait_trigger(LONG_S)))]
    waits.append(in_thread(lambda: wait(lambda: camera.grab(None, LONG_S))))
    try:
        entering.wait(row.patience_s)
        threading.Event().wait(_SETTLING_S)
        getattr(camera, ending)()
        for thread in waits:
            expect_end(thread, row.patience_s, f"a wait for a frame or trigger, after {ending}(),")
    finally:
        camera.close()
    # close() may win the race before the call was entered
    expect(not failed or ending == "close", f"a wait ends with an error at {ending}(): {failed}")
    if row.slow is not None:
        expect(len(seen) <= 2, f"{len(seen)} frames and triggers came from a slow camera")  # a replay's first is due


def a_restart_goes_on_counting(row: CameraUnderTest) -> None:
    """After stop and start the numbers go on; no frame comes twice and no gap is hidden."""
    frames: list[Frame] = []
    with row.camera(**row.restarted) as camera:
        for _ in range(10 * row.parts):
            if camera.exhausted or (len(frames) >= row.parts and not row.finite):
                break
            camera.start()
            frames += [frame for frame in (row.next_frame(camera) for _ in range(3)) if frame is not None]
            camera.stop()
    counters = [frame.counter for frame in frames]
    expect_equal(counters, sorted(set(counters)), "counters over several starts")
    gaps = [after - before - 1 for before, after in zip([0, *counters], counters, strict=False)]
    expect_equal([frame.lost_before for frame in frames], gaps, f"lost_before of the frames {counters}")
    expect(bool(counters), "no frame came")
    if row.finite:
        expect_equal(counters[-1], row.parts, "counter of the last frame")
    expect(counters[-1] >= row.parts, f"only {counters[-1]} of {row.parts} frames came")


def nothing_is_left_behind(row: CameraUnderTest) -> None:
    """A driver has no thread of its own, and close gives back every file handle."""

    def once() -> None:
        with row.camera() as camera:
            camera.start()
            row.some_frame(camera)

    once()  # libraries may keep a thread pool or a handle of their own from the first use on
    threads, handles = threading.active_count(), open_files()
    for _ in range(3):
        once()
    for what, there, before in (("threads", threading.active_count(), threads), ("open files", open_files(), handles)):
        expect(there <= before, f"{there} {what} after three more lives than one, {before} after the first")

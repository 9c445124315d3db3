"""Checks of the triggers: those that the device reports, and those that software gives."""

from __future__ import annotations

from itertools import pairwise

from camera.contract.expecting import (
    LONG_S,
    NotTriedError,
    expect,
    expect_end,
    expect_equal,
    expect_refusal,
    expect_some,
    in_thread,
)
from camera.contract.under_test import CameraUnderTest
from camera.errors import CameraError
from camera.frame import Trigger
from camera.interface import Camera

_IDLE_S = 0.02
_RESTART_EVERY = 5
_MOST_WAITING = 1000
_EXACT = 2  # grey levels that an uncompressed picture may be off


def each_frame_had_its_trigger(row: CameraUnderTest) -> None:
    """From two threads: every part is triggered once, in order, and never later than its frame; both threads end."""
    triggers: list[Trigger] = []
    failed: list[CameraError] = []
    if row.free_running:
        expect(not row.camera().reports_triggers, "reports_triggers is true of a camera that tells of none")
        raise NotTriedError("it tells of no triggers")
    with row.camera() as camera:
        if camera.takes_software_trigger:
            raise NotTriedError("it takes triggers from software, and tells of those that come from elsewhere alone")
        camera.start()
        listener = in_thread(lambda: _listen(row, camera, triggers, failed))
        frames = row.all_frames(camera)
        expect_end(listener, row.patience_s, "the thread that waits for triggers")
        expect(not failed, f"a wait for a trigger ends with an error: {failed}")
        if row.finite:
            expect(camera.exhausted, "a source that has given all is not exhausted")
            expect(camera.grab(None, LONG_S) is None, "a frame came after the end")
    expect_equal([trigger.number for trigger in triggers], list(range(1, row.parts + 1)), "numbers of the triggers")
    expect(all(a.host_ns < b.host_ns for a, b in pairwise(triggers)), "host_ns of the triggers does not grow")
    crossed = {trigger.number: trigger.host_ns for trigger in triggers}
    expect_equal(len(frames), row.parts, "frames")
    for frame in frames:
        expect(crossed[frame.counter] <= frame.received_host_ns, f"frame {frame.counter} came before its trigger")


def _listen(row: CameraUnderTest, camera: Camera, triggers: list[Trigger], failed: list[CameraError]) -> None:
    try:
        while row.finite or len(triggers) < row.parts:
            ended = camera.exhausted  # the other thread may have the last frame before this one has every trigger
            trigger = camera.wait_trigger(0.0 if ended else row.patience_s)
            if trigger is not None:
                triggers.append(trigger)
            elif ended:
                break
    except CameraError as error:
        failed.append(error)


def a_software_trigger_makes_the_frame_with_its_number(row: CameraUnderTest) -> None:
    """No frame comes without one, each trigger gives the next part, numbers go on after a restart, and it ends.

    A camera that follows a trigger of its own refuses; one that is closed or stopped makes nothing.
    """
    if row.commanded is None:
        with row.camera() as camera:
            expect_refusal(camera.trigger, CameraError, "takes none from software", "trigger()")
        raise NotTriedError("it takes no trigger from software, and refused one as it should")
    camera = row.commanded_camera()
    expect_refusal(camera.trigger, CameraError, "not open", "trigger() before open()")
    with camera:
        expect(camera.takes_software_trigger, "takes_software_trigger is false of a camera that waits for one")
        expect(camera.trigger() is None, "trigger() before start() gives something")
        for number in range(1, row.parts + 1):
            camera.start()
            _exposes(row, camera, number)
            if number % _RESTART_EVERY == 0:
                camera.stop()
        if row.finite:
            expect(camera.trigger() is None, "a trigger is taken after the end")
            expect(camera.exhausted, "a source that has given all is not exhausted")


def _exposes(row: CameraUnderTest, camera: Camera, number: int) -> None:
    expect(camera.grab(None, _IDLE_S) is None, f"a frame came before trigger {number}")
    trigger = expect_some(camera.trigger(), f"trigger {number} is refused")
    frame = expect_some(row.whole(camera.grab(None, row.patience_s)), f"no frame came after trigger {number}")
    row.next_after(number - 1, frame)
    seen = (trigger.number, frame.counter, frame.lost_before)
    expect_equal(seen, (number, number, 0), "trigger number, frame counter and lost_before")
    expect(frame.device_ns == trigger.host_ns or row.device_clock, "device_ns is not the moment of the trigger")
    expect(frame.received_host_ns >= trigger.host_ns, f"frame {number} came before its trigger")
    if row.grey_of is not None:
        grey, wanted = int(frame.pixels.flat[0]), row.grey_of(number)
        expect(abs(grey - wanted) <= _EXACT, f"frame {number} shows {grey}, its part is {wanted}")


def a_software_trigger_is_refused_before_frames_pile_up(row: CameraUnderTest) -> None:
    """Triggers whose frames nobody takes end in a refusal, not in a queue; a stop forgets them."""
    if row.commanded is None:
        raise NotTriedError("it takes no trigger from software")
    with row.commanded_camera(**row.endless) as camera:
        camera.start()
        taken = 0
        while camera.trigger() is not None:
            taken += 1
            expect(taken < _MOST_WAITING, f"{taken} triggers are taken whose frames nobody takes")
        camera.stop()
        camera.start()
        expect(camera.grab(None, _IDLE_S) is None, "a frame came that the stop should have forgotten")
        given = row.await_trigger(camera) if row.device_clock else camera.trigger()
        trigger = expect_some(given, "no trigger is taken after the restart")
        frame = expect_some(row.whole(camera.grab(None, row.patience_s)), "no frame came after the restart")
        expect_equal((trigger.number, frame.counter), (taken + 1, taken + 1), "trigger number and frame counter")
        expect_equal(frame.lost_before, taken, "lost_before, as nobody took the frames before")


def what_was_triggered_before_a_cease_still_comes(row: CameraUnderTest) -> None:
    """A stop asks for that first: the picture under way is given, no other is made until the next start."""
    if row.commanded is None:
        raise NotTriedError("it takes no trigger from software")
    with row.commanded_camera(**row.endless) as camera:
        for number in (1, 2):
            camera.start()
            trigger = expect_some(row.await_trigger(camera), f"trigger {number} is refused")
            expect(camera.cease(), "cease() is False of a camera that is triggered by software alone")
            expect(camera.trigger() is None, "a trigger is taken after cease()")
            frame = expect_some(row.whole(camera.grab(None, row.patience_s)), "no frame came after cease()")
            expect_equal((trigger.number, frame.counter), (number, number), "trigger number and frame counter")
            expect(camera.grab(None, _IDLE_S) is None, "a frame came that was not triggered before cease()")
            camera.stop()

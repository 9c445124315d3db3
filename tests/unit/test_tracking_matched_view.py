"""A view whose camera does not give the triggers finds its parts only where the belt is known."""

from __future__ import annotations

from typing import Any

from camera.frame import BrokenFrame, ClockReading, Frame
from inspection.motion import ClockMotion, EncoderMotion
from inspection.tracking.device_clock import ClockSettings, DeviceClock
from inspection.tracking.match_settings import MatchSettings, Numbering
from inspection.tracking.matched_view import MatchedView
from inspection.tracking.matching import Matcher

MS = 1_000_000


def frame(counter: int, exposed_ns: int) -> Frame:
    """Make a frame that was received 2 ms after its exposure."""
    pixels: Any = None
    return Frame("side", counter, exposed_ns, exposed_ns + 2 * MS, 0, "Mono8", pixels)


def test_a_frame_is_not_placed_by_an_encoder_that_is_silent() -> None:
    """While samples come each frame finds its part; when they stay away it finds none, now or later."""
    motion = EncoderMotion()
    settings = MatchSettings(Numbering.EXPOSURES, earliest=70, latest=130, arrival=1000, closest=150)
    view = MatchedView(Matcher(settings), DeviceClock(ClockSettings(settle=1)), motion)
    for part in range(1, 6):
        view.born(part, part * 200)
    found = []
    for moment in range(0, 700, 10):
        motion.observe(moment * MS, moment) if moment <= 520 else None
        if moment % 200 == 100 and moment > 200:
            found.append(view.frame(frame(moment // 200, moment * MS)))
    assert [one.part for one in found] == [1, 2]
    assert view.frame(frame(3, 700 * MS)).frame is None
    motion.observe(710 * MS, 710)
    assert view.born(6, 1200).frame is None


def test_the_first_frame_of_a_clock_that_was_read_finds_its_part() -> None:
    """Unread, the clock has to see some frames first, and their parts are without image."""
    settings = MatchSettings(Numbering.EXPOSURES, earliest=-10 * MS, latest=10 * MS, arrival=300 * MS, closest=90 * MS)
    found = []
    for read in (False, True):
        view = MatchedView(Matcher(settings), DeviceClock(), ClockMotion())
        if read:
            view.clock_read(ClockReading(0, -1000, 1000))
        view.born(1, 100 * MS)
        found.append(view.frame(frame(1, 100 * MS)).part)
    assert found == [0, 1]


def test_a_broken_exposure_is_the_end_of_its_parts_view() -> None:
    """Whether it comes before its part's birth or after it: no image, at once, and the next part finds its own."""
    settings = MatchSettings(Numbering.EXPOSURES, earliest=-10 * MS, latest=10 * MS, arrival=300 * MS, closest=90 * MS)
    view = MatchedView(Matcher(settings), DeviceClock(ClockSettings(settle=1)), ClockMotion())
    view.clock_read(ClockReading(0, -1000, 1000))
    broken = [BrokenFrame("side", n, n * 100 * MS, (n * 100 + 2) * MS, 0, "3 of 9 packets are missing") for n in (1, 2)]
    view.born(1, 100 * MS)
    assert view.frame(broken[0]).without_image == (1,)
    assert view.frame(broken[1]).without_image == ()
    assert view.born(2, 200 * MS).without_image == (2,)
    view.born(3, 300 * MS)
    found = view.frame(frame(3, 300 * MS))
    assert (found.part, found.without_image) == (3, ())

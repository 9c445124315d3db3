"""The table of the checks: each takes a row, and raises ContractError where the driver does not keep its promise."""

from __future__ import annotations

from collections.abc import Callable

from camera.contract import frames, life_cycle, triggers
from camera.contract.under_test import CameraUnderTest

Check = Callable[[CameraUnderTest], None]

CHECKS: dict[str, Check] = {
    check.__name__: check
    for check in (
        life_cycle.calls_outside_the_life_cycle_are_refused_or_silent,
        life_cycle.open_start_stop_and_close_are_idempotent,
        frames.frames_show_their_own_part_with_all_fields,
        frames.the_clock_that_was_read_dates_the_frames,
        frames.a_given_buffer_holds_the_pixels,
        triggers.each_frame_had_its_trigger,
        frames.a_wait_that_runs_out_gives_nothing,
        life_cycle.stop_ends_both_waits,
        life_cycle.close_ends_both_waits,
        life_cycle.a_restart_goes_on_counting,
        life_cycle.nothing_is_left_behind,
        triggers.a_software_trigger_makes_the_frame_with_its_number,
        triggers.a_software_trigger_is_refused_before_frames_pile_up,
        triggers.what_was_triggered_before_a_cease_still_comes,
    )
}


def promise(check: Check) -> str:
    """Return what a check's driver promises, in one sentence."""
    return (check.__doc__ or check.__name__).splitlines()[0]

"""The photo-eye: one part per broken beam, bounces left out, a beam that stays broken told in time."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspection.tracking.debounce import BeamEvent, EdgeDebounce, PartBegun, PartLength, PartsTouch


@given(
    parts=st.lists(st.tuples(st.integers(11, 100), st.integers(25, 400), st.integers(0, 6)), min_size=1, max_size=30),
    polled=st.booleans(),
)
@settings(max_examples=100, deadline=None)
def test_each_part_begins_and_ends_once(parts: list[tuple[int, int, int]], polled: bool) -> None:
    """For any lengths and gaps beyond `min_gap`, with bounces at both edges: one beginning and one length per part, in
    order, with touching told exactly for those that are too long, and before their end where the belt is polled."""
    eye = EdgeDebounce(min_gap=20, max_part=60)
    events: list[BeamEvent] = []
    place, expected = 0, []
    for gap, length, bounces in ((gap, length, bounces) for length, gap, bounces in parts):
        place += gap
        expected.append((place, length, length > 60))
        events += eye.broken(place)
        for step in range(bounces):  # chatter of the leading edge: free for 1, broken again
            events += eye.cleared(place + 1 + step)
            events += eye.broken(place + 1 + step)
        if polled:
            for at in range(place + 10, place + length, 7):
                events += eye.passed(at)
            assert (PartsTouch(place) in events) == (length > 69 or (length > 60 and PartsTouch(place) in events))
        place += length
        for _ in range(bounces):
            events += eye.cleared(place)
            events += eye.broken(place)
        events += eye.cleared(place)
    events += eye.passed(place + 1_000)
    assert [e.place for e in events if isinstance(e, PartBegun)] == [at for at, _, _ in expected]
    assert [(e.place, e.length, e.touching) for e in events if isinstance(e, PartLength)] == expected
    assert [e.place for e in events if isinstance(e, PartsTouch)] == [at for at, _, touching in expected if touching]
    assert eye.doubled == 2 * sum(bounces for _, _, bounces in parts)


def test_a_sensor_without_clearing_edges_has_doubled_edges_left_out() -> None:
    """Where only breaking edges are told, those within the gap of the one before count as doubled, not as parts."""
    eye = EdgeDebounce(min_gap=20, max_part=60)
    begun = [event.place for at in (0, 5, 100, 119, 140) for event in eye.broken(at) if isinstance(event, PartBegun)]
    assert begun == [0, 100, 140]
    assert eye.doubled == 2


def test_a_lost_clearing_edge_is_touching() -> None:
    """A beam that breaks again without having become free belongs to a part of unknown length: not separable."""
    eye = EdgeDebounce(min_gap=20, max_part=60)
    eye.broken(0)
    assert PartLength(0, 50, touching=True) in eye.broken(50)


def test_impossible_settings_are_refused() -> None:
    """A gap as long as a part is refused with its values."""
    with pytest.raises(ValueError, match="min_gap = 60"):
        EdgeDebounce(min_gap=60, max_part=60)

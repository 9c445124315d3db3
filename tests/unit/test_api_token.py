"""Resume tokens: each names one place in one station's records, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from api_station import Records
from hypothesis import given, settings
from hypothesis import strategies as st

from inspection.api.errors import RefusedError
from inspection.api.feed import RecordFeed
from inspection.api.token import Place, read_place, resume
from inspection.records.reader import RecordReader

RECORDS = 5


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Records]:
    store = Records(tmp_path_factory.mktemp("store"))
    store.add(RECORDS)
    yield store
    store.close()


@pytest.mark.parametrize("sequence", range(RECORDS + 1))
def test_token_brings_back_its_place(records: Records, sequence: int) -> None:
    """What a token names is the place that it was made for, at the beginning, in the middle and at the end."""
    place = read_place(records.feed, sequence)
    assert place.sequence == sequence
    assert resume(records.feed, place.token()) == place


def test_token_survives_a_new_reader(records: Records) -> None:
    """A station that starts again knows the tokens that it gave out before."""
    token = read_place(records.feed, 3).token()
    reader = RecordReader(records.reader.directory)
    assert resume(RecordFeed(reader), token).sequence == 3
    reader.close()


@settings(max_examples=60, deadline=None)
@given(at=st.integers(0, 38), letter=st.sampled_from("Aa0-_z+/ =ü\0"))
def test_damaged_token_is_refused(records: Records, at: int, letter: str) -> None:
    """Any one letter changed makes the token invalid."""
    token = read_place(records.feed, 4).token()
    damaged = token[:at] + letter + token[at + 1 :]
    if damaged == token:
        return
    with pytest.raises(RefusedError) as refused:
        resume(records.feed, damaged)
    assert (refused.value.code, refused.value.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "TOKEN")


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=80))
def test_any_other_text_is_refused(records: Records, text: str) -> None:
    """No text that the station did not give out is taken."""
    with pytest.raises(RefusedError) as refused:
        resume(records.feed, text)
    assert refused.value.code is grpc.StatusCode.INVALID_ARGUMENT
    assert refused.value.field == "resume_token"


def test_token_of_another_store_is_refused(records: Records, tmp_path: Path) -> None:
    """A token of another station is invalid here, whether that station has fewer records or more."""
    other = Records(tmp_path / "other", run="second")
    other.add(RECORDS + 3)
    for sequence in (1, RECORDS, RECORDS + 3):
        with pytest.raises(RefusedError, match="another station") as refused:
            resume(records.feed, read_place(other.feed, sequence).token())
        assert refused.value.code is grpc.StatusCode.INVALID_ARGUMENT
    other.close()


def test_token_beyond_the_last_record_is_out_of_range(records: Records) -> None:
    """A token of this store, but of records that are gone, says so with both numbers."""
    last = read_place(records.feed, RECORDS)
    lost = last.after(RECORDS + 2, "ab" * 32)
    with pytest.raises(RefusedError, match=f"record {RECORDS + 2}.*last record is {RECORDS}") as refused:
        resume(records.feed, lost.token())
    assert refused.value.code is grpc.StatusCode.OUT_OF_RANGE


def test_token_of_a_replaced_record_is_refused(records: Records) -> None:
    """When a backup was put back and went another way, the record at the token's place is another one."""
    first = read_place(records.feed, 1)
    replaced = first.after(3, "ab" * 32)
    with pytest.raises(RefusedError, match="record 3 is not the one") as refused:
        resume(records.feed, replaced.token())
    assert refused.value.code is grpc.StatusCode.INVALID_ARGUMENT


def test_beginning_needs_no_records(tmp_path: Path) -> None:
    """The token of an empty store means the beginning, then and later."""
    empty = Records(tmp_path / "empty")
    token = read_place(empty.feed, empty.feed.last_sequence()).token()
    assert resume(empty.feed, token) == Place()
    empty.add(2)
    assert resume(empty.feed, token) == Place()
    empty.close()

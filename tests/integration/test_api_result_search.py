"""ResultService on a real station: filters, pages while records come, single records, images, reviews."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import grpc
import numpy as np
import pytest
from api_calls import Calls, belt_service, code_and_reason, new_id, refused
from challenged import Belt
from station_runs import wait_until

from inspection.api import result_service
from inspection.api import v1 as pb
from inspection.records import paced_search
from inspection.service import Service

Running = tuple[Service, Calls]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A station that has made good parts, then bad ones in a lot, and kept every image; its line stands."""
    folder = tmp_path_factory.mktemp("station")
    with belt_service(folder, records={"ok_sample": 1}) as (service, calls):
        calls.station.StartContinuous(pb.StartContinuousRequest())
        wait_until(lambda: service.station.counters.records > 5)
        calls.station.Stop(pb.StopRequest())
        service.station.scene.bad = True
        calls.lots.StoreAndStartLot(pb.StoreAndStartLotRequest(order=pb.LotOrder(lot="L-1")))
        wait_until(lambda: calls.lots.GetLot(pb.GetLotRequest(lot="L-1")).lot.counters.triggered > 5)
        calls.lots.StopLot(pb.StopLotRequest(lot="L-1"))
        yield service, calls


def found(calls: Calls, **asked: Any) -> list[pb.Result]:
    """Return every record that fits, by pages of four."""
    results: list[pb.Result] = []
    token = ""
    while True:
        page = calls.results.ListResults(pb.ListResultsRequest(page_size=4, page_token=token, **asked))
        results += page.results
        token = page.next_page_token
        if not token:
            return results


def fits(result: pb.Result, **told: Any) -> bool:
    """Judge a record by a filter, apart from the store."""
    plain = ("run", "part", "lot", "serial", "verdict", "evaluation", "reason", "defect_class")
    if any(getattr(result, name) != told[name] for name in plain if name in told):
        return False
    if ("min_score" in told or "max_score" in told) and not result.HasField("score"):
        return False
    low, high = told.get("min_score", -1.0), told.get("max_score", 2.0)
    since, until = told.get("since_wall_ns", 0), told.get("until_wall_ns", 2**63)
    scored = not result.HasField("score") or low <= result.score <= high
    return scored and since <= result.trigger_wall_ns < until


def test_every_filter_alone_and_together(running: Running) -> None:
    """What a filter finds is what all records, judged one by one, say; newest first, or oldest first on demand."""
    _, calls = running
    every = found(calls)
    assert len(every) > 10
    order = [(one.trigger_wall_ns, one.sequence) for one in every]
    assert order == sorted(order, reverse=True)
    assert found(calls, oldest_first=True) == every[::-1]
    middle = every[len(every) // 2]
    bad = next(one for one in every if one.reason == pb.REASON_MODEL)
    filters: list[dict[str, Any]] = [
        {"run": middle.run},
        {"run": middle.run, "part": middle.part},
        {"run": "no such run"},
        {"lot": "L-1"},
        {"lot": "no such lot"},
        {"serial": "no such serial"},
        {"verdict": pb.VERDICT_PASS},
        {"verdict": pb.VERDICT_REJECT},
        {"evaluation": pb.EVALUATION_NOT_OK},
        {"reason": pb.REASON_MODEL},
        {"reason": pb.REASON_NONE},
        {"defect_class": bad.defect_class},
        {"min_score": 0.5},
        {"max_score": 0.5},
        {"min_score": bad.score, "max_score": bad.score},
        {"since_wall_ns": middle.trigger_wall_ns},
        {"until_wall_ns": middle.trigger_wall_ns},
        {"since_wall_ns": middle.trigger_wall_ns, "until_wall_ns": every[0].trigger_wall_ns},
        {"lot": "L-1", "verdict": pb.VERDICT_REJECT, "reason": pb.REASON_MODEL, "min_score": 0.1, "run": middle.run},
        {"verdict": pb.VERDICT_PASS, "lot": "L-1"},
    ]
    counts = set()
    for told in filters:
        expected = [one for one in every if fits(one, **told)]
        assert found(calls, filter=pb.ResultFilter(**told)) == expected, told
        counts.add(len(expected))
    assert len(counts) > 4, "the filters do not tell the records apart"


@pytest.mark.parametrize(
    ("field", "told"),
    [
        ("part", {"part": 3}),
        ("run", {"run": "x" * 257}),
        ("lot", {"lot": "x" * 257}),
        ("serial", {"serial": "x" * 257}),
        ("reviewer", {"reviewer": "x" * 257}),
        ("defect_class", {"defect_class": "x" * 257}),
        ("verdict", {"verdict": 99}),
        ("evaluation", {"evaluation": -1}),
        ("reason", {"reason": 2**31 - 1}),
        ("until_wall_ns", {"since_wall_ns": 5, "until_wall_ns": 5}),
        ("max_score", {"min_score": 0.6, "max_score": 0.5}),
        ("min_score", {"min_score": float("nan")}),
        ("max_score", {"max_score": float("inf")}),
        ("min_score", {"min_score": -1.0}),
        ("max_score", {"max_score": 1.5}),
        ("part", {"part": -3, "run": "20260101T000000.000000Z"}),
        ("part", {"part": 0, "run": "20260101T000000.000000Z"}),
    ],
)
def test_a_filter_that_is_none(running: Running, field: str, told: dict[str, Any]) -> None:
    """INVALID_ARGUMENT, reason FILTER, and the text names the field."""
    _, calls = running
    error = refused(calls.results.ListResults, pb.ListResultsRequest(filter=pb.ResultFilter(**told)))
    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "FILTER")
    assert field in str(error)


@pytest.mark.parametrize("size", [-1, 1001])
def test_a_page_size_that_is_none(running: Running, size: int) -> None:
    """INVALID_ARGUMENT, reason PAGE."""
    _, calls = running
    request = pb.ListResultsRequest(page_size=size)
    assert code_and_reason(calls.results.ListResults, request) == ("INVALID_ARGUMENT", "PAGE")


def test_a_token_belongs_to_its_filter_and_its_order(running: Running) -> None:
    """With another filter, the other order, or bytes of nobody it is refused."""
    _, calls = running
    token = calls.results.ListResults(pb.ListResultsRequest(page_size=1)).next_page_token
    for request in (
        pb.ListResultsRequest(page_token=token, filter=pb.ResultFilter(lot="L-1")),
        pb.ListResultsRequest(page_token=token, oldest_first=True),
        pb.ListResultsRequest(page_token=token[:-4]),
        pb.ListResultsRequest(page_token="ÄÖÜ"),
        pb.ListResultsRequest(page_token=token[:8] + "eHg="),
        pb.ListResultsRequest(page_token=token[:8] + "OTk5"),
        pb.ListResultsRequest(page_token=token[:8] + "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5"),
    ):
        assert code_and_reason(calls.results.ListResults, request) == ("INVALID_ARGUMENT", "PAGE"), request


def test_pages_stay_what_they_are_while_records_come(tmp_path: Path) -> None:
    """The pages behind a first one, read while the line runs, hold everything that was there, in order, once each."""
    with belt_service(tmp_path) as (service, calls):
        calls.station.StartContinuous(pb.StartContinuousRequest())
        wait_until(lambda: service.station.counters.records > 8)
        first = calls.results.ListResults(pb.ListResultsRequest(page_size=3))
        known = min(one.sequence for one in first.results)
        seen, token = list(first.results), first.next_page_token
        while token:
            before = service.station.counters.records
            wait_until(lambda before=before: service.station.counters.records > before)
            page = calls.results.ListResults(pb.ListResultsRequest(page_size=3, page_token=token))
            seen += page.results
            token = page.next_page_token
        order = [(one.trigger_wall_ns, one.sequence) for one in seen]
        assert order == sorted(order, reverse=True)
        assert len({one.sequence for one in seen}) == len(seen)
        assert set(range(1, known + 1)) <= {one.sequence for one in seen}


def test_a_record_is_one_of_the_list(running: Running) -> None:
    """GetResult and ListResults and WatchResults tell the same; what is not there is NOT_FOUND, reason RECORD."""
    _, calls = running
    listed = found(calls, oldest_first=True)
    stream = calls.results.WatchResults(pb.WatchResultsRequest())
    for one in sorted(listed, key=lambda one: one.sequence):  # a rejected part ends after good ones behind it
        assert calls.results.GetResult(pb.GetResultRequest(sequence=one.sequence)).result == one
        assert next(stream).result == one
    stream.cancel()
    for sequence in (0, -1, len(listed) + 1, 2**63 - 1, -(2**63)):
        for call, request in (
            (calls.results.GetResult, pb.GetResultRequest(sequence=sequence)),
            (calls.results.GetResultImage, pb.GetResultImageRequest(sequence=sequence)),
            (calls.results.ReviewResult, pb.ReviewResultRequest(sequence=sequence)),
        ):
            assert code_and_reason(call, request) == ("NOT_FOUND", "RECORD"), (sequence, request)


def test_an_image_comes_in_pieces_with_its_hash(running: Running) -> None:
    """Type, size and sha256 come with the first piece, and hold for the whole; the record names the same hash."""
    service, calls = running
    one = next(one for one in found(calls) if one.has_image)
    first, *rest = calls.results.GetResultImage(pb.GetResultImageRequest(sequence=one.sequence))
    data = first.data + b"".join(piece.data for piece in rest)
    assert (first.content_type, first.size_bytes) == ("image/jpeg", len(data))
    assert first.sha256 == hashlib.sha256(data).hexdigest() == one.image_sha256
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert picture is not None
    file = next((service.config.records.dir / "images").rglob("*.jpg"))
    assert file.exists()


def test_an_image_that_is_gone_is_told(tmp_path: Path) -> None:
    """One that was never kept, and one that somebody removed, are NOT_FOUND with reason IMAGE."""
    with belt_service(tmp_path, records={"ok_sample": 2}) as (service, calls):
        calls.station.StartContinuous(pb.StartContinuousRequest())
        wait_until(lambda: service.station.counters.passed > 5)
        calls.station.Stop(pb.StopRequest())
        results = found(calls)
        for file in service.config.records.dir.rglob("*.jpg"):
            file.unlink()
        assert {one.has_image for one in results} == {True, False}
        for has_image in (True, False):
            one = next(one for one in results if one.has_image is has_image)
            request = pb.GetResultImageRequest(sequence=one.sequence)
            assert code_and_reason(calls.results.GetResultImage, request) == ("NOT_FOUND", "IMAGE")


def test_reviews_stand_beside_the_record(running: Running) -> None:
    """Two reviews of one person, in order; the record is as it was; the reviewer finds it, once, nobody else does."""
    _, calls = running
    before = found(calls)
    one = before[3]
    request = pb.ReviewResultRequest(
        sequence=one.sequence,
        verdict=pb.VERDICT_REJECT,
        defect_class="scratch",
        comment="deep\nlong",
        reviewer="Kim  Lee",
        request_id=new_id(),
    )
    written = calls.results.ReviewResult(request).review
    assert calls.results.ReviewResult(request).review == written
    assert (written.reviewer, written.defect_class, written.comment) == ("Kim Lee", "scratch", "deep\nlong")
    again = pb.ReviewResultRequest(sequence=one.sequence, verdict=pb.VERDICT_PASS, reviewer="Kim Lee")
    second = calls.results.ReviewResult(again).review
    other = pb.ReviewResultRequest(sequence=before[0].sequence, verdict=pb.VERDICT_PASS, reviewer="Kim Lee")
    calls.results.ReviewResult(other)
    answer = calls.results.GetResult(pb.GetResultRequest(sequence=one.sequence))
    assert (answer.result, list(answer.reviews)) == (one, [written, second])
    reviewed = found(calls, filter=pb.ResultFilter(reviewer="Kim Lee"))
    assert sorted(found.sequence for found in reviewed) == sorted([one.sequence, before[0].sequence])
    assert not found(calls, filter=pb.ResultFilter(reviewer="Kim"))
    entry = calls.audit.ListEntries(pb.ListEntriesRequest(kind=pb.ENTRY_KIND_REVIEW, subject=str(one.sequence)))
    assert [found.sequence for found in entry.entries] == [second.entry, written.entry]
    assert found(calls) == before


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("VERDICT", {"reviewer": "Kim"}),
        ("VERDICT", {"reviewer": "Kim", "verdict": 7}),
        ("WHO", {"verdict": pb.VERDICT_PASS}),
        ("WHO", {"verdict": pb.VERDICT_PASS, "reviewer": " \n"}),
        ("WHO", {"verdict": pb.VERDICT_PASS, "reviewer": "x" * 65}),
        ("REVIEW", {"verdict": pb.VERDICT_PASS, "reviewer": "Kim", "comment": "x" * 1001}),
        ("REVIEW", {"verdict": pb.VERDICT_PASS, "reviewer": "Kim", "defect_class": "x" * 65}),
        ("WHO", {"verdict": pb.VERDICT_PASS, "reviewer": "Kim\x1b[8m"}),
        ("REVIEW", {"verdict": pb.VERDICT_PASS, "reviewer": "Kim", "comment": "good\x1b[2Kbad"}),
        ("REVIEW", {"verdict": pb.VERDICT_PASS, "reviewer": "Kim", "comment": "\u202edoog"}),
        ("REVIEW", {"verdict": pb.VERDICT_PASS, "reviewer": "Kim", "defect_class": "chip\nverdict PASS"}),
        ("REVIEW", {"verdict": pb.VERDICT_PASS, "reviewer": "Kim", "serial": "S1\x9b0m"}),
    ],
)
def test_a_review_that_is_none(running: Running, reason: str, told: dict[str, Any]) -> None:
    """INVALID_ARGUMENT with the reason, and nothing is written."""
    _, calls = running
    request = pb.ReviewResultRequest(sequence=1, **told)
    assert code_and_reason(calls.results.ReviewResult, request) == ("INVALID_ARGUMENT", reason)
    assert not calls.results.GetResult(pb.GetResultRequest(sequence=1)).reviews


def test_a_word_of_the_kind_belt(running: Running) -> None:
    """The belt that these tests count on really made both kinds."""
    service, calls = running
    assert isinstance(service.station.scene, Belt)
    assert {one.verdict for one in found(calls)} == {pb.VERDICT_PASS, pb.VERDICT_REJECT}


def test_pages_may_be_short_or_empty_and_the_list_is_whole(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that finds little is answered soon and goes on by its token: here each call looks at one record."""
    _, calls = running
    every = found(calls)
    bad = [one for one in every if one.evaluation == pb.EVALUATION_NOT_OK]
    monkeypatch.setattr(paced_search, "_FIRST_ROWS", 1)
    monkeypatch.setattr(result_service, "PAGE_S", 0.0)
    request = pb.ListResultsRequest(page_size=4, filter=pb.ResultFilter(evaluation=pb.EVALUATION_NOT_OK))
    assert found(calls, filter=request.filter) == bad
    assert found(calls, filter=request.filter, oldest_first=True) == bad[::-1]
    sizes = []
    while not sizes or request.page_token:
        page = calls.results.ListResults(request)
        sizes.append(len(page.results))
        request.page_token = page.next_page_token
    assert {0, 1} == set(sizes)
    assert len(sizes) >= len(every)

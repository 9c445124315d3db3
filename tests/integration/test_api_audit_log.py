"""AuditService on a real station: what each command leaves behind, and the proof that nobody changed a row."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from api_calls import Calls, belt_service, code_and_reason, new_id
from station_runs import wait_until

from inspection.api import v1 as pb
from inspection.api.call_error import call_error
from inspection.records.holds import active_holds
from inspection.records.schema import DATABASE_FILE
from inspection.service import Service

Running = tuple[Service, Calls]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    """A station on an endless belt of good parts, its line stopped."""
    with belt_service(tmp_path) as found:
        yield found


def entries(calls: Calls, **asked: Any) -> list[pb.Entry]:
    found: list[pb.Entry] = list(calls.audit.ListEntries(pb.ListEntriesRequest(**asked)).entries)
    return found


def test_a_command_is_written_with_caller_before_and_after(running: Running) -> None:
    """Asked for and done: who, from where, with which id and request, in which state, and what came of it."""
    _, calls = running
    request = pb.StartContinuousRequest(job=pb.Job(part_id="P-7"), request_id=new_id())
    calls.station.StartContinuous(request)
    calls.station.Stop(pb.StopRequest())
    method = "/lineward.inspection.v1.StationService/StartContinuous"
    done, asked = entries(calls, kind=pb.ENTRY_KIND_AUDIT, subject=method)
    told = json.loads(done.content)
    assert (done.who, done.subject, told["role"], told["phase"]) == ("loopback", method, "admin", "done")
    assert told["peer"].startswith(("127.0.0.1", "ipv4:127.0.0.1"))
    assert (told["before"], told["after"]) == ("READY", "CONTINUOUS_EXECUTION")
    assert told["request"] == {"job": {"part_id": "P-7"}, "request_id": request.request_id}
    assert (told["request_id"], told["outcome"]["code"]) == (request.request_id, "OK")
    before = json.loads(asked.content)
    assert (before["phase"], before["before"], "after" in before) == ("asked", "READY", False)
    (stop,) = entries(calls, subject=method.replace("StartContinuous", "Stop"))
    assert json.loads(stop.content)["after"] == "READY"
    assert stop.record_sequence >= 0
    assert stop.wall_ns > done.wall_ns > asked.wall_ns


def test_a_refused_command_is_written_with_its_code(running: Running) -> None:
    """What was asked for and not done is told, too."""
    _, calls = running
    assert code_and_reason(calls.station.Abort, pb.AbortRequest()) == ("FAILED_PRECONDITION", "STATE")
    newest = entries(calls, kind=pb.ENTRY_KIND_AUDIT)[0]
    assert newest.subject.endswith("/Abort")
    assert json.loads(newest.content)["outcome"]["code"] == "FAILED_PRECONDITION"


def test_entries_by_kind_subject_and_person_in_pages(running: Running) -> None:
    """The filters agree with the whole list; pages hold each entry once; a token is of its filter."""
    _, calls = running
    calls.recipes.CreateRecipe(pb.CreateRecipeRequest(name="bottle", text="[model]\nthreshold = 0.4\n"))
    for number in range(3):
        calls.lots.StoreLot(pb.StoreLotRequest(order=pb.LotOrder(lot=f"L-{number}")))
    every = entries(calls, page_size=1000)
    assert [one.sequence for one in every] == list(range(every[0].sequence, 0, -1))
    for kind in pb.EntryKind.values()[1:]:
        assert entries(calls, kind=kind) == [one for one in every if one.kind == kind]
    assert entries(calls, subject="L-1") == [one for one in every if one.subject == "L-1"]
    assert entries(calls, who="loopback") == [one for one in every if one.who == "loopback"]
    assert entries(calls, who="nobody") == []
    (recipe,) = entries(calls, kind=pb.ENTRY_KIND_RECIPE)
    assert (recipe.subject, json.loads(recipe.content)["change"]) == ("bottle", "ADDED")
    paged, token = [], ""
    while True:
        page = calls.audit.ListEntries(pb.ListEntriesRequest(page_size=2, page_token=token))
        paged += page.entries
        if not page.next_page_token:
            break
        token = page.next_page_token
    assert paged == every
    asked = pb.ListEntriesRequest(page_token=token, who="loopback")
    assert code_and_reason(calls.audit.ListEntries, asked) == ("INVALID_ARGUMENT", "PAGE")


@pytest.mark.parametrize(
    ("reason", "asked"),
    [
        ("PAGE", {"page_size": -1}),
        ("PAGE", {"page_size": 1001}),
        ("PAGE", {"page_token": "AAAA"}),
        ("FILTER", {"kind": 77}),
    ],
)
def test_a_question_that_is_none(running: Running, reason: str, asked: dict[str, Any]) -> None:
    """INVALID_ARGUMENT with the reason."""
    _, calls = running
    assert code_and_reason(calls.audit.ListEntries, pb.ListEntriesRequest(**asked)) == ("INVALID_ARGUMENT", reason)


def verified(calls: Calls) -> pb.VerifyReport:
    """Return the report; progress never goes back and comes before it."""
    *progress, last = calls.audit.VerifyRecords(pb.VerifyRecordsRequest())
    assert progress
    assert not any(one.HasField("report") for one in progress)
    counts = [one.checked for one in progress]
    assert counts == sorted(counts)
    report: pb.VerifyReport = last.report
    return report


def test_the_proof_holds_and_names_a_row_that_was_changed(running: Running) -> None:
    """A running station's store is intact; one digit of one score, changed behind its back, is found by its number."""
    service, calls = running
    calls.station.StartContinuous(pb.StartContinuousRequest())
    wait_until(lambda: service.station.counters.records > 5)
    calls.station.Stop(pb.StopRequest())
    report = verified(calls)
    assert (report.is_intact, report.problem_count, list(report.problems)) == (True, 0, [])
    assert report.records >= 5
    assert report.entries == entries(calls)[0].sequence
    tamper(service, "UPDATE records SET score = score + 0.01 WHERE sequence = 3", "records")
    report = verified(calls)
    assert (report.is_intact, report.problem_count) == (False, len(report.problems))
    assert any("record 3" in problem for problem in report.problems), report.problems


def test_a_cell_that_cannot_be_read_is_named_and_costs_its_record_alone(running: Running) -> None:
    """A page ends before it; the next is DATA_LOSS with its number, its cell and the token behind it: every other
    record is in the list, once, whatever the size of a page.
    """
    service, calls = running
    calls.station.StartContinuous(pb.StartContinuousRequest())
    wait_until(lambda: service.station.counters.records > 5)
    calls.station.Stop(pb.StopRequest())
    before = calls.results.GetResult(pb.GetResultRequest(sequence=2))
    tamper(service, "UPDATE records SET extra = '{\"a' WHERE sequence = 3", "records")
    with pytest.raises(grpc.RpcError, match=r"record 3: its extra cannot be read.*lineward records verify"):
        calls.results.GetResult(pb.GetResultRequest(sequence=3))
    assert calls.results.GetResult(pb.GetResultRequest(sequence=2)) == before
    for page_size in (1, 2, 3, 1000):
        numbers, lost, token = list[int](), list[str](), ""
        for _ in range(service.station.counters.records + 2):
            request = pb.ListResultsRequest(page_size=page_size, oldest_first=True, page_token=token)
            try:
                answer = calls.results.ListResults(request)
                numbers += [one.sequence for one in answer.results]
                token = answer.next_page_token
            except grpc.RpcError as error:
                told = call_error(error, "")
                assert (told.code, told.reason, told.metadata["cell"]) == (grpc.StatusCode.DATA_LOSS, "RECORD", "extra")
                lost.append(told.metadata["row"])
                token = told.metadata["next_page_token"]
            if not token:
                break
        last = service.station.memory.reader.last_sequence()
        assert (numbers, lost) == ([number for number in range(1, last + 1) if number != 3], ["3"])


def test_an_entry_that_was_changed_is_found(running: Running) -> None:
    """The audit log is in the same proof: another name under a command does not go unseen."""
    service, calls = running
    calls.station.StartContinuous(pb.StartContinuousRequest())
    calls.station.Stop(pb.StopRequest())
    tamper(service, "UPDATE entries SET who = 'Kim' WHERE sequence = 2", "entries")
    report = verified(calls)
    assert not report.is_intact
    assert any("entry 2" in problem for problem in report.problems), report.problems


def tamper(service: Service, statement: str, table: str) -> None:
    """Change a row as somebody would who owns the machine: the triggers that forbid it are taken away first."""
    with sqlite3.connect(service.config.records.dir / DATABASE_FILE, timeout=30.0) as database:
        triggers = database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?", (table,))
        for (name,) in triggers.fetchall():
            database.execute(f"DROP TRIGGER {name}")
        database.execute(statement)


def test_a_check_that_nobody_waits_for_holds_up_no_other(running: Running) -> None:
    """Clients that begin a check and leave: the next one is answered, because theirs have ended, too."""
    service, calls = running
    calls.station.StartContinuous(pb.StartContinuousRequest())
    wait_until(lambda: service.station.counters.records > 5)
    for _ in range(20):
        stream = calls.audit.VerifyRecords(pb.VerifyRecordsRequest())
        next(stream)
        stream.cancel()
        wait_until(lambda: _may_check(calls))
    assert sum(thread.name.startswith("api-verify") for thread in threading.enumerate()) == 1
    assert verified(calls).records > 5


def _may_check(calls: Calls) -> bool:
    try:
        return bool(list(calls.audit.VerifyRecords(pb.VerifyRecordsRequest())))
    except grpc.RpcError as error:
        if call_error(error, "").code is grpc.StatusCode.RESOURCE_EXHAUSTED:
            return False
        raise


def test_a_hold_is_placed_listed_and_released(running: Running) -> None:
    """Each step is an entry with who did it; a hold that names nothing, or what is not there, is refused."""
    service, calls = running
    calls.station.StartContinuous(pb.StartContinuousRequest())
    wait_until(lambda: service.station.counters.records > 5)
    calls.station.Stop(pb.StopRequest())
    hold = pb.Hold(name="claim-17", reason="customer claim", sequences=[1, 2])
    placed = calls.audit.PlaceHold(pb.PlaceHoldRequest(hold=hold))
    assert placed.hold == hold
    assert list(calls.audit.ListHolds(pb.ListHoldsRequest()).holds) == [hold]
    assert active_holds(service.station.memory)["claim-17"].records == (1, 2)
    (entry,) = entries(calls, kind=pb.ENTRY_KIND_HOLD)
    assert (entry.sequence, entry.subject, entry.who) == (placed.entry, "claim-17", "loopback")
    never = {"since_wall_ns": 9, "until_wall_ns": 3}
    for wrong in (
        hold,
        pb.Hold(name="claim-18", reason="why"),
        pb.Hold(name="claim-18", lot="L-1"),
        pb.Hold(name="claim-18", reason="why", sequences=[-1]),
        pb.Hold(name="claim-18", reason="why", sequences=[1, 1 << 40]),
        pb.Hold(name="claim-18", reason="why", lot="never-was"),
        pb.Hold(name="claim-18", reason="why", **never),
    ):
        told = code_and_reason(calls.audit.PlaceHold, pb.PlaceHoldRequest(hold=wrong))
        assert told == ("INVALID_ARGUMENT", "HOLD")
    for name, reason in (("claim-17", ""), ("claim-99", "settled")):
        told = code_and_reason(calls.audit.ReleaseHold, pb.ReleaseHoldRequest(name=name, reason=reason))
        assert told == ("INVALID_ARGUMENT", "HOLD")
    released = calls.audit.ReleaseHold(pb.ReleaseHoldRequest(name="claim-17", reason="settled"))
    assert released.entry > placed.entry
    assert not calls.audit.ListHolds(pb.ListHoldsRequest()).holds

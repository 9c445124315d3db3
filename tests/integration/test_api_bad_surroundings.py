"""What happens around a station whose API is in use: its disk fills up, and its clock is set back an hour."""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from killed_station import GENEROUS, STRICT, Events, Watching, call_lots, station_values
from real_run import TIMEOUT_S, RealRun, read_records
from stepped_clock import SteppedClock
from tiny_bundle import write_tiny_bundle

from inspection.api import v1 as pb
from inspection.api import v1_grpc as pb_grpc
from inspection.api.client import StationClient
from inspection.api.errors import CallError
from inspection.records.verify import verify

DISK_MB = 24
HOUR_NS = 3600 * 10**9
_TRIES = 500


def an_id() -> str:
    return str(uuid.uuid4())


def create_recipes(channel: grpc.Channel) -> None:
    for name, text in (("strict", STRICT), ("generous", GENEROUS)):
        recipe = pb.CreateRecipeRequest(name=name, text=text)
        pb_grpc.RecipeServiceStub(channel).CreateRecipe(recipe, timeout=TIMEOUT_S)


def start_lot(lot: str, recipe: str) -> pb.StoreAndStartLotRequest:
    return pb.StoreAndStartLotRequest(order=pb.LotOrder(lot=lot, recipe=recipe), request_id=an_id())


@contextlib.contextmanager
def watched(client: StationClient, watching: Watching) -> Iterator[Events]:
    """Somebody watches while the block lasts, or until the station goes."""
    events = Events()
    thread = threading.Thread(target=watching.watch, args=(client, events))
    thread.start()
    try:
        yield events
    finally:
        client.close()
        thread.join(TIMEOUT_S)
    assert not thread.is_alive()
    assert watching.failures == []


# ------------------------------------------------------------------------ a full disk


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of its own, small enough to be filled."""
    if os.geteuid() != 0:
        pytest.skip("A FULL DISK IS NOT TESTED: mounting a small one needs root")
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(place)], check=True)
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@contextlib.contextmanager
def full(disk: Path) -> Iterator[None]:
    """Leave no room on a disk while the block lasts."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
    try:
        yield
    finally:
        filler.unlink()


def store_until_refused(channel: grpc.Channel) -> tuple[list[str], CallError]:
    """Store lots until one is refused; those before found room in what the database had already taken."""
    stored: list[str] = []
    for number in range(_TRIES):
        request = pb.StoreLotRequest(order=pb.LotOrder(lot=f"full-{number}"), request_id=an_id())
        try:
            call_lots(channel, "StoreLot", request)
        except CallError as error:
            return stored, error
        stored.append(request.order.lot)
    pytest.fail(f"{_TRIES} commands were carried out on a full disk")


def test_on_a_full_disk_commands_are_refused_stop_works_and_watchers_go_on(tmp_path: Path, small_disk: Path) -> None:
    """A command that cannot be written down is not carried out, and says so; what was answered is durable. The stream
    of results stays open and goes on with room again, without a gap. The log has a sentence for each, no traceback.
    """
    values = station_values(tmp_path, write_tiny_bundle(tmp_path / "tiny"))
    values["records"] = {"dir": small_disk, "min_free_mb": 0}
    watching = Watching()
    with RealRun(tmp_path, values) as run, run.client() as client, grpc.insecure_channel(client.address) as channel:
        create_recipes(channel)
        with run.client() as other, watched(other, watching) as events:
            assert events.wait(5)
            with full(small_disk):
                run.wait_alarm("RECORDS_TROUBLE")
                stored, refused = store_until_refused(channel)
                assert (refused.code, refused.reason) == (grpc.StatusCode.UNAVAILABLE, "AUDIT")
                assert "was not carried out" in str(refused)
                assert refused.retry_after_s
                with pytest.raises(grpc.RpcError) as not_made:
                    pb_grpc.RecipeServiceStub(channel).CreateRecipe(pb.CreateRecipeRequest(name="x", text=STRICT))
                assert not_made.value.code() is grpc.StatusCode.UNAVAILABLE
                stop = pb_grpc.StationServiceStub(channel).Stop(pb.StopRequest(), timeout=TIMEOUT_S)
                assert stop.state in (pb.STATE_READY, pb.STATE_ERROR)
                assert not events.is_over
                last = client.status().counters["records_submitted"]
            run.wait(lambda status: "RECORDS_TROUBLE" not in status["alarms"])
            assert events.wait(last)
            there = {lot.order.lot for lot in call_lots(channel, "ListLots", pb.ListLotsRequest(page_size=1000)).lots}
            assert there == set(stored)
            client.start_line()
            assert events.wait(last + 5)
        assert run.end() == 0, run.said
    assert "is not written down: AUDIT" in run.said
    assert "Traceback" not in run.said, run.said
    seen = {record.sequence: record.record_hash for record in read_records(small_disk)}
    assert watching.seen.items() <= seen.items()


# ------------------------------------------------------------------------ the clock


def every_result(channel: grpc.Channel, *, oldest_first: bool = False, **asked: Any) -> list[pb.Result]:
    """Return what fits a filter, page by page."""
    request = pb.ListResultsRequest(filter=pb.ResultFilter(**asked), page_size=7, oldest_first=oldest_first)
    found: list[pb.Result] = []
    while True:
        page = pb_grpc.ResultServiceStub(channel).ListResults(request, timeout=TIMEOUT_S)
        found += page.results
        if not page.next_page_token:
            return found
        request.page_token = page.next_page_token


def every_command(channel: grpc.Channel) -> list[pb.Entry]:
    request = pb.ListEntriesRequest(page_size=1000, kind=pb.ENTRY_KIND_AUDIT)
    return list(pb_grpc.AuditServiceStub(channel).ListEntries(request, timeout=TIMEOUT_S).entries)


def test_a_clock_set_back_an_hour_changes_no_order_and_repeats_no_command(tmp_path: Path) -> None:
    """Watch and resume go by the chain, repeated commands by their ids, the log by its numbers; also after kill -9, in
    the hour that comes a second time. A list by time has every record once.
    """
    clock, watching = SteppedClock(tmp_path), Watching()
    values = station_values(tmp_path, write_tiny_bundle(tmp_path / "tiny"))
    first, second = start_lot("L-1", "strict"), start_lot("L-2", "generous")
    environment = clock.environment
    with (
        RealRun(tmp_path, values, start=False, environment=environment) as run,
        run.client() as client,
        grpc.insecure_channel(client.address) as channel,
    ):
        create_recipes(channel)
        with run.client() as other, watched(other, watching) as events:
            answers = [call_lots(channel, "StoreAndStartLot", first)]
            assert events.wait(5)
            clock.step(-3600.0)
            run.wait_counter("clock_steps", 1)
            assert call_lots(channel, "StoreAndStartLot", first) == answers[0]
            assert events.wait(events.count + 5)
            ended = call_lots(channel, "StopLot", pb.StopLotRequest(lot="L-1", request_id=an_id()))
            assert ended.lot.state == pb.LOT_STATE_ENDED
            assert 0 <= ended.lot.running_s < 3600
            answers.append(call_lots(channel, "StoreAndStartLot", second))  # a new run, an hour before the first one
            assert events.wait(events.count + 5)
            run.process.kill()
    with (
        RealRun(tmp_path, values, start=False, environment=environment) as run,
        run.client() as client,
        grpc.insecure_channel(client.address) as channel,
    ):
        again = [call_lots(channel, "StoreAndStartLot", request) for request in (first, second)]
        assert again == answers
        lot = call_lots(channel, "GetLot", pb.GetLotRequest(lot="L-2")).lot
        assert lot.state == pb.LOT_STATE_INTERRUPTED
        assert [step.step for step in lot.steps].count("RUN") == 1
        with run.client() as other, watched(other, watching) as events:
            call_lots(channel, "ResumeLot", pb.ResumeLotRequest(lot="L-2", request_id=an_id()))
            assert events.wait(events.count + 5)
            call_lots(channel, "StopLot", pb.StopLotRequest(lot="L-2", request_id=an_id()))
            _hold_lists(channel, first.order.lot, second.order.lot)
        assert run.end() == 0, run.said
    records = {record.sequence: record.record_hash for record in read_records(tmp_path / "records")}
    assert watching.seen.items() <= records.items()
    assert verify(tmp_path / "records").ok


def _hold_lists(channel: grpc.Channel, first: str, second: str) -> None:
    """Hold lists by time and the audit log of two lots, the second one an hour before the first by the clock."""
    everything = every_result(channel)
    times = [result.trigger_wall_ns for result in everything]
    assert times == sorted(times, reverse=True)
    assert sorted(result.sequence for result in everything) == list(range(1, len(everything) + 1))
    assert every_result(channel, oldest_first=True) == everything[::-1]
    of_first, of_second = every_result(channel, lot=first), every_result(channel, lot=second)
    assert max(result.trigger_wall_ns for result in of_second) < min(result.trigger_wall_ns for result in of_first)
    begins = min(result.trigger_wall_ns for result in of_first)
    assert [one.sequence for one in every_result(channel, since_wall_ns=begins)] == [one.sequence for one in of_first]
    entries = every_command(channel)
    numbers = [entry.sequence for entry in entries]
    assert numbers == sorted(numbers, reverse=True)
    steps_ns = [after.wall_ns - before.wall_ns for after, before in itertools.pairwise(entries)]
    assert sum(step_ns < -HOUR_NS // 2 for step_ns in steps_ns) == 1

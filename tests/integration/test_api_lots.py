"""LotService on a real station: each step, what refuses it, its counters, and the stream of one lot."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from api_calls import Calls, belt_service, code_and_reason, new_id, refused
from station_runs import wait_until

from inspection.api import v1 as pb
from inspection.lots.states import LOT_ROWS, LotState, LotStep
from inspection.service import Service

Running = tuple[Service, Calls]
STEPS = {
    LotStep.RUN: ("StartLot", pb.StartLotRequest),
    LotStep.REVOKE_START: ("RevokeStartLot", pb.RevokeStartLotRequest),
    LotStep.PAUSE: ("PauseLot", pb.PauseLotRequest),
    LotStep.RESUME: ("ResumeLot", pb.ResumeLotRequest),
    LotStep.STOP: ("StopLot", pb.StopLotRequest),
    LotStep.ABORT: ("AbortLot", pb.AbortLotRequest),
}


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    """A station on an endless belt of good parts, its line stopped."""
    with belt_service(tmp_path) as found:
        yield found


def step(calls: Calls, which: LotStep, lot: str) -> pb.Lot:
    method, request = STEPS[which]
    found: pb.Lot = getattr(calls.lots, method)(request(lot=lot)).lot
    return found


def store(calls: Calls, lot: str, **order: object) -> pb.Lot:
    found: pb.Lot = calls.lots.StoreLot(pb.StoreLotRequest(order=pb.LotOrder(lot=lot, **order))).lot
    return found


def get(calls: Calls, lot: str) -> pb.Lot:
    found: pb.Lot = calls.lots.GetLot(pb.GetLotRequest(lot=lot)).lot
    return found


def test_a_lot_from_order_to_response(running: Running) -> None:
    """Store, start, pause, resume, stop: each answer has the state; the response counts exactly the lot's records."""
    service, calls = running
    calls.recipes.CreateRecipe(pb.CreateRecipeRequest(name="strict", text="[model]\nthreshold = 0.0\n"))
    stored = store(calls, "L-1", recipe="strict", planned=10, parameters={"order": "4711"})
    assert stored.state == pb.LOT_STATE_NOT_ALLOWED_TO_START
    assert (stored.order.planned, dict(stored.order.parameters)) == (10, {"order": "4711"})
    assert step(calls, LotStep.RUN, "L-1").state == pb.LOT_STATE_RUNNING
    status = calls.station.GetStatus(pb.GetStatusRequest())
    assert (status.lot, status.recipe.name) == ("L-1", "strict")
    wait_until(lambda: get(calls, "L-1").counters.triggered > 2)
    paused = step(calls, LotStep.PAUSE, "L-1")
    assert paused.state == pb.LOT_STATE_INTERRUPTED
    calls.station.StartContinuous(pb.StartContinuousRequest())
    seen = service.station.counters.records
    wait_until(lambda: service.station.counters.records > seen + 1)
    calls.station.Stop(pb.StopRequest())
    assert step(calls, LotStep.RESUME, "L-1").state == pb.LOT_STATE_RUNNING
    wait_until(lambda: get(calls, "L-1").counters.triggered > paused.counters.triggered + 1)
    ended = step(calls, LotStep.STOP, "L-1")
    assert ended.state == pb.LOT_STATE_ENDED
    assert [one.step for one in ended.steps] == ["STORE", "ALLOW", "RUN", "PAUSE", "RESUME", "STOP"]
    assert {one.who for one in ended.steps} == {"loopback"}
    assert ended.running_s > 0
    request = pb.ListResultsRequest(filter=pb.ResultFilter(lot="L-1"), page_size=1000)
    ours = calls.results.ListResults(request).results
    assert ended.counters.triggered == len(ours) > 2
    assert sum(ended.counters.rejected_by_reason.values()) == len(ours)
    assert (ended.counters.passed, ended.counters.rejected_by_reason["MODEL"] > 0) == (0, True)
    assert {one.recipe for one in ours} == {"strict"}
    assert calls.results.ListResults(pb.ListResultsRequest(page_size=1000)).results[0].lot == "L-1"
    assert get(calls, "L-1") == ended


def test_every_step_in_every_state(running: Running) -> None:
    """What docs/states.md does not allow is FAILED_PRECONDITION (LOT) with the station's state, and changes nothing."""
    _, calls = running
    ways = {
        LotState.NOT_ALLOWED_TO_START: (),
        LotState.RUNNING: (LotStep.RUN,),
        LotState.INTERRUPTED: (LotStep.RUN, LotStep.PAUSE),
        LotState.ENDED: (LotStep.RUN, LotStep.STOP),
        LotState.ABORTED: (LotStep.ABORT,),
    }
    for state, way in ways.items():
        lot = f"L-{state.value}"
        store(calls, lot)
        for one in way:
            step(calls, one, lot)
        for asked, (method, request) in STEPS.items():
            allowed = LOT_ROWS[asked].before
            if state in allowed or (asked is LotStep.RUN and state in LOT_ROWS[LotStep.ALLOW].before):
                continue
            error = refused(getattr(calls.lots, method), request(lot=lot))
            assert (error.code, error.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "LOT"), (state, asked)
            assert error.metadata["state"] in ("READY", "CONTINUOUS_EXECUTION")
            assert get(calls, lot).state == pb.LotState.Value(f"LOT_STATE_{state.value}")
        if state is LotState.RUNNING:
            step(calls, LotStep.STOP, lot)


def test_a_start_that_fails_leaves_it_allowed_to_start(running: Running) -> None:
    """The recipe is not there: its own error; then it is revoked, or started when the recipe is."""
    _, calls = running
    store(calls, "L-1", recipe="later")
    assert code_and_reason(calls.lots.StartLot, pb.StartLotRequest(lot="L-1")) == ("NOT_FOUND", "RECIPE")
    assert get(calls, "L-1").state == pb.LOT_STATE_ALLOWED_TO_START
    assert step(calls, LotStep.REVOKE_START, "L-1").state == pb.LOT_STATE_NOT_ALLOWED_TO_START
    order = pb.LotOrder(lot="L-2", recipe="later", recipe_version=3)
    request = pb.StoreAndStartLotRequest(order=order)
    assert code_and_reason(calls.lots.StoreAndStartLot, request) == ("NOT_FOUND", "RECIPE")
    assert get(calls, "L-2").state == pb.LOT_STATE_ALLOWED_TO_START
    calls.recipes.CreateRecipe(pb.CreateRecipeRequest(name="later", text="[model]\nthreshold = 0.4\n"))
    assert step(calls, LotStep.RUN, "L-1").state == pb.LOT_STATE_RUNNING
    for call, request in (
        (calls.station.PrepareRecipe, pb.PrepareRecipeRequest(name="station")),
        (calls.lots.StoreAndStartLot, pb.StoreAndStartLotRequest(order=pb.LotOrder(lot="L-3"))),
    ):
        assert code_and_reason(call, request)[0] == "FAILED_PRECONDITION"


def test_a_halted_station_starts_no_lot(running: Running) -> None:
    """The refusal names the state; the lot that ran is interrupted, and given up by an abort."""
    _, calls = running
    calls.lots.StoreAndStartLot(pb.StoreAndStartLotRequest(order=pb.LotOrder(lot="L-1")))
    calls.station.Halt(pb.HaltRequest(cause="guard open"))
    assert get(calls, "L-1").state == pb.LOT_STATE_INTERRUPTED
    error = refused(calls.lots.ResumeLot, pb.ResumeLotRequest(lot="L-1"))
    assert (error.code.name, error.metadata) == ("FAILED_PRECONDITION", {"state": "HALTED"})
    assert step(calls, LotStep.ABORT, "L-1").state == pb.LOT_STATE_ABORTED


@pytest.mark.parametrize(
    "order",
    [
        {"lot": ""},
        {"lot": "x" * 65},
        {"lot": "a\nb"},
        {"lot": "L", "planned": -1},
        {"lot": "L", "planned": 2**31},
        {"lot": "L", "parameters": {str(number): "" for number in range(65)}},
        {"lot": "L", "parameters": {"k": "v" * 1001}},
        {"lot": "L", "recipe": "r" * 65},
        {"lot": "L", "recipe_version": -1},
    ],
)
def test_an_order_that_describes_no_lot(running: Running, order: dict[str, object]) -> None:
    """INVALID_ARGUMENT, reason LOT, whether it is only stored or started, too; nothing is kept."""
    _, calls = running
    told = pb.LotOrder(**order)
    assert code_and_reason(calls.lots.StoreLot, pb.StoreLotRequest(order=told)) == ("INVALID_ARGUMENT", "LOT")
    starting = pb.StoreAndStartLotRequest(order=told)
    assert code_and_reason(calls.lots.StoreAndStartLot, starting) == ("INVALID_ARGUMENT", "LOT")
    assert not calls.lots.ListLots(pb.ListLotsRequest()).lots


def test_a_lot_may_be_stored_before_its_recipe_and_says_so(running: Running) -> None:
    """The answer warns that it cannot start yet; once the recipe is stored it starts. A removed one is told, too."""
    _, calls = running
    order = pb.LotOrder(lot="L-early", recipe="later", recipe_version=1)
    response = calls.lots.StoreLot(pb.StoreLotRequest(order=order))
    assert response.lot.state == pb.LOT_STATE_NOT_ALLOWED_TO_START
    assert "later" in response.warning
    assert code_and_reason(calls.lots.StartLot, pb.StartLotRequest(lot="L-early")) == ("NOT_FOUND", "RECIPE")
    calls.recipes.CreateRecipe(pb.CreateRecipeRequest(name="later", text="[model]\nthreshold = 0.4\n"))
    order.lot = "L-in-time"
    assert calls.lots.StoreLot(pb.StoreLotRequest(order=order)).warning == ""
    assert step(calls, LotStep.RUN, "L-early").state == pb.LOT_STATE_RUNNING
    step(calls, LotStep.STOP, "L-early")
    calls.station.PrepareRecipe(pb.PrepareRecipeRequest(name="station"))
    calls.recipes.DeleteRecipe(pb.DeleteRecipeRequest(name="later", version=1))
    order.lot = "L-removed"
    assert "removed" in calls.lots.StoreLot(pb.StoreLotRequest(order=order)).warning
    assert calls.lots.StoreLot(pb.StoreLotRequest(order=pb.LotOrder(lot="L-whatever"))).warning == ""


@pytest.mark.parametrize("recipe", ["a/b", "..", ".hidden"])
def test_a_recipe_that_can_never_be_is_refused_with_the_order(running: Running, recipe: str) -> None:
    """Nothing is stored, and the id stays free."""
    _, calls = running
    request = pb.StoreLotRequest(order=pb.LotOrder(lot="L-1", recipe=recipe))
    assert code_and_reason(calls.lots.StoreLot, request) == ("INVALID_ARGUMENT", "RECIPE")
    assert store(calls, "L-1").order.lot == "L-1"


def test_a_lot_that_is_not_there(running: Running) -> None:
    """NOT_FOUND, reason LOT, for every step, for reading and for watching."""
    _, calls = running
    asked = [*STEPS.values(), ("GetLot", pb.GetLotRequest), ("WatchLot", pb.WatchLotRequest)]
    for method, request in asked:
        for lot in ("none", "", "a\u0000b", "x" * 5000):
            assert code_and_reason(getattr(calls.lots, method), request(lot=lot)) == ("NOT_FOUND", "LOT")


def test_an_id_is_used_once_but_a_request_may_be_repeated(running: Running) -> None:
    """A second order of that id is refused; the same request under its request id gets the first answer."""
    _, calls = running
    request = pb.StoreLotRequest(order=pb.LotOrder(lot="L-1"), request_id=new_id())
    first = calls.lots.StoreLot(request)
    assert calls.lots.StoreLot(request) == first
    again = pb.StoreLotRequest(order=pb.LotOrder(lot="L-1"))
    assert code_and_reason(calls.lots.StoreLot, again) == ("FAILED_PRECONDITION", "LOT")


def test_lists_by_state_and_page(running: Running) -> None:
    """A filter is part of the token; steps are left out; every lot comes once."""
    _, calls = running
    for number in range(5):
        store(calls, f"L-{number}")
    step(calls, LotStep.ABORT, "L-3")
    aborted = calls.lots.ListLots(pb.ListLotsRequest(state=pb.LOT_STATE_ABORTED)).lots
    assert [one.order.lot for one in aborted] == ["L-3"]
    assert not any(one.steps for one in aborted)
    page = calls.lots.ListLots(pb.ListLotsRequest(page_size=3))
    rest = calls.lots.ListLots(pb.ListLotsRequest(page_size=3, page_token=page.next_page_token))
    assert [one.order.lot for one in (*page.lots, *rest.lots)] == [f"L-{number}" for number in range(5)]
    assert rest.next_page_token == ""
    other = pb.ListLotsRequest(page_token=page.next_page_token, state=pb.LOT_STATE_ABORTED)
    assert code_and_reason(calls.lots.ListLots, other) == ("INVALID_ARGUMENT", "PAGE")


def test_a_watch_follows_one_lot_to_its_end(running: Running) -> None:
    """It begins at once, counts up, tells each step, and ends by itself with the final counters."""
    _, calls = running
    store(calls, "L-1")
    stream = calls.lots.WatchLot(pb.WatchLotRequest(lot="L-1"))
    assert next(stream).lot.state == pb.LOT_STATE_NOT_ALLOWED_TO_START
    step(calls, LotStep.RUN, "L-1")
    lot = next(one.lot for one in stream if one.lot.counters.triggered > 2)
    assert lot.state == pb.LOT_STATE_RUNNING
    ended = step(calls, LotStep.STOP, "L-1")
    *_, last = stream
    assert last.lot == ended

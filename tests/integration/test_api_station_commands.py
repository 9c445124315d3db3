"""StationService on a real station: every command in every state, every refusal, and the stream of changes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from api_calls import Calls, belt_service, code_and_reason, new_id, refused
from station_runs import wait_until

from inspection.api import v1 as pb
from inspection.control import State
from inspection.service import Service
from inspection.state_machine import ROWS, Cause

Running = tuple[Service, Calls]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    """A station on an endless belt of good parts."""
    with belt_service(tmp_path) as found:
        yield found


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[Running]:
    """A station whose next part is a minute away, so that a single execution lasts."""
    with belt_service(tmp_path, camera={"speed_mm_s": 150.0, "pitch_mm": 9000.0}) as found:
        yield found


COMMANDS: dict[Cause, tuple[str, Any]] = {
    Cause.SELECT_MODE_AUTOMATIC: ("SelectModeAutomatic", pb.SelectModeAutomaticRequest()),
    Cause.PREPARE_RECIPE: ("PrepareRecipe", pb.PrepareRecipeRequest(name="station")),
    Cause.UNPREPARE_RECIPE: ("UnprepareRecipe", pb.UnprepareRecipeRequest()),
    Cause.START_SINGLE: ("StartSingle", pb.StartSingleRequest()),
    Cause.START_CONTINUOUS: ("StartContinuous", pb.StartContinuousRequest()),
    Cause.STOP: ("Stop", pb.StopRequest()),
    Cause.ABORT: ("Abort", pb.AbortRequest()),
    Cause.HALT: ("Halt", pb.HaltRequest(cause="guard open")),
    Cause.RESET: ("Reset", pb.ResetRequest()),
    Cause.CONFIRM_ALL: ("ConfirmAll", pb.ConfirmAllRequest(who="Kim")),
    Cause.SIMULATION_MODE: ("SetSimulationMode", pb.SetSimulationModeRequest(active=True)),
}
WAYS: dict[State, tuple[Cause, ...]] = {
    State.PREOPERATIONAL: (Cause.RESET,),
    State.INITIALIZED: (Cause.SELECT_MODE_AUTOMATIC,),
    State.READY: (Cause.SELECT_MODE_AUTOMATIC, Cause.PREPARE_RECIPE),
    State.SINGLE_EXECUTION: (Cause.SELECT_MODE_AUTOMATIC, Cause.PREPARE_RECIPE, Cause.START_SINGLE),
    State.CONTINUOUS_EXECUTION: (Cause.SELECT_MODE_AUTOMATIC, Cause.PREPARE_RECIPE, Cause.START_CONTINUOUS),
    State.HALTED: (Cause.HALT,),
    State.ERROR: (),
}


def give(calls: Calls, command: Cause) -> Any:
    method, request = COMMANDS[command]
    return getattr(calls.station, method)(request)


def state_of(calls: Calls) -> State:
    return State(pb.State.Name(calls.station.GetStatus(pb.GetStatusRequest()).state).removeprefix("STATE_"))


def go_to(running: Running, state: State) -> None:
    """Bring the station from wherever it is to a state, by its own commands; a fault is raised on its board."""
    service, calls = running
    service.station.alarms.clear("MODEL_FAILED")
    if state_of(calls) is not State.PREOPERATIONAL:
        give(calls, Cause.RESET)
    if state is State.ERROR:
        service.station.alarms.raise_alarm("MODEL_FAILED", detail="made by a test")
    else:
        for command in WAYS[state]:
            if command is not Cause.RESET:
                give(calls, command)
    assert state_of(calls) is state


@pytest.mark.parametrize("state", list(State))
def test_every_command_in_a_state(slow: Running, state: State) -> None:
    """What the table of docs/states.md allows is answered with the state that follows; all else is refused with it."""
    _, calls = slow
    for command, (method, request) in COMMANDS.items():
        go_to(slow, state)
        call = getattr(calls.station, method)
        if state in ROWS[command].before:
            answer = call(request)
            follows = ROWS[command].after or {state}
            if state is State.ERROR and command in (Cause.STOP, Cause.ABORT, Cause.RESET):
                follows = {State.ERROR}  # the fault is still there
            assert state_of(calls) in follows, command
            if "state" in answer.DESCRIPTOR.fields_by_name:
                assert pb.State.Name(answer.state) == f"STATE_{state_of(calls)}"
        elif command is Cause.STOP:  # there is nothing to stop
            assert pb.State.Name(call(request).state) == f"STATE_{state}"
        else:
            error = refused(call, request)
            assert (error.code, error.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "STATE"), command
            assert error.metadata == {"state": state.value}
            assert f"{command.value} in state {state.value}" in str(error)
            assert state_of(calls) is state


def test_the_stream_of_changes_has_each_with_its_cause(running: Running) -> None:
    """The state as it is comes first, then every change in order with numbers without a gap, cause and words."""
    _, calls = running
    stream = calls.station.WatchState(pb.WatchStateRequest())
    first = next(stream)
    assert pb.State.Name(first.state) == "STATE_READY"
    assert not first.HasField("change")
    give(calls, Cause.START_CONTINUOUS)
    give(calls, Cause.STOP)
    give(calls, Cause.HALT)
    seen = [next(stream).change for _ in range(3)]
    assert [change.cause for change in seen] == ["START_CONTINUOUS", "STOP", "HALT"]
    assert [change.sequence for change in seen] == list(range(seen[0].sequence, seen[0].sequence + 3))
    assert [change.before for change in seen[1:]] == [change.after for change in seen[:-1]]
    assert seen[-1].detail == "guard open"
    assert calls.station.GetStatus(pb.GetStatusRequest()).last_change == seen[-1]
    assert seen[-1].wall_ns >= seen[0].wall_ns > 0


def test_a_halt_without_a_cause_names_who_asked(running: Running) -> None:
    """Whoever watches learns at least from where it came."""
    _, calls = running
    stream = calls.station.WatchState(pb.WatchStateRequest())
    next(stream)
    calls.station.Halt(pb.HaltRequest(cause=" \n"))
    assert next(stream).change.detail == "asked for by loopback"


def test_the_job_of_a_start_is_in_each_record(running: Running) -> None:
    """Ids of the caller's own come back with every result; an id is made where none is given."""
    service, calls = running
    job = pb.Job(meas_id="M-1", part_id="P-7", product_id="bottle", recipe="station")
    started = calls.station.StartContinuous(pb.StartContinuousRequest(job=job))
    wait_until(lambda: service.station.counters.records > 1)
    give(calls, Cause.STOP)
    found = calls.results.ListResults(pb.ListResultsRequest()).results
    assert found
    assert {one.job.job_id for one in found} == {started.job_id}
    assert {(one.job.meas_id, one.job.part_id, one.job.product_id) for one in found} == {("M-1", "P-7", "bottle")}


@pytest.mark.parametrize("method", ["StartSingle", "StartContinuous"])
@pytest.mark.parametrize("field", ["job_id", "meas_id", "part_id", "product_id", "recipe"])
def test_an_id_that_cannot_be_kept_is_refused(running: Running, method: str, field: str) -> None:
    """Too long, or with a line break: INVALID_ARGUMENT, and the line stands."""
    _, calls = running
    request_type = getattr(pb, f"{method}Request")
    for value in ("x" * 129, "a\nb"):
        request = request_type(job=pb.Job(**{field: value}))
        assert code_and_reason(getattr(calls.station, method), request) == ("INVALID_ARGUMENT", "JOB")
    assert state_of(calls) is State.READY


def test_a_start_counts_on_the_recipe_that_it_names(running: Running) -> None:
    """Another one is prepared: FAILED_PRECONDITION, and the state is told."""
    _, calls = running
    error = refused(calls.station.StartContinuous, pb.StartContinuousRequest(job=pb.Job(recipe="bottle")))
    assert (error.code, error.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "STATE")
    assert error.metadata == {"state": "READY"}


def test_a_recipe_that_is_not_there_or_does_not_fit(running: Running) -> None:
    """NOT_FOUND and INVALID_ARGUMENT, both with reason RECIPE; the earlier one stays prepared."""
    _, calls = running
    assert code_and_reason(calls.station.PrepareRecipe, pb.PrepareRecipeRequest(name="none")) == ("NOT_FOUND", "RECIPE")
    calls.recipes.CreateRecipe(pb.CreateRecipeRequest(name="gone", text='[model]\nbundle = "/nowhere"\n'))
    for version in (7, -1):
        request = pb.PrepareRecipeRequest(name="gone", version=version)
        assert code_and_reason(calls.station.PrepareRecipe, request) == ("NOT_FOUND", "RECIPE")
    request = pb.PrepareRecipeRequest(name="gone")
    assert code_and_reason(calls.station.PrepareRecipe, request) == ("INVALID_ARGUMENT", "RECIPE")
    status = calls.station.GetStatus(pb.GetStatusRequest())
    assert (status.recipe.name, pb.State.Name(status.state)) == ("station", "STATE_READY")


def test_nobody_confirms(running: Running) -> None:
    """A confirmation needs a name, since the log keeps it."""
    _, calls = running
    request = pb.ConfirmAllRequest(who=" \n")
    assert code_and_reason(calls.station.ConfirmAll, request) == ("INVALID_ARGUMENT", "WHO")


def test_a_command_under_one_id_is_carried_out_once(running: Running) -> None:
    """A start that comes again after a stop is answered as before, and the line stands; another request is refused."""
    _, calls = running
    request = pb.StartContinuousRequest(request_id=new_id())
    first = calls.station.StartContinuous(request)
    give(calls, Cause.STOP)
    assert calls.station.StartContinuous(request) == first
    assert state_of(calls) is State.READY
    other = pb.StartSingleRequest(request_id=request.request_id)
    assert code_and_reason(calls.station.StartSingle, other) == ("INVALID_ARGUMENT", "REQUEST_ID")

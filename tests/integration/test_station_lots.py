"""Recipes and lots on a real station: prepared beside the running files, counted from records, there after kill -9."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from challenged import Belt, belt_config
from real_run import RealRun
from station_runs import wait_until
from tiny_bundle import write_tiny_bundle

from inspection.config import StationConfig
from inspection.control import State, StateError
from inspection.lots.lot import LotOrder
from inspection.lots.states import LotContentError, LotState, LotStateError
from inspection.part import Reason, Verdict
from inspection.recipes.errors import RecipeContentError, RecipeInUseError, RecipeMissingError
from inspection.records.entries import EntryKind
from inspection.records.reader import RecordReader
from inspection.records.record import StoredRecord
from inspection.records.verify import verify
from inspection.station import Station

STRICT = "[model]\nthreshold = 0.0\n"  # every part is a defect


@pytest.fixture
def bundle(tmp_path: Path) -> str:
    """A small real model."""
    return str(write_tiny_bundle(tmp_path / "tiny"))


def a_config(tmp_path: Path, bundle: str) -> StationConfig:
    """A station on the simulated belt whose belt stands soon."""
    return belt_config(tmp_path / "records", bundle, challenge={"required": False}, reactions={"run_out_s": 0.2})


@pytest.fixture
def station(tmp_path: Path, bundle: str) -> Iterator[Station]:
    """A station on an endless belt of good parts, its line stopped."""
    station = Station(a_config(tmp_path, bundle))
    station.scene = Belt(bad=False)
    station.open()
    yield station
    station.close()
    assert verify(station.config.records.dir).ok


def records_of(station: Station) -> list[StoredRecord]:
    """Return the station's records of all runs, oldest first."""
    assert station.memory.flush(10.0)
    reader = RecordReader(station.config.records.dir)
    try:
        return reader.find(limit=10_000, newest_first=False)
    finally:
        reader.close()


def test_a_prepared_recipe_judges_from_the_next_start_on_in_a_run_of_its_own(station: Station) -> None:
    """Good parts pass by the station's threshold and fail by the recipe's; numbers go on, run and hash are new."""
    station.recipes.store.add("strict", STRICT)
    own = station.recipe
    assert own is not None
    assert own.name == "station"
    before, digest, engine = station.memory.run, station.digest, station.engine
    station.start_line()
    wait_until(lambda: station.counters.passed > 2)
    with pytest.raises(StateError, match="PREPARE_RECIPE in state CONTINUOUS_EXECUTION — INITIALIZED, READY allowed"):
        station.prepare_recipe("strict")
    station.stop()
    ref = station.prepare_recipe("strict", who="mes")
    assert station.recipe == ref
    assert (station.memory.run != before, station.digest != digest, station.engine is not engine) == (True, True, True)
    assert engine.stalled().endswith("has ended")
    noted = station.memory.entries(kind=EntryKind.STATION)[-1].entry
    assert (noted.who, noted.content["name"], noted.content["sha256"]) == ("mes", "strict", ref.sha256)
    station.start_line()
    wait_until(lambda: station.counters.records > 2)
    station.stop()
    old = [record for record in records_of(station) if record.run == before]
    new = [record for record in records_of(station) if record.run == station.memory.run]
    assert {record.verdict for record in new} == {Verdict.REJECT}
    assert Reason.MODEL in {record.reason for record in new}
    assert min(record.part for record in new) > max(record.part for record in old)
    assert {record.config_hash for record in new} == {station.digest}
    assert {(record.recipe, record.recipe_hash) for record in new} == {("strict", ref.sha256)}
    assert {(record.recipe, record.recipe_hash) for record in old} == {("station", own.sha256)}
    assert station.prepare_recipe("station") == own
    station.start_line()
    wait_until(lambda: station.counters.passed > 0)


def test_a_recipe_that_cannot_be_prepared_leaves_the_earlier_one(station: Station) -> None:
    """No such recipe, one that does not fit, one without its model: each says why, and the line starts as ever."""
    station.recipes.store.add("wide", "[region]\nx = 50\ny = 0\nwidth = 2000\nheight = 40\n")
    station.recipes.store.add("gone", '[model]\nbundle = "/nowhere/bundle"\n')
    station.recipes.store.add("odd", "[fusion]\nthreshold = 0.9\n")
    own, run, engine = station.recipe, station.memory.run, station.engine
    with pytest.raises(RecipeMissingError, match="'none': there is none"):
        station.prepare_recipe("none")
    for name in ("wide", "gone", "odd"):
        with pytest.raises(RecipeContentError):
            station.prepare_recipe(name)
        assert (station.recipe, station.memory.run, station.engine) == (own, run, engine)
        assert station.state is State.READY
    station.start_line()
    wait_until(lambda: station.counters.passed > 0)


def test_the_line_needs_a_recipe(station: Station) -> None:
    """Unprepared it is INITIALIZED and does not start; prepared again it does. A prepared one is not removed."""
    station.unprepare_recipe()
    assert (station.state, station.recipe) == (State.INITIALIZED, None)
    with pytest.raises(StateError, match="START_CONTINUOUS in state INITIALIZED — READY allowed — prepare a recipe"):
        station.start_line()
    ref = station.recipes.store.add("strict", STRICT).ref
    station.prepare_recipe("strict")
    with pytest.raises(RecipeInUseError, match="is prepared"):
        station.recipes.remove("strict", ref.version)
    station.prepare_recipe("station")
    station.recipes.remove("strict", ref.version)
    with pytest.raises(RecipeMissingError, match="was removed"):
        station.prepare_recipe("strict", ref.version)
    station.start_line()
    assert station.state is State.CONTINUOUS_EXECUTION


def test_a_lot_prepares_its_recipe_runs_the_line_and_counts_its_parts(station: Station) -> None:
    """Store, start, pause, resume, stop: parts between belong to no lot; the response agrees with the records."""
    station.recipes.store.add("strict", STRICT)
    station.lots.store(LotOrder("L-1", "strict", planned=10, parameters={"order": "4711"}), who="mes")
    station.lots.start("L-1", who="mes")
    assert station.recipe is not None
    assert (station.recipe.name, station.state) == ("strict", State.CONTINUOUS_EXECUTION)
    wait_until(lambda: station.lots.get("L-1").counters.triggered > 2)
    with pytest.raises(LotStateError, match="lot 'L-1' is running"):
        station.lots.store_and_start(LotOrder("L-2"))
    station.stop_line()
    with pytest.raises(LotStateError, match="one recipe a lot is allowed"):
        station.prepare_recipe("station")
    station.lots.pause("L-1")
    station.start_line()
    seen = station.counters.records
    wait_until(lambda: station.counters.records > seen + 2)
    station.stop_line()
    station.lots.resume("L-1")
    wait_until(lambda: station.state is State.CONTINUOUS_EXECUTION)
    lot = station.lots.stop("L-1")
    assert (lot.state, station.state) == (LotState.ENDED, State.READY)
    ours = [record for record in records_of(station) if record.lot == "L-1"]
    assert lot.counters.triggered == len(ours) > 2
    assert lot.counters.passed == 0
    assert sum(lot.counters.rejected_by_reason.values()) == len(ours)
    assert lot.counters.first_wall_ns == min(record.trigger_wall_ns for record in ours)
    assert any(not record.lot for record in records_of(station))


def test_a_halt_interrupts_the_lot(station: Station) -> None:
    """After reset and automatic mode it is resumed, with the recipe of its first part; an abort gives it up."""
    station.lots.store_and_start(LotOrder("L-1"))
    wait_until(lambda: station.triggers > 0)
    station.halt("guard open")
    assert station.lots.get("L-1").state is LotState.INTERRUPTED
    station.reset("guard closed")
    station.select_mode_automatic()
    assert station.state is State.INITIALIZED
    station.lots.resume("L-1")
    wait_until(lambda: station.counters.passed > 0)
    assert station.lots.abort("L-1").state is LotState.ABORTED
    assert station.state is State.READY


CHILD = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[3:]
from challenged import Belt
from real_run import RealRun
from station_runs import wait_until
from test_station_lots import STRICT, a_config
from inspection.lots.lot import LotOrder
from inspection.station import Station
station = Station(a_config(Path(sys.argv[1]), sys.argv[2]))
station.scene = Belt(bad=False)
station.open()
station.recipes.store.add("strict", STRICT)
station.lots.store_and_start(LotOrder("L-1", "strict", planned=10))
wait_until(lambda: station.lots.get("L-1").counters.triggered > 4)
print(station.lots.get("L-1").counters.triggered, flush=True)
sys.stdin.read()
"""


def test_after_a_kill_the_recipe_is_prepared_and_the_lot_waits_to_be_resumed(tmp_path: Path, bundle: str) -> None:
    """kill -9 of a running lot: no counted part is lost, the line stands READY, and the lot goes on where it was."""
    here = Path(__file__).parent
    paths = [str(here), str(here.parent / "support")]
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path), bundle, *paths],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stdout is not None
        told = int(child.stdout.readline())
    finally:
        child.send_signal(signal.SIGKILL)
        child.communicate(timeout=30)
    station = Station(a_config(tmp_path, bundle))
    station.scene = Belt(bad=False)
    station.open()
    try:
        assert station.state is State.READY
        assert station.recipe is not None
        assert (station.recipe.name, station.recipe.version) == ("strict", 1)
        [lot] = [station.lots.get(name) for name in station.lots.interrupted]
        assert (lot.order.lot, lot.order.planned) == ("L-1", 10)
        assert lot.counters.triggered >= told
        assert lot.steps[-1].detail == "the station ended while it ran"
        station.lots.resume("L-1")
        wait_until(lambda: station.lots.get("L-1").counters.triggered > lot.counters.triggered)
        ended = station.lots.stop("L-1")
    finally:
        station.close()
    reader = RecordReader(station.config.records.dir)
    everything = reader.find(limit=10_000)
    ours = [record for record in everything if record.lot == "L-1"]
    reader.close()
    assert ended.counters.triggered == len(ours)
    assert len({record.run for record in ours}) > 1
    in_flight = [record for record in everything if record.extra.get("recovered")]
    assert {record.lot for record in in_flight} == {"L-1"}
    assert verify(station.config.records.dir).ok


def test_a_recipe_that_is_gone_leaves_the_station_initialized(tmp_path: Path, bundle: str) -> None:
    """It was prepared, its file was damaged meanwhile: nothing is inspected with another one by itself."""
    first = Station(a_config(tmp_path, bundle))
    first.open()
    first.recipes.store.add("strict", STRICT)
    first.prepare_recipe("strict")
    first.close()
    file = first.config.records.dir / "recipes" / "strict" / "1.toml"
    file.write_text(file.read_text().replace("0.0", "1.0"))
    again = Station(a_config(tmp_path, bundle))
    again.open()
    try:
        assert again.state is State.INITIALIZED
        (alarm,) = [alarm for alarm in again.alarms.active() if alarm.name == "RECIPE_LOST"]
        assert "is not what was stored" in alarm.values["detail"]
        again.prepare_recipe("station")
        assert again.state is State.READY
        assert "RECIPE_LOST" not in [alarm.name for alarm in again.alarms.active()]
    finally:
        again.close()


def test_an_interrupted_lot_is_told_until_somebody_decides(tmp_path: Path, bundle: str) -> None:
    """After a pause, and after an end of the station, whoever comes to Start reads it; not while it runs, nor later."""
    first = Station(a_config(tmp_path, bundle))
    first.open()
    first.lots.store_and_start(LotOrder("L-1"))
    assert lots_waiting(first) == []
    first.lots.pause("L-1")
    assert lots_waiting(first) == ["L-1"]
    first.lots.resume("L-1")
    assert lots_waiting(first) == []
    first.close()
    for after, left in (("none", ["L-1"]), ("stop", [])):
        again = Station(a_config(tmp_path, bundle))
        again.open()
        try:
            assert lots_waiting(again) == ["L-1"]
            again.start_line()
            assert (again.state, again.admission.lot) == (State.CONTINUOUS_EXECUTION, "")
            if after == "stop":
                again.lots.stop("L-1")
            assert lots_waiting(again) == left
        finally:
            again.close()


def lots_waiting(station: Station) -> list[str]:
    """Return what the alarm names."""
    return [alarm.values["lot"] for alarm in station.alarms.active() if alarm.name == "LOT_INTERRUPTED"]


def test_lineward_run_leaves_the_line_standing_while_a_lot_is_interrupted(tmp_path: Path, bundle: str) -> None:
    """The lot ran when the station ended; `lineward run` waits for whoever resumes it, and starts without one."""
    config = a_config(tmp_path, bundle)
    first = Station(config)
    first.open()
    first.lots.store_and_start(LotOrder("L-1"))
    first.close()
    values = config.model_dump(mode="json", by_alias=True, exclude_unset=True)
    with RealRun(tmp_path, values) as run:
        run.wait_state("READY")
    again = Station(config)
    again.open()
    try:
        assert again.lots.get("L-1").state is LotState.INTERRUPTED
        again.lots.abort("L-1")
    finally:
        again.close()
    with RealRun(tmp_path, values) as run:
        run.wait_state("CONTINUOUS_EXECUTION")


def test_a_lot_is_inspected_with_one_recipe_from_its_first_part_to_its_last(station: Station) -> None:
    """Not unprepared nor exchanged while it runs, not by a newer version either; resumed, it has its own back."""
    station.recipes.store.add("strict", STRICT)
    station.lots.store_and_start(LotOrder("L-1", "strict"))
    station.stop_line()
    with pytest.raises(LotStateError, match="it stays prepared while a lot runs"):
        station.unprepare_recipe()
    newer = station.recipes.store.add("strict", STRICT.replace("0.0", "0.25")).ref
    assert newer.version == 2
    with pytest.raises(LotStateError, match="one recipe a lot is allowed"):
        station.prepare_recipe("strict")
    station.lots.pause("L-1")
    station.prepare_recipe("strict")
    assert station.recipe == newer
    station.lots.resume("L-1")
    assert station.recipe is not None
    assert station.recipe.version == 1
    station.lots.stop("L-1")
    station.lots.store_and_start(LotOrder("L-2", "strict"))
    assert station.recipe == newer
    station.lots.stop("L-2")
    with pytest.raises(LotContentError, match="version 2 of no recipe"):
        station.lots.store(LotOrder("L-3", version=2))

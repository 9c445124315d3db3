"""The virtual line keeps every promise under each fault alone, and under all of them at once."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspection.cli.main import main
from inspection.simulation.virtual.faults import FAULTS, simulated
from inspection.simulation.virtual.ledger import Account
from inspection.simulation.virtual.meter import Meter
from inspection.simulation.virtual.plan import EjectorKind, Plan, Wiring
from inspection.tracking.fusion import FusionRule

ALL = tuple(FAULTS)


def told(account: Account) -> str:
    """Return what a failing test must say: how to replay it."""
    return f"seed {account.seed}, part {account.first_part}: {account.first_broken}"


@pytest.mark.parametrize("wiring", Wiring)
@pytest.mark.parametrize("encoder", [True, False])
def test_without_faults_only_the_model_rejects(wiring: Wiring, encoder: bool) -> None:
    """No fault: every part is judged, no good part is lost to anything but the model, and nothing is late."""
    account = simulated(Plan(parts=1500, seed=4, wiring=wiring, encoder=encoder)).run()
    assert account.kept, told(account)
    assert account.triggers == account.records == account.parts == 1500
    assert account.fault_overkill == account.late == account.belt_stops == account.recovered == 0
    assert account.model_overkill > 0
    assert account.pulses == account.passed if wiring is Wiring.RELEASE else account.pulses == 1500 - account.passed


RELAY_KINDS = [kind for kind in ALL if FAULTS[kind].needs(Plan()) or FAULTS[kind].needs(Plan(wiring=Wiring.RELEASE))]


@pytest.mark.parametrize("wiring", [Wiring.RELAY, Wiring.RELEASE])
@pytest.mark.parametrize("kind", RELAY_KINDS)
def test_each_fault_alone_breaks_no_promise(kind: str, wiring: Wiring) -> None:
    """Thirty or so of one fault among 800 parts: no escape, no wrong pulse, one record a trigger."""
    plan = Plan(parts=800, seed=11, faults=(kind,), fault_rate=0.03, wiring=wiring, cameras=2)
    account = simulated(plan).run()
    assert account.kept, told(account)
    if FAULTS[kind].needs(plan):
        assert account.faults[kind] > 10
    assert account.passed > 0


@pytest.mark.parametrize("encoder", [True, False])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_all_faults_together_break_no_promise(seed: int, encoder: bool) -> None:
    """Every fault, one among a hundred parts, several at once at times."""
    account = simulated(Plan(parts=2500, seed=seed, faults=ALL, fault_rate=0.01, encoder=encoder)).run()
    assert account.kept, told(account)
    assert len(account.faults) > 8


@given(
    seed=st.integers(0, 2**31),
    cameras=st.integers(1, 4),
    rate=st.sampled_from([2.0, 8.0, 20.0, 50.0, 100.0]),
    encoder=st.booleans(),
    wiring=st.sampled_from([Wiring.RELAY, Wiring.RELEASE]),
    rule=st.sampled_from(FusionRule),
    workers=st.integers(1, 3),
    batch_ms=st.sampled_from([1.0, 6.0, 40.0]),
    fault_rate=st.sampled_from([0.01, 0.05]),
)
@settings(max_examples=12, deadline=None)
def test_any_line_keeps_its_promises(seed: int, fault_rate: float, **figures: object) -> None:
    """Whatever the line looks like, and whatever happens to it."""
    plan = Plan(parts=150, seed=seed, faults=ALL, fault_rate=fault_rate, **figures)  # type: ignore[arg-type]
    account = simulated(plan).run()
    assert account.kept, told(account)


def test_eight_cameras_at_thirty_parts_a_second() -> None:
    """One station joins eight views of 30 parts a second, in 3 ms an image on four workers, and loses none of them
    but the first two."""
    account = simulated(Plan(parts=400, seed=2, cameras=8, rate=30.0, workers=4, batch_ms=3.0)).run()
    assert account.kept, told(account)
    assert account.late == 0
    assert account.fault_overkill <= 2  # until the clocks of the seven further cameras have settled


def test_a_jammed_ejector_stops_the_line() -> None:
    """Pulses that move nothing: the sensor misses the part, the alarm stops the belt before it is in the good bin."""
    for ejector in EjectorKind:
        plan = Plan(parts=300, seed=5, rate=8.0, faults=("ejector_jammed",), fault_rate=0.02, ejector=ejector)
        account = simulated(replace(plan, confirm=True)).run()
        assert account.kept, told(account)
        assert account.belt_stops >= account.alarms["EJECTOR_JAMMED"] > 1


def test_without_a_sensor_a_jam_goes_unnoticed_and_the_simulator_says_so() -> None:
    """The sensor is what keeps the promise: without it the parts of a jammed ejector are escapes, and are counted."""
    line = simulated(Plan(parts=300, seed=5, rate=8.0))
    line.nozzle.is_jammed = True
    account = line.run()
    assert account.system_escapes > 5
    assert not account.alarms["EJECTOR_JAMMED"]


def test_a_wall_clock_that_is_set_changes_nothing() -> None:
    """The same seed with and without steps of the wall clock: every record and every pulse is the same, to the ns."""
    still = simulated(Plan(parts=500, seed=6)).run()
    stepped = simulated(Plan(parts=500, seed=6, faults=("wall_clock_stepped",), fault_rate=0.05)).run()
    assert stepped.faults["wall_clock_stepped"] > 10
    assert stepped.alarms["CLOCK_STEPPED"] > 0
    assert stepped.digest == still.digest


def test_parts_that_touch_are_one_part_and_the_second_is_counted() -> None:
    """No beam tells two parts without a gap apart: one trigger, one record; the second is counted, not hidden."""
    account = simulated(Plan(parts=800, seed=7, faults=("parts_touch",), fault_rate=0.03)).run()
    assert account.kept, told(account)
    assert account.touching > 10
    assert account.triggers == account.records == 800 - account.touching
    assert 0 < account.touching_unseen <= account.touching


def test_the_meter_tells_the_peak_of_each_tenth() -> None:
    """Ten peaks, the first and last of them from their own parts; the growth leaves the warm-up out."""
    memory_mb = iter(range(100, 200))
    meter = Meter(1000, lambda: float(next(memory_mb)), lambda: 1.0)
    for done in range(50, 1001, 50):
        meter.progress(done)
    figures = meter.figures(Account(1, parts=1000, virtual_s=50.0, frames=8000))
    assert figures.peaks_mb == (101.0, 103.0, 105.0, 107.0, 109.0, 111.0, 113.0, 115.0, 117.0, 120.0)
    assert figures.growth_mb == 17.0
    assert (figures.line_parts_per_s, figures.line_frames_per_s) == (20.0, 160.0)


def test_a_bare_board_loses_parts_and_the_simulator_says_so() -> None:
    """Without watchdog and without a gate, a board whose cable is pulled lets parts pass: the honest count is not 0."""
    account = simulated(
        Plan(parts=800, seed=1, wiring=Wiring.BARE, faults=("port_gone", "station_killed"), fault_rate=0.02)
    ).run()
    assert account.system_escapes > 0
    assert not account.kept


def test_the_same_seed_is_the_same_story_in_another_process() -> None:
    """The digest over every record and pulse is equal in a process with another hash seed, and not for another seed."""
    command = [sys.executable, "-m", "inspection.cli.main", "simulate", "--json", "--parts", "600", "--cameras", "2"]
    command += ["--fault-rate", "0.02", "--seed"]
    told = []
    for seed, hash_seed in (("9", "1"), ("9", "2"), ("10", "1")):
        done = subprocess.run(
            [*command, seed], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": hash_seed}, timeout=120
        )
        told.append(json.loads(done.stdout))
    machines = [each.pop("machine") for each in told]
    assert told[0] == told[1]
    assert all(len(machine["peaks_mb"]) == 10 and machine["parts_per_s"] > 0 for machine in machines)
    assert told[0]["digest"] != told[2]["digest"]
    assert {"triggers", "records", "system_escapes", "wrong_pulses", "late", "fault_overkill", "faults"} <= set(told[0])


@pytest.mark.parametrize("parts", [25_000, pytest.param(100_000, marks=pytest.mark.soak)])
def test_a_hundred_thousand_parts_with_every_fault(parts: int) -> None:
    """The size of every day: 100,000 parts, all faults mixed in; a quarter of it in each run."""
    account = simulated(
        Plan(parts=parts, seed=2026, faults=ALL, fault_rate=0.005, rate=50.0, encoder=False, batch_ms=3.0)
    ).run()
    assert account.kept, told(account)
    assert account.records == account.triggers > 0.95 * parts
    assert set(account.faults) == {kind for kind in ALL if FAULTS[kind].needs(Plan(encoder=False))}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--faults", "trigger_missed"], "has no trigger_missed"),
        (["--faults", "belt_slow", "--time"], "has no belt_slow"),
        (["--faults", "controller_reset"], "has no controller_reset"),
        (["--faults", "ejector_jammed"], "has no ejector_jammed"),
        (["--confirm"], "polled too rarely"),
        (["--ejector", "controller", "--rate", "80"], "follows 128 parts"),
        (["--faults", "gremlins"], "no fault is called 'gremlins'"),
        (["--parts", "10", "--trace", "11"], "one of the 10 parts"),
        (["--trace", "1", "--json"], "leave --json out"),
    ],
)
def test_what_a_line_cannot_have_is_refused(
    options: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A fault that would never be caused is no proof of anything: it is refused, and so is what cannot be shown."""
    monkeypatch.setenv("GRPC_VERBOSITY", "NONE")  # as the command sets it for itself
    monkeypatch.setattr(sys, "argv", ["lineward", "simulate", *options])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert said in " ".join(capsys.readouterr().err.replace("│", " ").split())

"""The table of faults: complete, consistent, documented, and each row's test is there."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from inspection.alarms import ALARMS, Reaction
from inspection.config import StationConfig, parse_config
from inspection.config.example import EXAMPLE
from inspection.config.promises import stopping_faults, unkept_promises
from inspection.errors import ConfigError
from inspection.faults import FAULTS, Fault, NotCaused, choosable
from inspection.faults.document import document

REPOSITORY = Path(__file__).resolve().parents[2]
# How the station is wired, how a challenge goes, and that a fault stopped the line: nothing that broke.
NO_FAULTS = {"LINE_STOPPED", "NO_HEARTBEAT_WIRED", "CHALLENGE_RUNNING", "CHALLENGE_FAILED", "CHALLENGE_SOON"}


def config(**changes: dict[str, Any]) -> StationConfig:
    return StationConfig.model_validate(
        {
            "camera": {"backend": "simulated"},
            "geometry": {"travel_time_s": 1.0},
            "ejector": {"heartbeat_channel": 2},
            **changes,
        }
    )


def test_the_page_is_current() -> None:
    """docs/fail-safe.md is what `python -m inspection.faults.document docs/fail-safe.md` writes."""
    assert (REPOSITORY / "docs" / "fail-safe.md").read_text("utf-8") == document()


def test_each_alarm_has_its_row() -> None:
    """Whatever the station may raise is in the table, and a row's alarm exists; names come once."""
    assert {fault.alarm for fault in FAULTS} - {""} == set(ALARMS) - NO_FAULTS
    names = [fault.name for fault in FAULTS]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_row_agrees_with_itself_and_with_its_alarm(fault: Fault) -> None:
    """A default is among what may be chosen; one that blocks may never be a mere warning."""
    if fault.allowed:
        assert fault.default in fault.allowed
        assert fault.alarm
        assert not fault.goes_with
    if fault.default is not None:
        blocks = fault.default is not Reaction.WARN
        assert ALARMS[fault.alarm].blocks == blocks
        assert (Reaction.WARN in fault.allowed) != blocks
    if fault.goes_with:
        assert choosable()[fault.goes_with].alarm == fault.alarm


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_each_row_names_a_test_that_exists(fault: Fault) -> None:
    """A row says by which test it is caused; one that says it is not tested names the nearest that is, if any."""
    named = fault.test.nearest if isinstance(fault.test, NotCaused) else fault.test
    if not named:
        return
    file, _, test = named.partition("::")
    tree = ast.parse((REPOSITORY / file).read_text("utf-8"))
    assert test in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_the_recipe_chooses_and_the_table_has_the_defaults() -> None:
    """A choice goes to the fault's alarm; what is not named has the table's default."""
    found = config(reactions={"camera_gone": "reject_all", "frame_lost": "hold"}).reactions_of_alarms
    assert found["CAMERA_LOST"] is Reaction.REJECT_ALL
    assert found["NO_IMAGE"] is Reaction.HOLD
    assert found["MODEL_FAILED"] is Reaction.REJECT_ALL
    assert found["EJECTOR_JAMMED"] is Reaction.STOP_LINE


UNREJECTED = {"CAMERA_LOST", "EJECTOR_LOST", "PARTS_UNSEEN", "ENCODER_SILENT", "STATION_FAILED"}
PASSED_WRONGLY = {"EJECTOR_PULSE_FAILED", "WRONG_PULSE", "EJECTOR_JAMMED", "BIN_FULL", "CAMERA_CHANGED"}
CONTROLLERS_OWN = {"CONTROLLER_RESET", "CONTROLLER_FAULT", "UNKNOWN_PART"}


@pytest.mark.parametrize(
    ("ejector", "stopping"),
    [
        ({}, set()),
        ({"mode": "positive_release", "board": {"protocol": "modbus_flash"}, "pulse_ms": 100}, set()),
        ({"heartbeat_channel": 2}, UNREJECTED | PASSED_WRONGLY),
        ({"heartbeat_channel": 2, "mode": "positive_release"}, PASSED_WRONGLY),
        ({"driver": "simulated_controller"}, PASSED_WRONGLY | CONTROLLERS_OWN),
        ({"driver": "simulated_controller", "mode": "positive_release"}, PASSED_WRONGLY),
    ],
)
def test_what_may_have_let_a_part_by_stops_the_belt_that_can_be_stopped(
    ejector: dict[str, Any], stopping: set[str]
) -> None:
    """The default follows from the wiring: stop_line where a part may have passed and something stops the belt."""
    found = config(ejector=ejector).reactions_of_alarms
    assert {name for name, reaction in found.items() if reaction is Reaction.STOP_LINE} == stopping
    assert all(found[name] is not Reaction.WARN for name in UNREJECTED | CONTROLLERS_OWN)


def test_a_weaker_choice_is_told_with_what_it_costs() -> None:
    """`config check` lists what stops the line, and names each choice after which parts may go by."""
    assert unkept_promises(config()) == []
    assert {"camera_gone", "pulse_failed"} < set(stopping_faults(config()))
    chosen = config(reactions={"pulse_failed": "warn", "camera_gone": "hold", "model_failed": "hold"})
    assert not {"camera_gone", "pulse_failed"} & set(stopping_faults(chosen))
    (told,) = unkept_promises(chosen)
    assert "[reactions] says pulse_failed = warn, camera_gone = hold: leave that out" in told


def test_nothing_stops_a_belt_that_nobody_can_stop() -> None:
    """Without a heartbeat a default of stop_line is hold, and choosing it is refused with the way out."""
    assert config(ejector={}).reactions_of_alarms["EJECTOR_JAMMED"] is Reaction.HOLD
    with pytest.raises(ValueError, match=r"camera_gone cannot stop the line: .*heartbeat_channel, or choose hold"):
        config(ejector={}, reactions={"camera_gone": "stop_line"})


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('camera_gon = "hold"', "camera_gon is no fault; did you mean 'camera_gone'?"),
        ('camera_gone = "warn"', "camera_gone is warn, reject_all, hold or stop_line are allowed"),
        ('camera_gone = "panic"', "camera_gone: is 'panic' — allowed is 'warn', 'reject_all', 'hold' or 'stop_line'"),
        ('ejector_process_died = "hold"', "ejector_process_died goes with ejector_port_gone"),
        ('station_killed = "hold"', "station_killed leaves nothing to choose"),
    ],
)
def test_a_wrong_choice_is_one_clear_message(line: str, said: str) -> None:
    """An unknown fault and a reaction that the table does not allow are refused with what is allowed."""
    with pytest.raises(ConfigError) as refusal:
        parse_config(EXAMPLE.replace("[reactions]", f"[reactions]\n{line}\n"), "station.toml")
    assert said in str(refusal.value)
    assert "1 problem:" in str(refusal.value)

"""What the ejector's options accept and refuse, and in which words."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from inspection.ejector.boards import BOARDS, make_board, options_of
from inspection.ejector.errors import EjectorOptionsError
from inspection.ejector.options import EjectorOptions, make_ejector
from inspection.ejector.settings import Settings
from inspection.ejector.simulated import SimulatedEjector


def test_the_defaults_describe_a_simulated_ejector() -> None:
    """Without any option there is an LCUS board behind a pty."""
    ejector = make_ejector(EjectorOptions())
    assert isinstance(ejector, SimulatedEjector)
    assert ejector.health().driver == "lcus"
    assert ejector.lead_ns == 4_166_667


@pytest.mark.parametrize("driver", sorted(BOARDS))
def test_every_driver_of_the_table_can_be_built(driver: str) -> None:
    """Each row names a driver and its options, and the options' defaults suit the driver."""
    options = EjectorOptions(driver=driver, port="/dev/ttyUSB0", pulse_ms=100)
    assert options.board == options_of(driver)().model_dump()
    assert make_board(options.settings()).command_s > 0
    assert Settings.from_json(options.settings().to_json()) == options.settings()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            {"driver": "lcuss", "port": "x"},
            ["'lcuss'", "lcus, modbus_rtu, modbus_flash, kmtronic, numato, devantech, simulated"],
        ),
        ({"driver": "lcus"}, ["needs a port"]),
        ({"port": "/dev/ttyUSB0"}, ["leave it out"]),
        ({"chanel": 2}, ["chanel", "Extra inputs"]),
        ({"pulse_ms": 0}, ["pulse_ms", "greater than or equal to 1"]),
        ({"channel": 9}, ["channel is 9", "has 4"]),
        ({"channel": 2, "heartbeat_channel": 2}, ["both 2"]),
        ({"board": {"adress": 1}}, ["adress", "may be told: channels, protocol, inputs"]),
        ({"board": {"channels": "four {x}"}}, ["channels", "four (x)"]),
        (
            {"driver": "modbus_rtu", "port": "x", "board": {"baud": 9601, "address": 0}},
            ["baud: is 9601", "address: is 0 — at least 1 is allowed"],
        ),
        ({"driver": "modbus_flash", "port": "x"}, ["pulse_ms is 30", "multiples of 100"]),
        ({"driver": "modbus_flash", "port": "x", "pulse_ms": 100, "overlap": "queue"}, ["cannot queue"]),
        ({"mode": "positive_release", "overlap": "queue"}, ["release pulses always merge"]),
        ({"mode": "positive_release", "pulse_ms": 4}, ["pulse_ms is 4", "window of 5 ms"]),
        ({"bin_full_input": 1}, ["bin_full_input is 1, but the board has 0"]),
        ({"driver": "modbus_rtu", "port": "x", "board": {"inputs": 2}, "confirm_input": 3}, ["confirm_input is 3"]),
        (
            {"driver": "modbus_rtu", "port": "x", "board": {"inputs": 2}, "confirm_input": 1, "bin_full_input": 1},
            ["both 1"],
        ),
        ({"mode": "positive_release", "confirm_input": 1}, ["positive_release has none"]),
        ({"require": [4]}, ["promise 4 (silence is safe) is required", "cannot keep it", "set heartbeat_channel"]),
        (
            {"require": [4], "mode": "positive_release"},
            ["promise 4 (silence is safe) is required", "freezes within a release pulse"],
        ),
        ({"require": [5], "heartbeat_channel": 2}, ["promise 5 is required", "require may name: 3, 4"]),
    ],
)
def test_what_is_wrong_is_named(values: dict[str, Any], words: list[str]) -> None:
    """Each mistake is refused with the option, its value and what is allowed."""
    with pytest.raises(ValidationError) as refusal:
        EjectorOptions(**values)
    for word in words:
        assert word in str(refusal.value)


def test_the_options_say_which_promise_the_wiring_breaks() -> None:
    """Without a heartbeat channel silence is not safe, and the options say so with a remedy."""
    (text,) = EjectorOptions().broken_promises()
    assert "promise 4" in text
    assert "heartbeat_channel" in text
    assert EjectorOptions(heartbeat_channel=2, require=[3, 4]).broken_promises() == ()


def test_positive_release_is_safe_on_a_board_that_ends_its_pulses() -> None:
    """A gate behind a flash board needs no heartbeat; behind any other a frozen PC may leave it held back."""
    gate = {"mode": "positive_release", "pulse_ms": 100, "board": {"protocol": "modbus_flash"}, "require": [4]}
    options = EjectorOptions.model_validate(gate)
    assert options.broken_promises() == ()
    assert any("board ends each release" in text for text in options.kept_promises())
    (text,) = EjectorOptions(mode="positive_release").broken_promises()
    assert "modbus_flash" in text


def test_a_heartbeat_must_fit_on_the_line() -> None:
    """A heartbeat that would fill a slow line is refused with the time that a command takes."""
    board = {"protocol": "modbus_rtu"}
    with pytest.raises(EjectorOptionsError, match=r"heartbeat_ms is 20, .* 26\.0 ms"):
        make_ejector(EjectorOptions(heartbeat_channel=2, heartbeat_ms=20, board=board))

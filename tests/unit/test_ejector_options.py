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
    options = EjectorOptions(driver=driver, port="/dev/ttyUSB0")
    assert options.board == options_of(driver)().model_dump()
    assert make_board(options.settings()).command_s > 0
    assert Settings.from_json(options.settings().to_json()) == options.settings()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"driver": "lcuss", "port": "x"}, ["'lcuss'", "lcus, modbus_rtu, simulated"]),
        ({"driver": "lcus"}, ["needs a port"]),
        ({"port": "/dev/ttyUSB0"}, ["leave it out"]),
        ({"chanel": 2}, ["chanel", "Extra inputs"]),
        ({"pulse_ms": 0}, ["pulse_ms", "greater than or equal to 1"]),
        ({"channel": 9}, ["channel is 9", "has 4"]),
        ({"channel": 2, "heartbeat_channel": 2}, ["both 2"]),
        ({"board": {"adress": 1}}, ["adress", "may be told: channels, protocol"]),
        ({"board": {"channels": "four {x}"}}, ["channels", "four (x)"]),
        (
            {"driver": "modbus_rtu", "port": "x", "board": {"baud": 9601, "address": 0}},
            ["baud", "9601", "address", "greater than or equal to 1"],
        ),
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
    assert EjectorOptions(heartbeat_channel=2).broken_promises() == ()


def test_a_heartbeat_must_fit_on_the_line() -> None:
    """A heartbeat that would fill a slow line is refused with the time that a command takes."""
    board = {"protocol": "modbus_rtu"}
    with pytest.raises(EjectorOptionsError, match=r"heartbeat_ms is 20, .* 26\.0 ms"):
        make_ejector(EjectorOptions(heartbeat_channel=2, heartbeat_ms=20, board=board))

"""The PLC's map: complete, without collisions, and documented as it is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from inspection.alarms import ALARMS, blocks
from inspection.config import parse_config
from inspection.config.reality import missing_here
from inspection.errors import ConfigError
from inspection.part import Reason
from inspection.plc import map as plc_map
from inspection.plc import plc as plc_port
from inspection.plc.document import document
from inspection.plc.errors import PlcMissingError
from inspection.plc.options import PlcOptions

DOCUMENT = Path(__file__).parents[2] / "docs" / "plc.md"
STATION = '[camera]\nbackend="simulated"\n[geometry]\ntravel_time_s=1.0\n[ejector]\ndriver="simulated"\n'


def test_the_documentation_is_current() -> None:
    """docs/plc.md is what `python -m inspection.plc.document` prints."""
    assert DOCUMENT.read_text(encoding="utf-8") == document()


def test_every_bit_and_register_has_a_meaning() -> None:
    """The tables of meanings cover the addresses, and the bits fill one word."""
    assert set(plc_map.STATUS_MEANINGS) == set(plc_map.Status)
    assert set(plc_map.CONTROL_MEANINGS) == set(plc_map.Control)
    assert set(plc_map.INPUT_MEANINGS) == set(plc_map.InputRegister)
    assert set(plc_map.HOLDING_MEANINGS) == set(plc_map.HoldingRegister)
    assert set(plc_map.RESULT_MEANINGS) == set(plc_map.ResultCode)
    assert set(plc_map.COMMAND_MEANINGS) == set(plc_map.Command)
    assert sorted(plc_map.InputRegister) == list(range(len(plc_map.InputRegister)))
    assert sorted(plc_map.HoldingRegister) == list(range(len(plc_map.HoldingRegister)))
    assert sum(plc_map.Status) == 0xFFFF


def test_every_reason_has_a_number_of_its_own() -> None:
    """A record's reason is told by number; none of them is told as passed."""
    codes = [plc_map.result_code(reason) for reason in Reason if reason is not Reason.NONE]
    assert len(set(codes)) == len(codes)
    assert set(codes).isdisjoint({plc_map.ResultCode.NONE, plc_map.ResultCode.PASSED, plc_map.ResultCode.OTHER})
    assert plc_map.result_code(Reason.NONE) is plc_map.ResultCode.OTHER


def test_fault_codes_are_alarms_and_unique() -> None:
    """Each number names one alarm of the table, and none is used twice."""
    assert set(plc_map.FAULT_CODES) <= set(ALARMS)
    numbers = [*plc_map.FAULT_CODES.values(), plc_map.STATION_SILENT, plc_map.OTHER_ALARM, 0]
    assert len(set(numbers)) == len(numbers)


def test_silence_blocks_or_warns() -> None:
    """The two alarms about a silent PLC differ in what they do."""
    assert blocks("PLC_SILENT")
    assert not blocks("PLC_QUIET")


@pytest.mark.parametrize(
    ("values", "fragment"),
    [
        ({"enabled": True, "transport": "rtu"}, "needs a port"),
        ({"port": "/dev/ttyUSB0"}, "leave it out"),
        ({"address": "127.0.0.1"}, "pattern"),
        ({"address": "127.0.0.1:99999"}, "between 0 and 65535"),
        ({"unit_id": 248}, "247"),
        ({"baud": 12345}, "Input should be"),
        ({"silence": "ignore"}, "block"),
        ({"inspect_window_ms": 0}, "greater than 0"),
        ({"watchdog": 1}, "Extra inputs"),
    ],
)
def test_options_that_describe_no_plc_are_refused(values: dict[str, object], fragment: str) -> None:
    """Each wrong setting is named with what is allowed."""
    with pytest.raises(ValidationError, match=fragment):
        PlcOptions.model_validate(values)


def test_the_window_follows_the_travel_time() -> None:
    """Results come once a part has passed the ejector, so the default window is longer than the way there."""
    assert PlcOptions().window_ns(1.5) == 3_500_000_000
    assert PlcOptions(inspect_window_ms=40).window_ns(1.5) == 40_000_000


def test_addresses_of_both_families_are_understood() -> None:
    """Host and port come apart, brackets or not."""
    assert PlcOptions(address="[::1]:0").listens_on == ("::1", 0)
    assert PlcOptions(address="plc-net.local:502").listens_on == ("plc-net.local", 502)


def test_the_configuration_names_a_wrong_plc_key() -> None:
    """`[plc]` is checked like every other table."""
    with pytest.raises(ConfigError, match="did you mean 'unit_id'"):
        parse_config(STATION + "[plc]\nunitid = 3\n", "line.toml")


def test_a_serial_port_that_is_not_there_is_found_before_the_run() -> None:
    """`config check` looks for the PLC's port."""
    config = parse_config(STATION + '[plc]\nenabled=true\ntransport="rtu"\nport="/dev/none-such"\n', "line.toml")
    assert [text for text in missing_here(config) if text.startswith("plc.port /dev/none-such: does not exist")]
    switched_off = parse_config(STATION + '[plc]\ntransport="rtu"\nport="/dev/none-such"\n', "line.toml")
    assert not [text for text in missing_here(switched_off) if "plc" in text]


def test_without_the_extra_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """A station whose configuration wants a PLC, on a machine without pymodbus, names the extra."""
    monkeypatch.setattr(plc_port, "find_spec", lambda name: None)
    with pytest.raises(PlcMissingError, match=r"pip install 'lineward\[plc\]'"):
        plc_port.check_installed()


def test_a_station_without_a_plc_does_not_load_modbus() -> None:
    """The extra is not needed, and not loaded, before a PLC is served."""
    code = "import sys, inspection.service, inspection.config.reality; print('pymodbus' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"

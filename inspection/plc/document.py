"""Prints docs/plc.md, the documentation of the PLC handshake, from its own tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from inspection.alarms import blocks
from inspection.plc.map import (
    COMMAND_MEANINGS,
    CONTROL_MEANINGS,
    FAULT_CODES,
    HOLDING_MEANINGS,
    INPUT_MEANINGS,
    OTHER_ALARM,
    RESULT_MEANINGS,
    STATION_SILENT,
    STATUS_MEANINGS,
    Control,
    Meaning,
    Status,
)
from inspection.plc.options import PlcOptions

_BEGINNING = """\
# The PLC handshake

Written by `python -m inspection.plc.document > docs/plc.md` from the station's own tables; a test keeps it current.

A PLC that switches the gate, counts parts or stops the belt reads each result over Modbus: TCP, or RTU on a serial
line. The station is the server (slave), the PLC the client (master). Bits and names follow the Cognex In-Sight map.

    pip install 'lineward[plc]'

    [plc]
    enabled = true
    address = "127.0.0.1:1502"

Modbus knows no password: listen on the machine network alone. `commands = false` keeps the PLC from starting and
stopping the line. All addresses below are protocol addresses, counted from 0.
"""

_RULES = """\
## How it goes

1. **Signs of life.** The PLC changes PlcHeartbeat at least once in `plc_timeout_ms`. As long as it does not, no result
   is shown, Ready is 0 and PlcSilent is 1; the station raises PLC_SILENT, and nothing passes (`silence = "block"`), or
   PLC_QUIET, a warning (`silence = "warn"`). The PLC in turn watches StationHeartbeat: when it stands still, or the
   connection ends, every part is to be rejected until it counts again.
2. **A result.** ResultsValid rises: in one step with it the result registers and either Pass or Fail. Read Status and
   the result in one request (input registers from 0 on, function 4). Set ResultsAck; ResultsValid falls. Clear
   ResultsAck; the next result is shown when there is one. A ResultsAck that rises before the result was read does not
   retire it: the result is shown again.
3. **The window.** A result that is not read within `inspect_window_ms` after its trigger is a Fail with ResultCode 4
   (LATE), whatever comes later. A Fail never becomes a Pass. Results are told once they are recorded: a pass soon
   after its verdict, a reject only after the station's own ejector has fired for it. Without `inspect_window_ms` the
   window is therefore the travel time and two seconds.
4. **The queue.** With BufferResultsEnable, `results_capacity` results wait; without, none waits behind the one shown.
   When there is no room, the newest is lost: ResultsBufferOverrun is set, ResultsLost counts it, and part numbers have
   a gap. Reject parts whose result is missing.
5. **Trigger.** With `trigger = "software"` in [camera] the PLC triggers. When Ready is 1, set Trigger: Busy rises while
   the camera is asked, then TriggerAck, and AcquisitionId is that part from the same moment on. Clear Trigger; Ready
   rises again, and the next part may follow while earlier ones are still on their way (Inspecting). Its result comes
   as any other. A Trigger is missed (MissedAcq, TriggersMissed) when Ready was 0, when the camera could make no
   picture, and always with a camera that follows its photo-eye or clock, which `lineward config check` tells of; its
   parts show by AcquisitionId and their results all the same.
6. **Commands.** Write Command, set ExecuteCommand, wait for CommandComplete or CommandFailed, clear ExecuteCommand.
7. **Challenge.** While one is due or runs (FaultCode 18, 19) Fault is 1 and Online 0, but Ready may be 1: known-bad
   parts are triggered as any others. Parts come as Fails; those in which the model found nothing with ResultCode 10.
8. **Fault.** Nothing passes: a Pass that waits to be read becomes a Fail with ResultCode 9. Fails are shown as usual.
   FaultCode without Fault is a warning.

Pass is 1 only together with ResultsValid, and only for the part in PartNumber. A station that is killed ends the
connection; on a serial line it falls silent.

The server answers at most 500 requests a second over all connections and holds further ones up, so that no client can
slow the line. A connection has one request under way at a time. On a serial line the station is best the only slave.
"""

_UNTOLD = frozenset({"enabled"})


def document() -> str:
    """Return the whole page."""
    parts = [
        _BEGINNING,
        _RULES,
        "## Station to PLC: discrete inputs (function 2)\n\n" + _bits(STATUS_MEANINGS),
        "## Station to PLC: input registers (function 4)\n\n" + _registers(INPUT_MEANINGS.items()),
        "## PLC to station: coils (functions 1, 5, 15)\n\n" + _bits(CONTROL_MEANINGS),
        "## PLC to station: holding registers (functions 3, 6, 16, 22, 23)\n\n" + _registers(HOLDING_MEANINGS.items()),
        "## ResultCode\n\n" + _codes(RESULT_MEANINGS.items()),
        "## Command\n\n" + _codes((code, f"{_camel(code.name)}: {text}") for code, text in COMMAND_MEANINGS.items()),
        "## FaultCode\n\n" + _codes(_faults().items()),
        "## Settings\n\n" + _settings(),
    ]
    return "\n".join(parts)


def _faults() -> dict[int, str]:
    named = {number: f"{name}{' (nothing passes)' * blocks(name)}" for name, number in FAULT_CODES.items()}
    own = {0: "none", STATION_SILENT: "the station's own supervision gives no sign of life (nothing passes)"}
    listed = {**own, **named, OTHER_ALARM: "an alarm without a number of its own"}
    return dict(sorted(listed.items()))


def _bits(meanings: Mapping[Status, Meaning] | Mapping[Control, Meaning]) -> str:
    rows = ((int(bit).bit_length() - 1, one.name, one.text) for bit, one in meanings.items())
    return _table(("address", "bit", "1 means"), rows)


def _registers(meanings: Iterable[tuple[int, Meaning]]) -> str:
    return _table(("address", "register", "holds"), ((int(at), one.name, one.text) for at, one in meanings))


def _codes(meanings: Iterable[tuple[int, str]]) -> str:
    return _table(("number", "meaning"), ((int(code), text) for code, text in meanings))


def _settings() -> str:
    fields = ((name, field) for name, field in PlcOptions.model_fields.items() if name not in _UNTOLD)
    rows = ((f"`{name}`", _default(field.default), field.description or "") for name, field in fields)
    return _table(("key", "default", "says"), rows)


def _default(value: object) -> str:
    return "absent" if value in (None, "") else f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _camel(name: str) -> str:
    return name.title().replace("_", "")


def _table(head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(str(cell) for cell in line)} |\n" for line in lines)


if __name__ == "__main__":
    print(document(), end="")

"""The handshake between station and PLC as a pure state machine: no clock, no thread, no wire."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace

from inspection.plc.map import (
    MAP_VERSION,
    STATION_SILENT,
    Command,
    Control,
    HoldingRegister,
    InputRegister,
    ResultCode,
    Status,
)
from inspection.plc.requests import CommandRequest, TriggerRequest
from inspection.plc.results import Result, ResultBuffer

_NAMED_CONTROLS = Control.TRIGGER_ENABLE | Control.TRIGGER | Control.RESULTS_ACK | Control.BUFFER_RESULTS_ENABLE
_NAMED_CONTROLS |= Control.EXECUTE_COMMAND


@dataclass(frozen=True, slots=True)
class Timing:
    """How long things may take, in nanoseconds; bundle_id: 32 bits that tell the PLC which model judges."""

    window_ns: int
    plc_timeout_ns: int
    heartbeat_ns: int
    station_timeout_ns: int = 2_000_000_000
    results_capacity: int = 64
    in_flight_capacity: int = 4096
    bundle_id: int = 0


@dataclass(frozen=True, slots=True)
class StationLook:
    """What the station's supervision last said about it.

    up: it has come up and is not shut down. running: parts are inspected. blocked: nothing may pass. challenged: that
    is for a challenge alone, so that parts are still to be triggered.
    """

    up: bool
    running: bool
    blocked: bool
    fault_code: int
    challenged: bool = False


_UNKNOWN = StationLook(up=False, running=False, blocked=True, fault_code=0)


class Handshake:
    """Everything that the PLC sees, and what follows from what it says. Owned by the port's thread, used by it alone.

    Each method takes the moment at which it happens; moments never go back. Whenever the station or the PLC gives no
    sign of life, no result is shown; while nothing may pass, none is shown as a pass.
    """

    def __init__(self, timing: Timing, now_host_ns: int) -> None:
        self._timing = timing
        self.results = ResultBuffer(timing.results_capacity)
        self.late = 0
        self.answers_ignored = 0
        self._in_flight: OrderedDict[int, int] = OrderedDict()  # part → until when its result may be shown
        self._acquisition = 0
        self._completed = False
        self._control = Control(0)
        self._command_register = 0
        self._plc_heartbeat = 0
        self._plc_heard_host_ns: int | None = None
        self._opened_host_ns = now_host_ns
        self._station = _UNKNOWN
        self._station_heard_host_ns = now_host_ns
        self._heartbeat = 0
        self._next_beat_host_ns = now_host_ns
        self._trigger = TriggerRequest()
        self._command = CommandRequest()

    # ------------------------------------------------------------ the station's side

    def triggered(self, part: int, trigger_host_ns: int, now_host_ns: int) -> None:
        """Note a part whose result is now awaited; when too many are, the oldest is given up as LATE."""
        if part in self._in_flight:
            return
        self._acquisition = part
        self._in_flight[part] = trigger_host_ns + self._timing.window_ns
        if len(self._in_flight) > self._timing.in_flight_capacity:
            self._too_late(*self._in_flight.popitem(last=False))
        self.advance(now_host_ns)

    def result(
        self, part: int, passed: bool, code: ResultCode, score_per_mille: int, defect_class: int, now_host_ns: int
    ) -> None:
        """Take a part's result. One that is not awaited (any more) is ignored: a LATE part stays rejected."""
        self.advance(now_host_ns)
        deadline_host_ns = self._in_flight.pop(part, None)
        if deadline_host_ns is None:
            self.answers_ignored += 1
            return
        self._offer(Result(part, passed, code, deadline_host_ns, score_per_mille, defect_class))
        self.advance(now_host_ns)

    def station(self, look: StationLook, now_host_ns: int) -> None:
        """Note how the station is; each call is a sign of life."""
        self._station = look
        self._station_heard_host_ns = now_host_ns
        self.advance(now_host_ns)

    def judged_by(self, bundle_id: int) -> None:
        """Note which model judges from now on."""
        self._timing = replace(self._timing, bundle_id=bundle_id)

    def take_trigger(self) -> bool:
        """Return whether the camera is to be triggered now; answer with `trigger_done`."""
        return self._trigger.take()

    def trigger_done(self, taken: bool) -> None:
        """Tell the PLC whether the camera took the trigger."""
        self._trigger.done(taken, still_set=Control.TRIGGER in self._control)

    def take_command(self) -> Command | None:
        """Return the command to carry out now, if any; answer with `command_done`."""
        return self._command.take()

    def command_done(self, succeeded: bool) -> None:
        """Tell the PLC how its command ended, if it still asks."""
        self._command.done(succeeded, still_set=Control.EXECUTE_COMMAND in self._control)

    # ---------------------------------------------------------------- the PLC's side

    @property
    def control(self) -> Control:
        """The bits that the PLC last wrote."""
        return self._control

    def holding(self) -> list[int]:
        """Return the holding registers as the PLC reads them back."""
        return [int(self._control), self._command_register, self._plc_heartbeat]

    def write_registers(self, values: dict[int, int], now_host_ns: int) -> None:
        """Take holding registers written in one request: command and heartbeat before the bits that refer to them."""
        self._command_register = values.get(HoldingRegister.COMMAND, self._command_register)
        heartbeat = values.get(HoldingRegister.HEARTBEAT, self._plc_heartbeat)
        if heartbeat != self._plc_heartbeat:
            self._plc_heartbeat = heartbeat
            self._plc_heard_host_ns = now_host_ns
        self.write_control(values.get(HoldingRegister.CONTROL, int(self._control)), now_host_ns)

    def write_control(self, word: int, now_host_ns: int) -> None:
        """Take the control bits, all at once; bits without a name are ignored."""
        self.advance(now_host_ns)
        before, after = self._control, Control(word & _NAMED_CONTROLS)
        rising = after & ~before
        if Control.TRIGGER in rising:
            self._trigger.rise(ready=self._ready(now_host_ns, after))
        if Control.EXECUTE_COMMAND in rising:
            self._begin_command()
        self._control = after
        if Control.TRIGGER not in after:
            self._trigger.fall()
        if Control.EXECUTE_COMMAND not in after:
            self._command.fall()
        self.results.acknowledge(Control.RESULTS_ACK in after)
        self.advance(now_host_ns)

    def read(self) -> None:
        """Note that the PLC was told the status, and with it whether a result is shown."""
        self.results.read()

    def inputs(self, now_host_ns: int) -> list[int]:
        """Return the input registers as they are at this moment, all of one piece."""
        self.advance(now_host_ns)
        shown = self.results.shown
        registers = [0] * len(InputRegister)
        registers[InputRegister.STATUS] = int(self._status(now_host_ns, shown))
        registers[InputRegister.HEARTBEAT] = self._heartbeat
        registers[InputRegister.ACQUISITION_ID] = self._acquisition & 0xFFFF
        if shown is not None:
            registers[InputRegister.RESULT_ID] = shown.part & 0xFFFF
            registers[InputRegister.PART_HIGH] = shown.part >> 16 & 0xFFFF
            registers[InputRegister.PART_LOW] = shown.part & 0xFFFF
            registers[InputRegister.RESULT_CODE] = shown.code
            registers[InputRegister.SCORE_PER_MILLE] = shown.score_per_mille
            registers[InputRegister.DEFECT_CLASS] = shown.defect_class
        registers[InputRegister.RESULTS_WAITING] = min(len(self.results), 0xFFFF)
        registers[InputRegister.RESULTS_LOST] = self.results.lost & 0xFFFF
        registers[InputRegister.TRIGGERS_MISSED] = self._trigger.missed_count & 0xFFFF
        registers[InputRegister.FAULT_CODE] = self._fault_code(now_host_ns)
        registers[InputRegister.BUNDLE_HIGH] = self._timing.bundle_id >> 16 & 0xFFFF
        registers[InputRegister.BUNDLE_LOW] = self._timing.bundle_id & 0xFFFF
        registers[InputRegister.MAP_VERSION] = MAP_VERSION
        return registers

    # -------------------------------------------------------------------------- time

    def advance(self, now_host_ns: int) -> None:
        """Let time pass: windows end, heartbeats are counted, silence withdraws what is shown."""
        while self._in_flight:
            part, deadline_host_ns = next(iter(self._in_flight.items()))
            if now_host_ns <= deadline_host_ns:
                break
            del self._in_flight[part]
            self._too_late(part, deadline_host_ns)
        alive = self._station_is_alive(now_host_ns)
        if now_host_ns >= self._next_beat_host_ns:
            self._next_beat_host_ns = now_host_ns + self._timing.heartbeat_ns
            self._heartbeat = self._heartbeat + alive & 0xFFFF
        withheld = not alive or not self._plc_is_heard(now_host_ns)
        self.results.advance(now_host_ns, withheld=withheld, blocked=self._station.blocked)

    def plc_is_silent(self, now_host_ns: int) -> bool:
        """Return whether the PLC has given no sign of life for longer than it may; the time counts from the opening."""
        heard_host_ns = self._opened_host_ns if self._plc_heard_host_ns is None else self._plc_heard_host_ns
        return now_host_ns - heard_host_ns > self._timing.plc_timeout_ns

    @property
    def triggers_missed(self) -> int:
        """How many Triggers were not taken."""
        return self._trigger.missed_count

    @property
    def in_flight(self) -> int:
        """How many parts have triggered without a result yet."""
        return len(self._in_flight)

    def _plc_is_heard(self, now_host_ns: int) -> bool:
        return self._plc_heard_host_ns is not None and not self.plc_is_silent(now_host_ns)

    def _station_is_alive(self, now_host_ns: int) -> bool:
        fresh = now_host_ns - self._station_heard_host_ns <= self._timing.station_timeout_ns
        return fresh and self._station.up

    def _too_late(self, part: int, deadline_host_ns: int) -> None:
        self.late += 1
        self._offer(Result(part, False, ResultCode.LATE, deadline_host_ns))

    def _offer(self, result: Result) -> None:
        self._completed = not self._completed
        self.results.offer(result, may_wait=Control.BUFFER_RESULTS_ENABLE in self._control)

    # -------------------------------------------------------------- commands and bits

    def _begin_command(self) -> None:
        if self._command.rise(self._command_register) is Command.CONFIRM_ALARMS:
            self.results.overrun = self._trigger.missed = False

    def _online(self, now_host_ns: int) -> bool:
        return self._station_is_alive(now_host_ns) and self._station.running and not self._station.blocked

    def _ready(self, now_host_ns: int, control: Control) -> bool:
        trigger = self._trigger
        is_free = not trigger.going and not trigger.acknowledged and Control.TRIGGER not in self._control
        willing = Control.TRIGGER_ENABLE in control and self._plc_is_heard(now_host_ns)
        station = self._station
        is_held = self._station_is_alive(now_host_ns) and station.running and station.challenged
        return (self._online(now_host_ns) or is_held) and willing and is_free

    def _fault_code(self, now_host_ns: int) -> int:
        return self._station.fault_code if self._station_is_alive(now_host_ns) else STATION_SILENT

    def _status(self, now_host_ns: int, shown: Result | None) -> Status:
        trigger, command = self._trigger, self._command
        bits = (
            (Status.ONLINE, self._online(now_host_ns)),
            (Status.READY, self._ready(now_host_ns, self._control)),
            (Status.TRIGGER_ACK, trigger.acknowledged),
            (Status.BUSY, trigger.going),
            (Status.INSPECTING, bool(self._in_flight)),
            (Status.MISSED_ACQ, trigger.missed),
            (Status.INSPECTION_COMPLETED, self._completed),
            (Status.RESULTS_VALID, shown is not None),
            (Status.RESULTS_BUFFER_OVERRUN, self.results.overrun),
            (Status.PASS, shown is not None and shown.passed),
            (Status.FAIL, shown is not None and not shown.passed),
            (Status.FAULT, self._station.blocked or not self._station_is_alive(now_host_ns)),
            (Status.COMMAND_EXECUTING, command.executing),
            (Status.COMMAND_COMPLETE, command.complete),
            (Status.COMMAND_FAILED, command.refused),
            (Status.PLC_SILENT, not self._plc_is_heard(now_host_ns)),
        )
        word = Status(0)
        for bit, level in bits:
            if level:
                word |= bit
        return word

"""The station's port to its PLC: what the line tells it, what it asks of the line, and what its silence does."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple, Protocol

from inspection.alarms import Severity, blocks, severity_of
from inspection.challenge import INTERLOCK_ALARMS
from inspection.control import ActiveAlarm, State
from inspection.part import Reason, Verdict
from inspection.plc.errors import PlcMissingError
from inspection.plc.handshake import Handshake, StationLook, Timing
from inspection.plc.map import FAULT_CODES, NO_SCORE, OTHER_ALARM, Command, ResultCode, result_code
from inspection.plc.options import PlcOptions
from inspection.records.record import StoredRecord
from inspection.state_machine import EXECUTING, OPERATIONAL

if TYPE_CHECKING:
    from inspection.plc.server import ModbusServer

_UP = OPERATIONAL | {State.ERROR}


class StationPort(Protocol):
    """What a PLC may ask of the station; called on the port's own threads, may block and raise."""

    def start_line(self) -> None:
        """Start inspecting; raises when the present state does not allow it."""

    def stop_line(self) -> None:
        """Stop inspecting, after the parts in flight."""

    def confirm(self) -> None:
        """Take back the messages about single parts."""

    def trigger(self) -> bool:
        """Have the camera make a picture; True once its part is known; False or an error when none is made."""


class _Born(NamedTuple):
    """A part that has triggered, and when."""

    part: int
    host_ns: int


_Told = _Born | list[StoredRecord] | StationLook


def check_installed() -> None:
    """Raise PlcMissingError when the extra that speaks Modbus is not installed."""
    if find_spec("pymodbus") is None:
        raise PlcMissingError(
            "plc.enabled is true, but pymodbus is not installed — it comes with the extra lineward[plc] — install it "
            "with: pip install 'lineward[plc]', or set plc.enabled = false"
        )


class PlcPort:
    """Serves one PLC. Owned by the station; every method may be called from any thread and none waits for the PLC.

    What the line tells goes through a bounded inbox without a lock to the thread "plc", which alone touches the
    handshake. A full inbox refuses what is told and counts it: the part's window then ends in LATE.
    """

    _INBOX = 10_000

    def __init__(
        self,
        options: PlcOptions,
        station: StationPort,
        *,
        travel_s: float,
        classes: Sequence[str],
        bundle_digest: str,
        on_silence: Callable[[str], None],
        on_failure: Callable[[str], None],
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """travel_s: photo-eye to ejector. on_silence: told why when the PLC falls silent, '' when it is back.

        Raises PlcMissingError.
        """
        check_installed()
        self._options = options
        self._station = station
        self._classes = {name: place for place, name in enumerate(classes, 1)}
        self._on_silence = on_silence
        self._on_failure = on_failure
        self._clock_ns = clock_ns
        self._timing = Timing(
            window_ns=options.window_ns(travel_s),
            plc_timeout_ns=round(options.plc_timeout_ms * 1e6),
            heartbeat_ns=round(options.heartbeat_ms * 1e6),
            results_capacity=options.results_capacity,
            bundle_id=int(bundle_digest[:8] or "0", 16),
        )
        self._inbox: deque[_Told] = deque()
        self._refused = 0
        self._silences = 0
        self._was_silent = False
        self._calls = ThreadPoolExecutor(2, thread_name_prefix="plc-call")
        self._answers: deque[Callable[[], None]] = deque()
        self._server: ModbusServer | None = None
        self.bound = ""

    def open(self) -> str:
        """Open the port and serve; return where (`host:port`, or the serial port). Raises PlcOpenError."""
        from inspection.plc.device import StationDevice
        from inspection.plc.server import ModbusServer

        self._handshake = Handshake(self._timing, self._clock_ns())
        self._device = StationDevice(self._handshake, self._settled_ns, self._carry_on)
        self._server = ModbusServer(self._options, self._device, self._tick, self._on_failure)
        self.bound = self._server.start()
        return self.bound

    def close(self) -> None:
        """End every connection, which tells the PLC that the station is gone. Idempotent and bounded."""
        if self._server is not None:
            self._server.stop()
        self._calls.shutdown(wait=False, cancel_futures=True)

    # ------------------------------------------------------------ what the line tells

    def on_trigger(self, part: int, host_ns: int) -> None:
        """Tell that a part has triggered."""
        self._tell(_Born(part, host_ns))

    def on_results(self, records: Iterable[StoredRecord]) -> None:
        """Tell the results that have become durable."""
        self._tell(list(records))

    def on_recipe(self, classes: Sequence[str], bundle_digest: str) -> None:
        """Tell which model judges from now on."""
        self._classes = {name: place for place, name in enumerate(classes, 1)}
        self._answers.append(lambda: self._handshake.judged_by(int(bundle_digest[:8] or "0", 16)))

    def on_state(self, state: State, alarms: Sequence[ActiveAlarm]) -> None:
        """Tell how the station is, the gravest alarm first; the station must call it several times a second."""
        codes = [_fault_code(alarm.name) for alarm in alarms if severity_of(alarm.name) > Severity.INFO]
        blocking = {alarm.name for alarm in alarms if alarm.blocks or blocks(alarm.name)}
        blocked = state is State.ERROR or bool(blocking)
        running = state in EXECUTING
        challenged = bool(blocking) and blocking <= INTERLOCK_ALARMS
        self._tell(StationLook(state in _UP, running, blocked, codes[0] if codes else 0, challenged))

    def counters(self) -> Mapping[str, int]:
        """Return what was counted; the page shows it."""
        if self._server is None:
            return {}
        handshake, results = self._handshake, self._handshake.results
        return {
            "plc_acknowledged": results.acknowledged,
            "plc_waiting": len(results),
            "plc_results_lost": results.lost,
            "plc_late": handshake.late,
            "plc_answers_ignored": handshake.answers_ignored,
            "plc_triggers_missed": handshake.triggers_missed,
            "plc_stray_acks": results.stray_acks,
            "plc_silences": self._silences,
            "plc_requests": self._device.requests,
            "plc_inbox_refused": self._refused,
            "plc_reopened": self._server.reopened,
        }

    def _tell(self, what: _Told) -> None:
        if len(self._inbox) >= self._INBOX:
            self._refused += 1
            return
        self._inbox.append(what)

    # ------------------------------------------------------------- on the thread "plc"

    def _tick(self) -> None:
        now_host_ns = self._settled_ns()
        self._handshake.advance(now_host_ns)
        self._look_for_silence(now_host_ns)
        self._carry_on()

    def _carry_on(self) -> None:
        """Pass on what the PLC asks for; called after each of its writes, so that a Trigger waits for no tick."""
        if self._handshake.take_trigger():
            self._call(self._station.trigger, self._handshake.trigger_done)
        command = self._handshake.take_command()
        if command is not None:
            self._call(lambda: self._carry_out(command), self._handshake.command_done)

    def _settled_ns(self) -> int:
        """Pass what was told on to the handshake; return the present moment."""
        now_host_ns = self._clock_ns()
        for _ in range(len(self._inbox)):
            self._hear(self._inbox.popleft(), now_host_ns)
        while self._answers:
            self._answers.popleft()()
        return now_host_ns

    def _hear(self, what: _Told, now_host_ns: int) -> None:
        if isinstance(what, StationLook):
            self._handshake.station(what, now_host_ns)
        elif isinstance(what, _Born):
            self._handshake.triggered(what.part, what.host_ns, now_host_ns)
        else:
            for record in what:
                self._hear_result(record, now_host_ns)

    def _hear_result(self, record: StoredRecord, now_host_ns: int) -> None:
        passed = record.verdict is Verdict.PASS and record.reason is Reason.NONE
        code = ResultCode.PASSED if passed else result_code(record.reason)
        score = NO_SCORE if record.score is None else round(min(max(record.score, 0.0), 1.0) * 1000)
        place = self._classes.get(record.defect_class, 0)
        self._handshake.result(record.part, passed, code, score, 0 if passed else place, now_host_ns)

    def _look_for_silence(self, now_host_ns: int) -> None:
        silent = self._handshake.plc_is_silent(now_host_ns)
        if silent and not self._was_silent:
            self._silences += 1
            self._on_silence(f"{self.bound}: no new heartbeat for {self._options.plc_timeout_ms:g} ms")
        elif self._was_silent and not silent:
            self._on_silence("")
        self._was_silent = silent

    def _call(self, what: Callable[[], bool], answer: Callable[[bool], None]) -> None:
        """Ask the station on a thread that may wait; its answer comes back through the deque. One of each at a time."""
        future = self._calls.submit(what)
        future.add_done_callback(
            lambda done: self._answers.append(
                lambda: answer(not done.cancelled() and done.exception() is None and done.result())
            )
        )

    def _carry_out(self, command: Command) -> bool:
        if command is Command.CONFIRM_ALARMS:
            self._station.confirm()
            return True
        if not self._options.commands:
            return False
        if command is Command.START_LINE:
            self._station.start_line()
        else:
            self._station.stop_line()
        return True


def _fault_code(name: str) -> int:
    return FAULT_CODES.get(name, OTHER_ALARM)

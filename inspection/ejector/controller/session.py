"""The host's half of the protocol on one open line: greeting, configuring, arming, verdicts until they are answered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from inspection.ejector.controller.frame import Frame, encode
from inspection.ejector.controller.wire import (
    PROTOCOL_VERSION,
    Ack,
    Config,
    Info,
    State,
    Status,
    StatusReport,
    Type,
    arm,
    hello,
    verdict,
)

MS = 1_000_000
_AGAIN_NS = 250 * MS  # a greeting, a configuration or an arming without an answer is told again
_VERDICT_AGAIN_NS = 40 * MS
CONFIG_FIELDS = Config._fields


class Session:
    """One conversation with one controller; a new one begins with each opening of the port and each reset of it.

    Pure: bytes leave through `write`, times are handed in. Owned by the driver's thread.
    """

    def __init__(self, config: Config, write: Callable[[bytes], None], sequence: int = 0) -> None:
        self._config = config
        self._write = write
        self._sequence = sequence
        self.info: Info | None = None
        self.status: StatusReport | None = None
        self.ready = False  # greeted and configured
        self.armed = False
        self.refusal = ""  # why the controller can never be used as it is
        self.refused = Counter[str]()
        self._told_ns: int | None = None
        self._arm_told_ns: int | None = None
        self._heartbeat_ns: int | None = None
        self._unanswered: dict[int, tuple[int, bool, int]] = {}  # tag: epoch, passed, when it was told

    @property
    def unanswered(self) -> bool:
        """Whether a verdict was told that the controller has not answered yet."""
        return bool(self._unanswered)

    def tell(self, message: tuple[int, bytes]) -> None:
        """Send one message."""
        self._sequence = (self._sequence + 1) % 256
        self._write(encode(Frame(message[0], self._sequence, message[1])))

    def begin(self) -> None:
        """Clear the line: whatever was cut off before ends here."""
        self._write(b"\0")

    def tick(self, now_ns: int, alive: bool) -> None:
        """Say what is due: the next step of the greeting, the arming, the heartbeat, verdicts without an answer."""
        if self.refusal:
            return
        if not self.ready:
            if self._told_ns is None or now_ns - self._told_ns >= _AGAIN_NS:
                self._told_ns = now_ns
                self.tell(hello() if self.info is None else (Type.CONFIG, self._config.payload()))
            return
        if alive and not self.armed and (self._arm_told_ns is None or now_ns - self._arm_told_ns >= _AGAIN_NS):
            assert self.info is not None
            self._arm_told_ns = now_ns
            self.tell(arm(self.info.boot_id))
        period_ns = self._config.heartbeat_timeout_ms * MS // 4
        if alive and (self._heartbeat_ns is None or now_ns - self._heartbeat_ns >= period_ns):
            self._heartbeat_ns = now_ns
            self.tell((Type.HEARTBEAT, b""))
        for tag, (epoch, passed, told_ns) in list(self._unanswered.items()):
            if now_ns - told_ns >= _VERDICT_AGAIN_NS:
                self.judge(tag, epoch, passed, now_ns)

    def next_ns(self, now_ns: int) -> int:
        """Return when `tick` is wanted again at the latest."""
        wait_ns = self._config.heartbeat_timeout_ms * MS // 8
        return now_ns + min(wait_ns, _VERDICT_AGAIN_NS if self._unanswered else _AGAIN_NS // 5)

    def judge(self, tag: int, epoch: int, passed: bool, now_ns: int) -> None:
        """Tell a verdict, again and again until it is answered."""
        self._unanswered[tag] = (epoch, passed, now_ns)
        self.tell(verdict(tag, epoch, passed))

    def settled(self, tag: int) -> None:
        """Forget a part's verdict: its report has come."""
        self._unanswered.pop(tag, None)

    def informed(self, info: Info) -> None:
        """Take INFO: the greeting's answer."""
        self.info = info
        self._told_ns = None
        if info.version != PROTOCOL_VERSION:
            self.refusal = (
                f"the controller speaks version {info.version} of the protocol, this program version "
                f"{PROTOCOL_VERSION} — both must be the same — load firmware {PROTOCOL_VERSION}.x into the controller"
            )

    def answered(self, ack: Ack) -> None:
        """Take the answer to one of our messages."""
        status = ack.status
        if ack.type == Type.VERDICT:
            self._unanswered.pop(ack.detail, None)
            if status != Status.OK:
                self.refused[_name(status)] += 1
        elif ack.type == Type.CONFIG:
            self._configured(status, ack.detail)
        elif ack.type == Type.ARM:
            self.armed = status == Status.OK
        elif ack.type == Type.HELLO and status == Status.WRONG_VERSION:
            self.refusal = (
                self.refusal or "the controller speaks another version of the protocol — load its firmware anew"
            )

    def compared(self, report: StatusReport) -> None:
        """Take STATUS: what the controller itself holds to be its state."""
        self.status = report
        self.armed = self.ready and report.state == State.ARMED
        if report.state == State.UNCONFIGURED:
            self.ready = False

    def _configured(self, status: int, detail: int) -> None:
        if status == Status.OK:
            self.ready = True
        elif status == Status.NOT_NOW:  # armed with another configuration by somebody before us
            self.tell((Type.DISARM, b""))
            self._told_ns = None
        elif status == Status.BAD_VALUE:
            field = CONFIG_FIELDS[detail - 1] if 0 < detail <= len(CONFIG_FIELDS) else str(detail)
            value = getattr(self._config, field, "?")
            self.refusal = (
                f"the controller refuses the configuration: {field} is {value} — see docs/controller-protocol.md for "
                "its limits — change the ejector's settings"
            )
        elif status == Status.WRONG_VERSION:
            self.info = None  # it was reset between greeting and configuration: begin again
            self._told_ns = None


def _name(status: int) -> str:
    return Status(status).name.lower() if status in set(Status) else f"status_{status}"

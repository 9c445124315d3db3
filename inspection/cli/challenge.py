"""`lineward challenge`: run marked known-bad parts through the running line, and demand that each is ejected."""

from __future__ import annotations

import getpass
import json
import signal
import threading
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from inspection.api.address import DEFAULT_ADDRESS
from inspection.challenge.options import MAX_OPERATOR
from inspection.cli.station_option import client_of
from inspection.plain_text import unprintable

if TYPE_CHECKING:
    from inspection.api import v1 as pb
    from inspection.api.client import StationClient

_PROOFS = {
    "EJECTED": "[green]ejected[/]",
    "CALLED_OK": "[bold red]NOT EJECTED[/]: the model found nothing, only the challenge rejected it",
    "NOT_JUDGED": "[bold red]NOT EJECTED[/]: the model did not judge it",
    "NOT_FIRED": "[bold red]NOT EJECTED[/]: the ejector did not eject it inside its window",
}
_ENDINGS = {
    "COMPLETE": "every part has its record",
    "CANCELLED": "it was cancelled",
    "TIMED_OUT": "not all parts came in time (challenge.timeout_s)",
    "LINE_STOPPED": "the line was stopped",
    "STATION_ENDED": "the station ended",
}


def challenge(
    station: Annotated[str, typer.Option(metavar="ADDRESS", help="The station's API.")] = DEFAULT_ADDRESS,
    parts: Annotated[
        int, typer.Option(min=0, help="How many known-bad parts; 0: as configured, fewer are refused.")
    ] = 0,
    operator: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Who lays the parts; goes into the record. Absent: who is logged in."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for each event.")] = False,
) -> None:
    """Demand that each of the next parts is judged NOT_OK by the model and ejected; exit 0 only when all were."""
    name = _login() if operator is None else _checked_operator(operator)
    show = _JsonEvents() if as_json else _Terminal()
    with client_of(station) as client:
        watch = _CancelOnSignal(client)
        last: pb.Challenge | None = None
        for now in client.challenge(parts, name):
            watch.runs(now.name)
            show.changed(last, now)
            last = now
    if last is None or not show.ended(last):
        raise typer.Exit(1)


class _CancelOnSignal:
    """Gives the challenge up at the station on Ctrl-C or SIGTERM, and goes on to its end; the next signal ends us."""

    def __init__(self, client: StationClient) -> None:
        self._client = client
        self._name = ""
        self._known = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)

    def runs(self, name: str) -> None:
        """Take the name of our challenge, so that nobody else's is cancelled."""
        self._name = name
        self._known.set()

    def _on_signal(self, _number: int, _frame: object) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        threading.Thread(target=self._cancel, name="cancel", daemon=True).start()

    def _cancel(self) -> None:
        from inspection.api.errors import ApiError

        self._known.wait()
        try:
            self._client.cancel_challenge(self._name)
        except ApiError as error:
            Console(stderr=True).print(f"not cancelled: {error}", markup=False)


class _Terminal:
    """Says in words what to lay and what became of it."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True)

    def changed(self, before: pb.Challenge | None, now: pb.Challenge) -> None:
        """Tell what is new since `before`."""
        if before is None:
            self._console.print(
                f"Challenge {now.name}: lay these {now.parts} known-bad parts on the belt, one after another, and "
                f"nothing else: {escape(', '.join(now.marks))}. Nothing passes until it has ended; Ctrl-C cancels it."
            )
        elif now.phase != before.phase and _word(now, "phase") == "ENDING":
            self._console.print("[yellow]given up[/]: waiting for the marked parts that are on the belt")
        for finding in now.findings[len(before.findings) if before is not None else 0 :]:
            score = f", score {finding.score:.4f}" if finding.HasField("score") else ""
            self._console.print(
                f"  part {finding.place} of {now.parts} ({escape(finding.mark)}, trigger {finding.part}): "
                f"{_PROOFS[_word(finding, 'proof')]}{score}"
            )

    def ended(self, now: pb.Challenge) -> bool:
        """Tell how it ended; True when it was passed."""
        outcome, ejected = _word(now, "outcome"), _ejected(now)
        colour = {"PASSED": "bold green", "FAILED": "bold red"}.get(outcome, "bold yellow")
        self._console.print(
            f"[{colour}]{outcome}[/]: {ejected} of {now.parts} parts were ejected; {_ENDINGS[_word(now, 'ending')]}"
        )
        return outcome == "PASSED"


class _JsonEvents:
    """Prints begun, finding, given_up and ended, one object a line."""

    def changed(self, before: pb.Challenge | None, now: pb.Challenge) -> None:
        """Print what is new since `before`."""
        if before is None:
            self._print("begun", challenge=now.name, operator=now.operator, parts=now.parts, marks=list(now.marks))
        elif now.phase != before.phase and _word(now, "phase") == "ENDING":
            self._print("given_up", ending=_word(now, "ending"))
        for finding in now.findings[len(before.findings) if before is not None else 0 :]:
            self._print(
                "finding",
                place=finding.place,
                mark=finding.mark,
                part=finding.part,
                proof=_word(finding, "proof"),
                score=finding.score if finding.HasField("score") else None,
                sequence=finding.sequence,
                record_hash=finding.record_hash,
            )

    def ended(self, now: pb.Challenge) -> bool:
        """Print how it ended; True when it was passed."""
        outcome = _word(now, "outcome")
        told = {"outcome": outcome, "ending": _word(now, "ending"), "ejected": _ejected(now), "parts": now.parts}
        self._print("ended", ok=outcome == "PASSED", challenge=now.name, **told)
        return outcome == "PASSED"

    @staticmethod
    def _print(event: str, **values: Any) -> None:
        print(json.dumps({"event": event, **values}, ensure_ascii=False), flush=True)


def _word(message: Any, field: str) -> str:
    """Return the plain name of an enum field, without its prefix."""
    enum = message.DESCRIPTOR.fields_by_name[field].enum_type
    prefix = enum.values_by_number[0].name.removesuffix("UNSPECIFIED")
    return str(enum.values_by_number[getattr(message, field)].name.removeprefix(prefix))


def _ejected(now: pb.Challenge) -> int:
    return sum(_word(finding, "proof") == "EJECTED" for finding in now.findings)


def _checked_operator(name: str) -> str:
    """Return the name as it goes into the record. Raises BadParameter for none, and for what would spoil a log."""
    if name.strip() and not unprintable(name) and len(name) <= MAX_OPERATOR:
        return name.strip()
    raise typer.BadParameter(
        f"is {name[:70]!r} — a name of 1 to {MAX_OPERATOR} printable characters is needed, since the record keeps it — "
        "give one, or leave --operator out to be named as you are logged in",
        param_hint="--operator",
    )


def _login() -> str:
    try:
        return getpass.getuser()[:MAX_OPERATOR]
    except (OSError, KeyError):
        return "unknown"

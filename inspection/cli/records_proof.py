"""`lineward records verify`, `key` and `signatures`: the proof that stored records are what the station wrote."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from inspection.cli.records_folder import DEFAULT_DIR, Dir, Json, counted, print_json
from inspection.disk_errors import remedy
from inspection.new_file import new_file
from inspection.plain_text import printable
from inspection.records.entries import EntryKind
from inspection.records.errors import SigningKeyError
from inspection.records.reader import RecordReader
from inspection.records.signing import fingerprint, public_pem, read_public_keys, stored_public_key
from inspection.records.verify import Trust, VerifyReport, verify
from inspection.records.verify_signatures import read_signatures

_PAGE = 500


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module to a group."""
    app.command("verify")(verify_records)
    app.command("key")(show_key)
    app.command("signatures")(list_signatures)


def verify_records(
    directory: Dir = DEFAULT_DIR,
    public_key: Annotated[
        Path | None, typer.Option(help="Public keys as PEM, kept outside the station: every signature must be by one.")
    ] = None,
    signatures: Annotated[
        Path | None, typer.Option(help="Signatures kept outside the station: none of what they sign may be missing.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check every record against chain and signatures, and every image; exit 1 when one is wrong."""
    trust = Trust(
        None if public_key is None else read_public_keys(public_key),
        () if signatures is None else read_signatures(signatures),
        "" if signatures is None else signatures.name,
    )
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    hidden = as_json or not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as progress:
        task = progress.add_task("database", total=None)

        def tell(done: int, total: int) -> None:
            progress.update(task, description="records", completed=done, total=total)

        report = verify(directory, tell, trust)
    compared = held_against(trust, public_key)
    if as_json:
        print_json({"dir": str(directory), **report_fields(report), "compared": compared})
    else:
        print_report(report, directory, compared)
    if not report.ok:
        raise typer.Exit(1)


def held_against(trust: Trust, public_key: Path | None) -> list[str]:
    """Return in words what from outside the station the store was held against."""
    told = [f"public key {fingerprint(one)} of {public_key}" for one in trust.keys or ()]
    if trust.source:
        count = sum(bool(line.strip()) for line in trust.signatures)
        told.append(
            f"{counted(count, 'signature')} of {trust.source}" if count else f"none: {trust.source} holds no signature"
        )
    return told


def show_key(
    directory: Dir = DEFAULT_DIR,
    out: Annotated[Path | None, typer.Option(help="Write the public key to this new file, too.")] = None,
    as_json: Json = False,
) -> None:
    """Show the public key that the records are signed with, for an auditor to keep; nothing is made or changed."""
    RecordReader(directory).close()  # a folder that is none is refused
    public = stored_public_key(directory)
    pem, name = public_pem(public), fingerprint(public)
    if out is not None:
        _write_new(out, pem)
    if as_json:
        print_json({"fingerprint": name, "public_key": pem})
        return
    typer.echo(f"{pem}sha256 fingerprint {name}")


def _write_new(file: Path, text: str) -> None:
    try:
        with new_file(file) as new:
            new.write(text.encode("ascii"))
    except FileExistsError:
        raise SigningKeyError(f"{file}: is there already — nothing is ever overwritten — name a new file") from None
    except OSError as error:
        raise SigningKeyError(f"{file}: cannot be written: {error.strerror} — {remedy(error)}") from error


def list_signatures(directory: Dir = DEFAULT_DIR) -> None:
    """Print every signature, one JSON object a line, the oldest first: kept elsewhere, they tell of a removed end."""
    reader = RecordReader(directory)
    try:
        at = 0
        while page := reader.entries(kind=EntryKind.SIGNATURE, after=at, limit=_PAGE):
            for one in page:
                typer.echo(json.dumps(dict(one.entry.content), separators=(",", ":")))
            at = page[-1].sequence
    finally:
        reader.close()


def report_fields(report: VerifyReport) -> dict[str, Any]:
    """Return what a check found in plain values."""
    fields = dataclasses.asdict(report)
    fields["signed"]["day"] = report.signed.day
    return {"ok": report.ok, **fields}


def print_report(report: VerifyReport, directory: Path, compared: Sequence[str] = ()) -> None:
    """Print what a check found, for people."""
    console = Console(highlight=False)

    def say(text: str) -> None:
        console.print(text, markup=False, soft_wrap=True)  # no line is broken: a hash is looked for as a whole

    say(
        f"{directory}: {counted(report.records, 'record')} (head {report.head}), {counted(report.images, 'image')}, "
        f"{counted(report.images_removed, 'image')} removed by rule, {counted(report.challenges, 'challenge')}, "
        f"{counted(report.entries, 'entry', 'entries')}"
    )
    _print_signed(report, say)
    for one in compared:
        say(f"held against {one}")
    for note in report.signed.notes:
        console.print(f"  [yellow]note[/] {escape(printable(note))}", soft_wrap=True)
    for problem in report.problems:
        say(f"  {printable(problem.text)}")
    if report.problem_count > len(report.problems):
        say(f"  … and {report.problem_count - len(report.problems)} more")
    console.print("[green]intact[/]" if report.ok else f"[red]{counted(report.problem_count, 'problem')}[/]")


def _print_signed(report: VerifyReport, say: Callable[[str], None]) -> None:
    """Tell through which day and by which keys the records are signed, and how much is not."""
    signed = report.signed
    if not signed.signatures:
        say("nothing is signed yet: whoever can write to the disk can forge all of it")
        return
    moment = datetime.fromtimestamp(signed.wall_ns // 10**9, UTC).isoformat(sep=" ").removesuffix("+00:00")
    say(
        f"signed through {signed.day} ({moment} UTC): record {signed.records}, "
        f"{counted(signed.signatures, 'signature')}"
    )
    for key in signed.keys:
        say(f"  by key {key}")
    records, entries = (
        max(report.records - signed.records, 0),
        max(report.entries - signed.entries - 1, 0),
    )  # not itself
    if records or entries:
        told = f"{counted(records, 'record')} and {counted(entries, 'entry', 'entries')}"
        say(f"  {told} behind it are not signed yet:")
        say("  whoever can write to the disk can forge those, without the key, too")

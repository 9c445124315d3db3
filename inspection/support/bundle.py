"""A support bundle: one zip file with all that helps to help, and nothing that is secret."""

from __future__ import annotations

import json
import tomllib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from inspection.config import StationConfig, parse_config
from inspection.errors import ConfigError, StationError
from inspection.new_file import new_file
from inspection.observability.logs import log_files
from inspection.observability.options import LogOptions
from inspection.support import facts
from inspection.support.gather import Answer, Ask, gather
from inspection.support.secrets import Scrubber, environment_secrets, secret_values, without_secrets

_TIMEOUT_S = 20.0
_ABOUT = """\
A support bundle of Lineward. contents.json lists what is in it and what could not be had.
Secrets are taken out: settings whose names tell of one, credentials in addresses, and these values wherever they stand.
It does hold names of this machine, its folders, parts, lots and serial numbers. Look through it before you send it.
"""


@dataclass(frozen=True, slots=True)
class Packed:
    """What was packed: each file with its size, and what is missing with the reason."""

    file: Path
    size_bytes: int
    contents: dict[str, int]
    missing: dict[str, str]


def pack(station: Path | None, out: Path, images: int, environment: Mapping[str, str]) -> Packed:
    """Write a bundle; it takes some seconds whatever is broken. Raises StationError where `out` is there already,
    where its folder is not, or the station's file.
    """
    if out.exists():
        raise StationError(f"{out}: is there already — a new file is written — choose another name")
    if not out.absolute().parent.is_dir():
        raise StationError(f"{out}: its folder is not there — a file is written into one that is — name another place")
    if station is not None and not station.is_file():
        raise StationError(
            f"{station}: is not there — the station's TOML file is needed for its records, log and model — name it, or "
            "leave it out to pack what tells of this machine alone"
        )
    answers = [Answer("README.txt", _ABOUT.encode())]
    values, config, answer = _settings(station)
    scrubber = Scrubber({*secret_values(values, environment), *environment_secrets(environment)})
    answers += [] if answer is None else [answer]
    answers += gather(_questions(values, config, images), _TIMEOUT_S)
    entries = dict(_entries(answers))
    clean = {name: _clean(name, content, scrubber) for name, content in entries.items()}
    missing = {one.name: scrubber.text(one.trouble) for one in answers if one.trouble}
    contents = {name: len(content) for name, content in clean.items()}
    clean["contents.json"] = json.dumps({"contents": contents, "missing": missing}, indent=1).encode()
    _write(out, clean)
    return Packed(out, out.stat().st_size, contents, missing)


def _settings(station: Path | None) -> tuple[dict[str, Any], StationConfig | None, Answer | None]:
    """Read the station's file: its values, what they mean if they are sound, and what of them may be shown."""
    if station is None:
        return {}, None, None
    try:
        text = station.read_text("utf-8-sig")
        values = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        # its text may hold a secret anywhere, and the error may quote it
        return {}, None, Answer("configuration.json", trouble="the file cannot be read as TOML; run `config check`")
    shown: dict[str, Any] = {"settings": without_secrets(values)}
    config = None
    try:
        config = parse_config(text, station.name)
    except ConfigError as error:
        secrets = Scrubber(set(secret_values(values, {})))
        shown["problems"] = secrets.text(str(error)).splitlines()
    return values, config, Answer("configuration.json", json.dumps(shown, indent=1, default=str).encode())


def _questions(values: Mapping[str, Any], config: StationConfig | None, images: int) -> dict[str, Ask]:
    folder = Path(_found(values, "records", "dir") or "lineward-data").expanduser()
    files = log_files(_log_options(values))
    questions: dict[str, Ask] = {
        "versions.json": facts.versions,
        "doctor.json": partial(facts.findings, folder),
        "records.json": partial(facts.last_records, folder),
        "disk.json": partial(facts.disk, folder),
    }
    if files:
        questions["log.txt"] = partial(facts.log_text, files)
        questions["alarms.txt"] = lambda: facts.alarm_lines(facts.log_text(files))
    if (reference := _found(values, "model", "bundle")) is not None:
        questions["model.json"] = partial(facts.model_hashes, reference)
    if config is not None and config.api.enabled:
        questions["status.json"] = partial(facts.api_status, config.api.address)
    if config is not None and config.metrics.enabled:
        questions["metrics.txt"] = partial(facts.scrape, *config.metrics.listens_on)
    if images:
        questions["images"] = lambda: _framed(list(facts.newest_images(folder, images)))
    return questions


def _found(values: Mapping[str, Any], table: str, key: str) -> str | None:
    """Return one text of the file, be the rest of it sound or not."""
    section = values.get(table)
    found = section.get(key) if isinstance(section, Mapping) else None
    return found if isinstance(found, str) else None


def _log_options(values: Mapping[str, Any]) -> LogOptions:
    file = _found(values, "log", "file")
    return LogOptions(file=None if file is None else Path(file).expanduser(), files=100)


def _framed(images: list[tuple[str, bytes]]) -> bytes:
    """Join several files to one answer: a line of JSON with names and sizes, then their bytes."""
    head = json.dumps([(name, len(content)) for name, content in images]).encode()
    return head + b"\n" + b"".join(content for _, content in images)


def _entries(answers: list[Answer]) -> list[tuple[str, bytes]]:
    entries: list[tuple[str, bytes]] = []
    for answer in answers:
        if answer.trouble:
            continue
        if answer.name != "images":
            entries.append((answer.name, answer.content))
            continue
        head, _, rest = answer.content.partition(b"\n")
        for name, size in json.loads(head):
            entries.append((name, rest[:size]))
            rest = rest[size:]
    return entries


def _clean(name: str, content: bytes, scrubber: Scrubber) -> bytes:
    if name.startswith("images/"):
        return content
    return scrubber.text(content.decode("utf-8", "backslashreplace")).encode("utf-8", "backslashreplace")


def _write(out: Path, entries: Mapping[str, bytes]) -> None:
    """Write the whole file or none, readable for its owner alone."""
    with new_file(out, 0o600) as opened, zipfile.ZipFile(opened, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)

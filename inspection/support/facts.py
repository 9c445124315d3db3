"""What goes into a support bundle, each from where it is: files, the records, the running station, the machine."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, build_opener

from inspection.records.errors import RecordLostError
from inspection.records.reader import RecordReader
from inspection.records.record import StoredRecord
from inspection.records.search import Search

_LOG_BYTES = 5_000_000
_RECORDS = 200
_ANSWER_S = 3.0
_SCRAPE_BYTES = 5_000_000


def versions() -> str:
    """Return what is installed, and on what."""
    names = {one.metadata["Name"]: one.version for one in metadata.distributions() if one.metadata["Name"]}
    machine = {
        "lineward": metadata.version("lineward"),
        "python": sys.version,
        "platform": platform.platform(),
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", ""),
        "processors": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "packages": dict(sorted(names.items(), key=lambda item: item[0].lower())),
    }
    return _json(machine)


def findings(folder: Path) -> str:
    """Return what `lineward doctor` finds on this machine."""
    from inspection.doctor import examine

    return _json([finding.as_json() for finding in examine(folder)])


def log_text(files: list[Path]) -> str:
    """Return the end of the log, over the files before it, the oldest line first."""
    chunks: list[bytes] = []
    left = _LOG_BYTES
    for file in files:
        with file.open("rb") as opened:
            opened.seek(max(0, file.stat().st_size - left))
            chunks.insert(0, opened.read(left))
        left -= len(chunks[0])
        if left <= 0:
            break
    return b"".join(chunks).decode("utf-8", "backslashreplace")


def alarm_lines(log: str) -> str:
    """Return the last lines of a log that tell of alarms."""
    lines = [line for line in log.splitlines() if '"alarm":' in line or ": alarm " in line]
    return "\n".join(lines[-_RECORDS:])


def last_records(folder: Path) -> str:
    """Return the newest records without their pictures, and how the parts of the newest run ended."""
    reader = RecordReader(folder)
    try:
        page = reader.page(Search(), limit=_RECORDS)
        records = [one for one in page if not isinstance(one, RecordLostError)]
        runs = {record.run: reader.counts(record.run) for record in records[:1]}
    finally:
        reader.close()
    reasons = Counter(str(record.reason) for record in records)
    return _json(
        {
            "last_sequence": _number(page[0]) if page else 0,
            "newest_run": {run: vars_of(counts) for run, counts in runs.items()},
            "reasons_of_the_newest": dict(reasons),
            "damaged": [str(one) for one in page if isinstance(one, RecordLostError)],
            "newest": [record._asdict() for record in records],
        }
    )


def _number(row: StoredRecord | RecordLostError) -> int:
    return row.row if isinstance(row, RecordLostError) else row.sequence


def vars_of(counts: Any) -> dict[str, Any]:
    """Return the fields of a small class with slots."""
    return {name: getattr(counts, name) for name in counts.__slots__}


def newest_images(folder: Path, count: int) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of the newest pictures that were kept, rejected parts first."""
    reader = RecordReader(folder)
    try:
        page = reader.page(Search(), limit=20 * count)
        records = [one for one in page if not isinstance(one, RecordLostError) and one.has_image]
        for record in sorted(records, key=lambda one: (one.verdict.value != "REJECT", -one.sequence))[:count]:
            image = reader.image(record.sequence)
            if image is not None:
                yield f"images/{record.sequence}-{record.reason}{Path(record.image_file).suffix}", image[0]
    finally:
        reader.close()


def disk(folder: Path) -> str:
    """Return how full the records' disk is, and what takes the space in their folder."""
    sizes: Counter[str] = Counter()
    for at, _, names in os.walk(folder):
        top = Path(at).relative_to(folder).parts[:1]
        for name in names:
            try:
                sizes[top[0] if top else name] += (Path(at) / name).stat().st_size
            except OSError:
                continue
    place = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    usage = shutil.disk_usage(place)
    return _json({"folder": str(folder), "free": usage.free, "total": usage.total, "bytes": dict(sizes)})


def model_hashes(reference: str) -> str:
    """Return size and sha256 of each file of a bundle."""
    from models.references import resolve_bundle

    place = resolve_bundle(reference)
    files = sorted(path for path in place.rglob("*") if path.is_file()) if place.is_dir() else [place]
    return _json(
        {str(file.relative_to(place.parent)): {"bytes": file.stat().st_size, "sha256": _sha256(file)} for file in files}
    )


def scrape(host: str, port: int) -> bytes:
    """Return the metrics of a station that runs. Raises OSError where none answers."""
    shown = f"[{host}]" if ":" in host else host
    with build_opener(ProxyHandler({})).open(f"http://{shown}:{port}/metrics", timeout=_ANSWER_S) as answer:
        return bytes(answer.read(_SCRAPE_BYTES))


def api_status(address: str) -> str:
    """Return what a running station says of itself, over its own socket where that is there: it needs no token.

    Raises CallError where none answers.
    """
    from google.protobuf.json_format import MessageToJson

    from inspection.api.client import StationClient
    from inspection.api.local_socket import local_address

    local = local_address(f"127.0.0.1:{address.rpartition(':')[2]}")
    with StationClient(local or address, timeout_s=_ANSWER_S) as client:
        return MessageToJson(client.status(), always_print_fields_with_no_presence=True)


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _json(what: Any) -> str:
    return json.dumps(what, indent=1, ensure_ascii=False, default=str)

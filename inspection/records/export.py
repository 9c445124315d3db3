"""Records as a table for other programs: Parquet, CSV or JSON, streamed, whole or not at all."""

from __future__ import annotations

import contextlib
import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from math import isfinite
from pathlib import Path
from typing import Any, BinaryIO, get_type_hints

from inspection.new_file import new_file
from inspection.records.errors import ExportError, RecordLostError
from inspection.records.reader import RecordReader
from inspection.records.record import StoredRecord
from inspection.records.search import Search

SUFFIXES = (".parquet", ".csv", ".json", ".jsonl")
TIME = "trigger_time_utc"
COLUMNS = (TIME, *StoredRecord._fields)
_INTEGERS = frozenset(name for name, kind in get_type_hints(StoredRecord).items() if kind in (int, int | None))
_REALS, _FLAGS = frozenset({"score", "threshold"}), frozenset({"by_default", "image_removed"})
_NESTED = frozenset({"extra", "batches"})
_PAGE = 2_000
_ROW_GROUP = 10_000
_OTHER_LINE_ENDS = str.maketrans({end: f"\\u{ord(end):04x}" for end in "\x85\u2028\u2029"})
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_NS = 10**9

Tell = Callable[[int], None]
"""How many records were written."""


def found(reader: RecordReader, search: Search, damaged: list[RecordLostError]) -> Iterator[StoredRecord]:
    """Yield the records that fit a search, the oldest trigger first, in short reads.

    damaged: gets what is wrong with those that cannot be read, which are left out.
    """
    behind: int | None = None
    while page := reader.page(search, limit=_PAGE, newest_first=False, before_sequence=behind):
        for one in page:
            if isinstance(one, RecordLostError):
                damaged.append(one)
            else:
                yield one
        behind = page[-1].row if isinstance(page[-1], RecordLostError) else page[-1].sequence


def export(records: Iterable[StoredRecord], out: Path, tell: Tell) -> int:
    """Write records to the new file `out`, in the form of its suffix, and return how many they were.

    Memory stays the same however many there are. The file has its name when all of it is on the disk. Raises
    ExportError (the file is there, another suffix, pyarrow is missing) and OSError; then there is no `out`.
    """
    write = _writers().get(out.suffix.lower())
    if write is None:
        raise ExportError(f"{out}: no table is written so — {', '.join(SUFFIXES)} are known — name such a file")
    with _whole(out) as file:
        return write(_counted(records, tell), file)


def _writers() -> dict[str, Callable[[Iterator[StoredRecord], BinaryIO], int]]:
    return {".parquet": _parquet, ".csv": _csv, ".json": _json_array, ".jsonl": _json_lines, ".ndjson": _json_lines}


@contextlib.contextmanager
def _whole(out: Path) -> Iterator[BinaryIO]:
    """Give a file that gets its name in the end; a name that is taken is refused."""
    if out.exists():
        raise _taken(out)
    if not out.absolute().parent.is_dir():
        raise ExportError(
            f"{out}: its folder is not there — a file is written into one that is — make it, or name another"
        )
    try:
        with new_file(out) as file:
            yield file
    except FileExistsError as error:
        raise _taken(out) from error


def _taken(out: Path) -> ExportError:
    return ExportError(f"{out}: is there already — nothing is ever overwritten — name a new file")


def _counted(records: Iterable[StoredRecord], tell: Tell) -> Iterator[StoredRecord]:
    count = 0
    for count, record in enumerate(records, 1):
        yield record
        if count % _PAGE == 0:
            tell(count)
    tell(count)


def iso_time(wall_ns: int) -> str:
    """Return a wall time (UTC nanoseconds since 1970) as ISO 8601 with all nine decimals."""
    seconds, rest_ns = divmod(wall_ns, _NS)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest_ns:09d}Z"


def _plain(record: StoredRecord) -> dict[str, Any]:
    """Return a record in JSON values; a score that is no number is null."""
    fields = {TIME: iso_time(record.trigger_wall_ns), **record._asdict()}
    fields["raw_scores"] = [score if isfinite(score) else None for score in record.raw_scores]
    return fields


def _json_lines(records: Iterator[StoredRecord], file: BinaryIO) -> int:
    count = 0
    for count, record in enumerate(records, 1):  # noqa: B007 - it is the count
        file.write(_line(record) + b"\n")
    return count


def _json_array(records: Iterator[StoredRecord], file: BinaryIO) -> int:
    file.write(b"[")
    count = 0
    for count, record in enumerate(records, 1):
        file.write((b"\n" if count == 1 else b",\n") + _line(record))
    file.write(b"\n]\n")
    return count


def _line(record: StoredRecord) -> bytes:
    """Return a record as JSON on one line, whatever a reader takes for the end of one."""
    return json.dumps(_plain(record), ensure_ascii=False, separators=(",", ":")).translate(_OTHER_LINE_ENDS).encode()


def _csv(records: Iterator[StoredRecord], file: BinaryIO) -> int:
    """Write RFC 4180 in UTF-8. A text that a spreadsheet would take for a formula gets an apostrophe in front."""
    text = io.TextIOWrapper(file, "utf-8", newline="", write_through=True)
    rows = csv.writer(text)
    rows.writerow(COLUMNS)
    count = 0
    for count, record in enumerate(records, 1):  # noqa: B007 - it is the count
        rows.writerow([iso_time(record.trigger_wall_ns), *map(_cell, record)])
    text.detach()
    return count


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return "'" + value if value.startswith(_FORMULA) else str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None or isinstance(value, int | float):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _parquet(records: Iterator[StoredRecord], file: BinaryIO) -> int:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise ExportError(
            f"Parquet: cannot be written: {error} — pyarrow is needed — pip install 'lineward[parquet]', or name a "
            ".csv or .jsonl file"
        ) from error
    schema = pa.schema([(name, _arrow(pa, name)) for name in COLUMNS])
    count = 0
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        while group := list(islice(records, _ROW_GROUP)):
            columns = [_column(group, name) for name in COLUMNS]
            arrays = [pa.array(cells, field.type) for cells, field in zip(columns, schema, strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            count += len(group)
    return count


def _arrow(pa: Any, name: str) -> Any:
    if name == TIME:
        return pa.timestamp("ns", tz="UTC")
    if name == "raw_scores":
        return pa.list_(pa.float64())
    if name in _INTEGERS:
        return pa.int64()
    return pa.float64() if name in _REALS else pa.bool_() if name in _FLAGS else pa.string()


def _column(group: Sequence[StoredRecord], name: str) -> list[Any]:
    if name == TIME:
        return [record.trigger_wall_ns for record in group]
    place = StoredRecord._fields.index(name)
    cells = [record[place] for record in group]
    if name in _NESTED:
        return [json.dumps(cell, ensure_ascii=False, separators=(",", ":")) for cell in cells]
    return [str(cell) if isinstance(cell, str) else cell for cell in cells]

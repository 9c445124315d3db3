"""What the in-flight journal remembers of a part, and journals that other versions left."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import pytest

from inspection.records.errors import JournalError
from inspection.records.journal import Journal, recover
from inspection.records.reader import RecordReader
from inspection.records.store import RecordStore
from inspection.records.verify import verify


@pytest.mark.parametrize(
    ("lot", "serial", "kept"),
    [
        ("L-1", "SN-0001", ("L-1", "SN-0001")),
        ("", "SN-0001", ("", "SN-0001")),
        ("L" * 64, "7" * 256, ("L" * 64, "7" * 256)),  # the longest that are allowed
        ("批" * 64, "件" * 256, ("批" * 64, "")),  # no room for both: the number is left out, not cut
        ("a\udc80", "\x00", ("a\\udc80", "\\x00")),  # as every record has it
    ],
)
def test_a_part_that_was_in_flight_keeps_its_lot_and_serial(
    tmp_path: Path, lot: str, serial: str, kept: tuple[str, str]
) -> None:
    """Its record, written by the next start, belongs to the lot that ran at its trigger."""
    store, journal = RecordStore(tmp_path), Journal(tmp_path)
    journal.born("r1", 7, 1, 3, 2, lot, serial)
    journal.close()
    assert recover(store, Journal(tmp_path)) == 1
    store.close()
    reader = RecordReader(tmp_path)
    [record] = reader.find(limit=9)
    assert (record.part, record.lot, record.serial) == (7, *kept)
    assert reader.find(lot=kept[0], limit=9) == [record]
    reader.close()
    assert verify(tmp_path).ok


def test_a_journal_of_the_first_format_is_recovered(tmp_path: Path) -> None:
    """A station is killed, and a newer version starts in its place: every readable part gets its record."""
    layout, entries = struct.Struct("<40sqqqqq"), []
    for part in (1, 2, 3):
        body = layout.pack(b"r1", part, part, part + 10, part + 5, 10**18)
        entries.append(body + struct.pack("<I", zlib.crc32(body) ^ (part == 2)))
    (tmp_path / "inflight-000001.journal").write_bytes(b"".join(entries) + bytes(84 * 8189))
    store = RecordStore(tmp_path)
    assert recover(store, Journal(tmp_path)) == 2
    store.close()
    reader = RecordReader(tmp_path)
    found = {record.part: (record.due_host_ns, record.lot) for record in reader.find(limit=9)}
    reader.close()
    assert found == {1: (11, ""), 3: (13, "")}
    assert not list(tmp_path.glob("inflight-*"))


def test_a_journal_of_a_newer_format_is_refused_and_left(tmp_path: Path) -> None:
    """What cannot be read is not taken for empty: its parts would never get a record."""
    file = tmp_path / "inflight-000001.journal"
    file.write_bytes(b"\0lineward in-flight 3\n" + bytes(1000))
    store = RecordStore(tmp_path)
    with pytest.raises(JournalError, match="a newer Lineward wrote this"):
        recover(store, Journal(tmp_path))
    store.close()
    assert file.exists()

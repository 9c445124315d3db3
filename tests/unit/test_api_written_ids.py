"""The request ids of the audit log: found as written, by this server or one before, without reading all of it again."""

from __future__ import annotations

from pathlib import Path

from entry_file import EntryFile

from inspection.api.written_ids import WrittenIds
from inspection.records.entries import Entry, EntryKind, StoredEntry


class CountingBook(EntryFile):
    """A book that counts the entries that were read from it."""

    entries_read = 0

    def entries(self, **filters: object) -> list[StoredEntry]:  # type: ignore[override]
        found = super().entries(**filters)  # type: ignore[arg-type]
        self.entries_read += len(found)
        return found


def note(book: EntryFile, request_id: str, phase: str, who: str = "mes") -> int:
    content = {"phase": phase, "request_id": request_id}
    return book.note(Entry(EntryKind.AUDIT, "/service/Method", who, 1, content)).sequence


def test_an_id_is_found_with_its_newest_entry_first(tmp_path: Path) -> None:
    """Those of before and those that are noted later; never another caller's."""
    book = EntryFile(tmp_path / "entries")
    before = [note(book, "one", "asked"), note(book, "one", "done")]
    ids = WrittenIds(book)
    assert [one.sequence for one in ids.find("mes", "one")] == before[::-1]
    assert ids.find("mes", "two") == ids.find("other", "one") == []
    asked = note(book, "two", "asked")
    assert [one.sequence for one in ids.find("mes", "two")] == [asked]
    note(book, "three", "done", "other")
    done = note(book, "two", "done")
    assert [one.sequence for one in ids.find("mes", "two")] == [done, asked]
    assert [one.sequence for one in ids.find("mes", "one")] == before[::-1]


def test_each_entry_is_read_once(tmp_path: Path) -> None:
    """However often is asked: what a long log costs, it costs once."""
    book = CountingBook(tmp_path / "entries")
    for number in range(50):
        note(book, f"id {number}", "done")
    ids = WrittenIds(book)
    for number in range(50):
        assert len(ids.find("mes", f"id {number}")) == 1
        note(book, f"new {number}", "done")
    assert book.entries_read == 99  # 50 of before, and what was new to each of the 49 that followed


def test_only_so_many_ids_are_kept(tmp_path: Path) -> None:
    """The oldest ones go; more that are new than are read at a time are all seen."""
    book = EntryFile(tmp_path / "entries")
    note(book, "first", "done")
    ids = WrittenIds(book, looked_back=3)
    assert ids.find("mes", "first")
    for number in range(10):
        note(book, f"id {number}", "done")
    assert [bool(ids.find("mes", f"id {number}")) for number in (6, 7, 8, 9)] == [False, True, True, True]
    assert not ids.find("mes", "first")

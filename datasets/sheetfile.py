"""A contact sheet as a file, in the form that its name asks for."""

from __future__ import annotations

from pathlib import Path

from datasets.contact import Sheet
from datasets.errors import DatasetError
from datasets.page import render_page
from datasets.poster import render_poster

_MOST = {".html": 1500, ".png": 600}  # pictures, so that a page stays below about 20 MB and a PNG can be opened


def refuse_unknown(file: Path) -> None:
    """Raise DatasetError where a file's name ends in no form that a sheet is written in."""
    if file.suffix.lower() not in _MOST:
        raise DatasetError(f"--out {file}: ends in '{file.suffix}'; .html or .png is needed")
    if not file.resolve().parent.is_dir():
        raise DatasetError(f"--out {file}: there is no folder {file.resolve().parent}; make it or choose another --out")


def most_pictures(file: Path) -> int:
    """Return how many pictures a sheet in this form may hold."""
    return _MOST[file.suffix.lower()]


def write_sheet(file: Path, sheet: Sheet) -> int:
    """Write a sheet, whole or not at all, and return its bytes. Raises DatasetError."""
    data = render_page(sheet).encode("utf-8", "replace") if file.suffix.lower() == ".html" else render_poster(sheet)
    draft = file.with_name(file.name + ".part")
    try:
        draft.write_bytes(data)
        draft.replace(file)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise DatasetError(f"{file}: cannot be written ({error.strerror or error}); choose another --out") from error
    return len(data)

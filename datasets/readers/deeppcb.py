"""DeepPCB: a bare board beside the picture of its template, with a box for each of six kinds of defect."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from datasets.readers.documents import number, read_text
from datasets.readers.folder import Folder
from datasets.readers.record import (
    MISSING_ANNOTATION,
    MISSING_FILE,
    MISSING_IMAGE,
    UNKNOWN_CATEGORY,
    UNREADABLE,
    Found,
    MalformedError,
    Problem,
    Record,
)
from datasets.readers.shapes import box
from datasets.sample import Mark

TYPES = {1: "open", 2: "short", 3: "mousebite", 4: "spur", 5: "copper", 6: "pin-hole"}
_TEST, _TEMPLATE = "_test", "_temp"
_LISTS = {"trainval.txt": "train", "test.txt": "test"}


def recognise(folder: Folder) -> str:
    """Return the first picture that lies beside its template and has boxes; '' where none does."""
    documents = set(folder.with_suffix(".txt"))
    for path in folder.images:
        if path.stem.endswith(_TEST) and _boxes_of(path) in documents and _template_of(path).is_file():
            return folder.relative(path)
    return ""


def read(folder: Folder) -> Found:
    """Return every board with its marks and its template, and every template as a good image without one.

    A board and its template are of one group. trainval.txt and test.txt give the splits where they exist.
    """
    splits = _splits(folder)
    documents = set(folder.with_suffix(".txt"))
    records: list[Record] = []
    problems: list[Problem] = []
    boards = [path for path in folder.images if path.stem.endswith(_TEST)]
    for path in boards:
        name, file, template = folder.relative(path), _boxes_of(path), _template_of(path)
        split = splits.get(path.stem.removesuffix(_TEST))
        if file not in documents:
            problems.append(Problem(MISSING_ANNOTATION, f"{name}: no {folder.relative(file)}"))
        elif not template.is_file():
            problems.append(Problem(MISSING_FILE, f"{name}: no template {folder.relative(template)}"))
        else:
            marks = _marks(folder, file, problems)
            records.append(Record(path, marks=marks, split=split, template=template, group=name))
            records.append(Record(template, split=split, group=name))
    there = set(boards)
    for file in documents:
        if file.parent.name.endswith("_not"):
            board = file.parent.with_name(file.parent.name.removesuffix("_not")) / f"{file.stem}{_TEST}"
            if not any(board.with_suffix(suffix) in there for suffix in (".png", ".jpg", ".jpeg", ".bmp")):
                problems.append(Problem(MISSING_IMAGE, f"{folder.relative(file)} has no {board.name}"))
    return Found("deeppcb", tuple(records), tuple(problems))


def _boxes_of(board: Path) -> Path:
    return board.parent.with_name(f"{board.parent.name}_not") / f"{board.stem.removesuffix(_TEST)}.txt"


def _template_of(board: Path) -> Path:
    return board.with_name(f"{board.stem.removesuffix(_TEST)}{_TEMPLATE}{board.suffix}")


def _splits(folder: Folder) -> dict[str, str]:
    """Return the split of each board's name by the lists, whose lines name an image and a file of boxes."""
    found: dict[str, str] = {}
    for file in folder.with_suffix(".txt"):
        if file.name in _LISTS:
            lines = [line.split() for line in read_text(file).splitlines() if line.strip()]
            found |= {PurePosixPath(words[0]).stem: _LISTS[file.name] for words in lines}
    return found


def _marks(folder: Folder, file: Path, problems: list[Problem]) -> tuple[Mark, ...]:
    found = []
    try:
        lines = read_text(file).splitlines()
    except MalformedError as error:
        problems.append(Problem(UNREADABLE, f"{folder.relative(file)} {error}"))
        return ()
    for index, line in enumerate(lines, start=1):
        words = line.replace(",", " ").split()
        where = f"{folder.relative(file)} line {index}"
        try:
            values = [number(word, "a value") for word in words]
            if len(values) not in (0, 5):
                raise MalformedError(f"{len(values)} numbers; x1 y1 x2 y2 type are needed")
            if values and int(values[4]) not in TYPES:
                problems.append(Problem(UNKNOWN_CATEGORY, f"{where}: type {values[4]:g}; 1 to 6 are known"))
            elif values:
                found.append(Mark(TYPES[int(values[4])], box(*values[:4])))
        except MalformedError as error:
            problems.append(Problem(UNREADABLE, f"{where}: {error}"))
    return tuple(found)

"""Pascal VOC: an xml for each image, with a box (or a polygon) for each object."""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import Element

from datasets.readers.documents import number, read_text, read_xml, root_tag
from datasets.readers.folder import Folder
from datasets.readers.record import MISSING_IMAGE, UNREADABLE, Found, MalformedError, Problem, Record
from datasets.readers.shapes import Outline, box, pairs
from datasets.readers.unlisted import unlisted
from datasets.sample import Mark

_SPLIT_FILES = {"train": "train", "val": "validation", "test": "test"}


def recognise(folder: Folder) -> str:
    """Return the number of xml files where the first is VOC's; '' else."""
    files = folder.with_suffix(".xml")
    found = next((file for file in files if root_tag(file) == "annotation"), None)
    return f"{len(files)} xml files like {folder.relative(found)}" if found is not None else ""


def read(folder: Folder) -> Found:
    """Return every image that has an xml; an xml without an object means that nothing is wrong with its image.

    Coordinates are taken as they stand. VOC itself counts pixels from 1; most tools that write its files do not.
    """
    splits = _splits(folder)
    records: list[Record] = []
    problems: list[Problem] = []
    for file in folder.with_suffix(".xml"):
        try:
            root = read_xml(file)
            if root.tag != "annotation":
                raise MalformedError(f"has <{root.tag}> where <annotation> is needed")
            name = (root.findtext("filename") or file.stem).strip()
            path = folder.find(name, file) or folder.find_stem(file.stem, file)
            if path is None:
                problems.append(Problem(MISSING_IMAGE, f"{folder.relative(file)}: {name}"))
                continue
            marks = tuple(_mark(item) for item in root.iter("object"))
            split = splits.get(path.stem) or folder.split_of(path)
            records.append(Record(path, marks=marks, stated_size=_size(root), split=split))
        except MalformedError as error:
            problems.append(Problem(UNREADABLE, f"{folder.relative(file)}: {error}"))
    return Found("voc", tuple(records), (*problems, *unlisted(folder, records, problems)))


def _mark(item: Element) -> Mark:
    label = (item.findtext("name") or "").strip()
    if not label:
        raise MalformedError("an object has no name")
    return Mark(label, _outline(item))


def _outline(item: Element) -> Outline:
    polygon = item.find("polygon")
    if polygon is not None:
        corners: list[float] = []
        while polygon.find(f"x{len(corners) // 2 + 1}") is not None:
            index = len(corners) // 2 + 1
            corners += [number(polygon.findtext(f"{axis}{index}"), f"{axis}{index}") for axis in "xy"]
        if not corners:
            corners = [number(point.findtext(axis), axis) for point in polygon.iter("pt") for axis in "xy"]
        return pairs(corners)
    sides = item.find("bndbox")
    if sides is None:
        raise MalformedError("an object has neither bndbox nor polygon")
    left, top, right, bottom = (number(sides.findtext(key), key) for key in ("xmin", "ymin", "xmax", "ymax"))
    return box(left, top, right, bottom)


def _size(root: Element) -> tuple[int, int] | None:
    """Return width and height as the file states them; None where it says nothing, or 0 as some tools do."""
    size = root.find("size")
    if size is None:
        return None
    width, height = (int(number(size.findtext(key), key)) for key in ("width", "height"))
    return (width, height) if width and height else None


def _splits(folder: Folder) -> dict[str, str]:
    """Return the split of each image stem as the lists in `ImageSets/Main` say."""
    found: dict[str, str] = {}
    for file in folder.with_suffix(".txt"):
        if file.parent.name == "Main" and file.stem in _SPLIT_FILES:
            found |= {line.split()[0]: _SPLIT_FILES[file.stem] for line in _lines(file)}
    return found


def _lines(file: Path) -> list[str]:
    try:
        return [line for line in read_text(file).splitlines() if line.strip()]
    except MalformedError:
        return []

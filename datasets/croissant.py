"""A data set described for others: MLCommons Croissant 1.0 metadata (https://docs.mlcommons.org/croissant/docs/croissant-spec.html)."""

from __future__ import annotations

import glob
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from datasets.errors import DatasetError
from datasets.files import FORMAT_OF_SUFFIX, Progress, in_threads, read_bytes, sha256_of
from datasets.headers import read_header
from datasets.parts import gather_parts, has_places
from datasets.sample import Dataset, Sample
from datasets.splits import NAMES, Split

# The context that the specification gives; a reader may refuse a shorter one.
_TERMS = (
    "arrayShape", "citeAs", "column", "equivalentProperty", "extract", "field", "fileProperty", "fileObject",
    "fileSet", "format", "includes", "isArray", "isLiveDataset", "jsonPath", "key", "md5", "parentField",
    "path", "recordSet", "references", "regex", "repeated", "replace", "samplingRate", "separator", "source",
    "subField", "transform",
)  # fmt: skip
_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    **{term: f"cr:{term}" for term in _TERMS},
}
_TEXT, _INTEGER = "sc:Text", "sc:Integer"


@dataclass(frozen=True, slots=True)
class Origin:
    """What no image tells of a data set: a plain value.

    licences: SPDX names, addresses, or words ('proprietary'). people, organisations: who made it, at least one of them.
    url: where it is kept; '' where it is kept nowhere public.
    """

    licences: tuple[str, ...]
    people: tuple[str, ...] = ()
    organisations: tuple[str, ...] = ()
    name: str = ""
    description: str = ""
    version: str = "1.0.0"
    published: date | None = None
    url: str = ""
    cite_as: str = ""


def describe(
    dataset: Dataset, origin: Origin, *, split: Split | None = None, progress: Progress | None = None
) -> dict[str, Any]:
    """Return the metadata of a data set as JSON types; reads every file once. Raises DatasetError.

    Each image is a record with its path, sha256, size, label, group and, where the layout or `split` says so, its part;
    so one file tells whether a copy is whole, without an archive. Paths are relative to the data set's root.
    """
    _refuse_unsaid(origin)
    digest = dataset.digest()
    parts = _parts(dataset, split)
    file_sets = _file_sets(dataset)
    records = [_classes_record(dataset), *([_splits_record()] if parts else [])]
    records.append(_images_record(dataset, parts, progress))
    records += [_pixels_record(file_set) for file_set in file_sets if file_set["@id"].startswith("images-")]
    creators = [{"@type": "sc:Person", "name": name} for name in origin.people]
    creators += [{"@type": "sc:Organization", "name": name} for name in origin.organisations]
    made_by = [*origin.people, *origin.organisations]
    name, published = origin.name or dataset.root.name, origin.published or date.today()  # noqa: DTZ011  (the day here)
    licences = list(origin.licences)
    counts = ", ".join(f"{label} {number}" for label, number in dataset.counts().items())
    passes = f" '{dataset.good}' passes." if dataset.good else ""
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": name,
        "description": origin.description
        or f"{len(dataset.samples)} labelled images for visual inspection ({dataset.layout}): {counts}.{passes}",
        "version": origin.version,
        "datePublished": published.isoformat(),
        "license": licences[0] if len(licences) == 1 else licences,
        "creator": creators[0] if len(creators) == 1 else creators,
        "url": origin.url or f"urn:sha256:{digest}",
        "identifier": f"sha256:{digest}",
        "citeAs": origin.cite_as or f"{', '.join(made_by)}: {name}, version {origin.version}, {published.year}",
        "distribution": file_sets,
        "recordSet": records,
    }


def write_croissant(file: Path, metadata: dict[str, Any]) -> None:
    """Write metadata as JSON, whole or not at all. Raises DatasetError."""
    draft = file.with_name(file.name + ".part")
    try:
        draft.write_text(json.dumps(metadata, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        draft.replace(file)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise DatasetError(f"{file}: cannot be written ({error.strerror or error}); choose another --out") from error


def _refuse_unsaid(origin: Origin) -> None:
    if not any(text.strip() for text in origin.licences):
        raise DatasetError("no licence; whoever gets the images must know what is allowed; say it with --licence")
    if not any(text.strip() for text in (*origin.people, *origin.organisations)):
        raise DatasetError("nobody is named who made the images; name them with --creator or --organisation")
    numbers = origin.version.split(".")
    if len(numbers) != 3 or not all(number.isascii() and number.isdigit() for number in numbers):
        raise DatasetError(f"--version {origin.version}: three numbers are needed, such as 1.0.0")


def _parts(dataset: Dataset, split: Split | None) -> dict[Path, str]:
    if split is not None:
        return split.part_of()
    return {sample.path: sample.split for sample in dataset.samples if sample.split is not None}


def _file_sets(dataset: Dataset) -> list[dict[str, Any]]:
    """Return a file set for each format of images, masks and templates that lie under the root."""
    files: defaultdict[tuple[str, str], set[Path]] = defaultdict(set)
    for sample in dataset.samples:
        for kind, path in (("images", sample.path), ("masks", sample.mask), ("templates", sample.template)):
            if path is not None and path.is_relative_to(dataset.root):
                files[kind, FORMAT_OF_SUFFIX[path.suffix.lower()].lower()].add(path)
    return [
        {
            "@type": "cr:FileSet",
            "@id": f"{kind}-{form}",
            "name": f"{kind}-{form}",
            "description": f"{len(paths)} {kind}",
            "encodingFormat": f"image/{form}",
            "includes": _patterns(dataset.root, paths),
        }
        for (kind, form), paths in sorted(files.items())
    ]


def _patterns(root: Path, paths: set[Path]) -> list[str]:
    """Return patterns that match these files and no others: one a folder where that is exact, else every name."""
    patterns: list[str] = []
    by_folder: defaultdict[tuple[Path, str], set[Path]] = defaultdict(set)
    for path in paths:
        by_folder[path.parent, path.suffix].add(path)
    for (folder, suffix), members in sorted(by_folder.items()):
        matching = {path for path in folder.iterdir() if path.suffix == suffix}
        names = ["*" + suffix] if matching == members else sorted(glob.escape(path.name) for path in members)
        place = glob.escape(folder.relative_to(root).as_posix())
        patterns += [name if place == "." else f"{place}/{name}" for name in names]
    return patterns


def _field(record_set: str, name: str, kind: str, description: str, **more: Any) -> dict[str, Any]:
    identity = f"{record_set}/{name}"
    return {
        "@type": "cr:Field",
        "@id": identity,
        "name": identity,
        "description": description,
        "dataType": kind,
        **more,
    }


def _record_set(name: str, description: str, key: str, fields: Sequence[dict[str, Any]], **more: Any) -> dict[str, Any]:
    head = {"@type": "cr:RecordSet", "@id": name, "name": name, "description": description, "key": {"@id": key}}
    return {**head, "field": list(fields), **more}


def _classes_record(dataset: Dataset) -> dict[str, Any]:
    counts = dataset.counts()
    fields = [
        _field("classes", "name", _TEXT, "Name of the class, as the images' labels give it."),
        _field("classes", "verdict", _TEXT, "What becomes of such a part: 'pass' or 'reject'."),
        _field("classes", "images", _INTEGER, "Number of its images."),
    ]
    data = [
        {
            "classes/name": label,
            "classes/verdict": "pass" if label == dataset.good else "reject",
            "classes/images": counts[label],
        }
        for label in dataset.classes
    ]
    return _record_set("classes", "The classes.", "classes/name", fields, dataType="sc:Enumeration", data=data)


def _splits_record() -> dict[str, Any]:
    fields = [_field("splits", "name", _TEXT, "Part of the split.")]
    data = [{"splits/name": name} for name in NAMES]
    return _record_set("splits", "What the images are for.", "splits/name", fields, dataType="cr:Split", data=data)


def _images_record(dataset: Dataset, parts: dict[Path, str], progress: Progress | None) -> dict[str, Any]:
    """Return one record for each image; places of one image share theirs, their labels joined in its `label`."""
    label = _field("images", "label", _TEXT, "Class.", references={"field": {"@id": "classes/name"}})
    part = _field("images", "split", _TEXT, "Part of the split.", references={"field": {"@id": "splits/name"}})
    fields = [
        _field("images", "file", _TEXT, "Path relative to this file's folder."),
        _field("images", "sha256", _TEXT, "Of the file's content, hexadecimal."),
        _field("images", "bytes", _INTEGER, "Size of the file."),
        _field("images", "width", _INTEGER, "Pixels."),
        _field("images", "height", _INTEGER, "Pixels."),
        label,
        _field("images", "group", _TEXT, "Images of one group show one piece."),
        *([part] if parts else []),
    ]
    whole = gather_parts(dataset.samples, dataset.good).samples if has_places(dataset.samples) else dataset.samples
    first = {sample.path: sample for sample in reversed(whole)}
    samples = [first[path] for path in sorted(first)]

    def record(sample: Sample) -> dict[str, Any]:
        data = read_bytes(sample.path)
        header = read_header(data)
        told = {
            "images/file": dataset.name_of(sample),
            "images/sha256": sha256_of(sample.path),
            "images/bytes": len(data),
            "images/width": header.width,
            "images/height": header.height,
            "images/label": sample.label,
            "images/group": sample.group,
        }
        return {**told, "images/split": parts[sample.path]} if sample.path in parts else told

    data = list(in_threads(record, samples, total=len(samples), progress=progress))
    return _record_set("images", "One record an image.", "images/file", fields, data=data)


def _pixels_record(file_set: dict[str, Any]) -> dict[str, Any]:
    """Return the record set that reads the pixels of a file set."""
    name = f"pixels-{file_set['encodingFormat'].rpartition('/')[2]}"
    source = {"fileSet": {"@id": file_set["@id"]}}
    fields = [
        _field(
            name,
            "file",
            _TEXT,
            "Path, as in images/file.",
            source={**source, "extract": {"fileProperty": "fullpath"}},
        ),
        _field(name, "image", "sc:ImageObject", "Pixels.", source={**source, "extract": {"fileProperty": "content"}}),
    ]
    return _record_set(name, f"The pixels of {file_set['name']}.", f"{name}/file", fields)

"""Where the images of a data set lie: which folder is a class, which is a split, which file is a mask."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from datasets.errors import DatasetError
from datasets.files import FORMAT_OF_SUFFIX, UNSUPPORTED_SUFFIXES

SPLIT_OF_FOLDER = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}
MASK_FOLDER = "ground_truth"
GOOD_WORDS = frozenset({"good", "ok", "normal", "free", "pass"})
NEGATIONS = frozenset({"not", "no", "non", "never"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One image as the folders describe it."""

    path: Path
    label: str
    split: str | None
    mask: Path | None


@dataclass(frozen=True, slots=True)
class Listing:
    """What the folders under a root hold. strays: image files without a place in the layout, each with the reason."""

    layout: str
    entries: tuple[Entry, ...]
    strays: tuple[str, ...]


def list_images(root: Path) -> Listing:
    """Return every image under `root` with its class, its split and its mask, sorted by relative path.

    Class folders are `CLASS/…`, `CLASS/train|val|test/…` or `train|val|test/CLASS/…`; deeper folders are of the class.
    MVTec-AD is `train/good`, `test/DEFECT` and `ground_truth/DEFECT/NAME_mask.png`. A PNG beside an image of another
    format with the same stem is that image's mask. Hidden files and folders are passed over. Raises DatasetError.
    """
    if not root.is_dir():
        raise DatasetError(f"{root}: no such folder; a folder of class folders is needed; check the path")
    files = _files_under(root)
    twins = {path.with_suffix("") for path in files if path.suffix.lower() not in (".png", *UNSUPPORTED_SUFFIXES)}
    entries: list[Entry] = []
    strays: list[str] = []
    for path in files:
        parts = path.relative_to(root).parts
        if parts[0].lower() == MASK_FOLDER or (path.suffix.lower() == ".png" and path.with_suffix("") in twins):
            continue
        if path.suffix.lower() in UNSUPPORTED_SUFFIXES:
            strays.append(f"{path}: {path.suffix} is not read; JPEG, PNG, BMP and TIFF are; convert the file")
            continue
        label, split = _label_and_split(parts[:-1])
        if not label:
            strays.append(f"{path}: lies in no class folder; move it into one (for instance {root / 'good'})")
            continue
        entries.append(Entry(path, label, split, _mask_of(root, path, label)))
    return Listing(_layout(entries), tuple(entries), tuple(strays))


def _files_under(root: Path) -> list[Path]:
    """Return the files whose name says image, sorted, symbolic links to folders followed no further."""
    found: list[Path] = []
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "__MACOSX")
        for name in names:
            suffix = Path(name).suffix.lower()
            if not name.startswith(".") and (suffix in FORMAT_OF_SUFFIX or suffix in UNSUPPORTED_SUFFIXES):
                found.append(Path(folder) / name)
    return sorted(found, key=lambda path: path.relative_to(root).as_posix())


def _label_and_split(folders: tuple[str, ...]) -> tuple[str, str | None]:
    """Return class and split of a file by the folders between the root and it; '' where no class is named."""
    if not folders:
        return "", None
    split = SPLIT_OF_FOLDER.get(folders[0].lower())
    if split is not None:
        return (folders[1] if len(folders) > 1 else ""), split
    return folders[0], (SPLIT_OF_FOLDER.get(folders[1].lower()) if len(folders) > 1 else None)


def _mask_of(root: Path, image: Path, label: str) -> Path | None:
    beside = image.with_suffix(".png")
    apart = root / MASK_FOLDER / label / f"{image.stem}_mask.png"
    for mask in (beside, apart):
        if mask != image and mask.is_file():
            return mask
    return None


def _layout(entries: list[Entry]) -> str:
    """Return the layout's name: MVTec-AD trains on one class only and tests on more."""
    labels: dict[str | None, set[str]] = defaultdict(set)
    for entry in entries:
        labels[entry.split].add(entry.label)
    if set(labels) == {"train", "test"} and len(labels["train"]) == 1 and labels["test"] - labels["train"]:
        return "mvtec-ad"
    return "class-folders" if set(labels) <= {None} else "split-folders"


def find_good(classes: list[str], good: str | None, *, required: bool) -> str:
    """Return the class that passes: the one asked for, else the only one named good, ok, normal, free or pass.

    Case does not matter and a prefix is allowed (`MT_Free`). Returns '' where there is none and none is `required`.
    Raises DatasetError that lists the classes.
    """
    listed = ", ".join(classes)
    if good is not None:
        if good in classes:
            return good
        raise DatasetError(f"no class is named '{good}' — the classes are: {listed}; give one of them with --good NAME")
    whole = [name for name in classes if name.lower() in GOOD_WORDS]
    found = whole or [name for name in classes if _ends_in_good(name)]
    if len(found) == 1:
        return found[0]
    if not found and not required:
        return ""
    what = f"{len(found)} classes look" if found else "no class looks"
    which = f" ({', '.join(found)})" if found else ""
    raise DatasetError(f"{what} like the good one{which} — the classes are: {listed}; say so with --good NAME")


def _ends_in_good(name: str) -> bool:
    """Tell whether a name is a prefix and a word for good (`MT_Free`), and says not the opposite (`not_ok`)."""
    *prefix, last = re.split(r"[_\-. ]+", name.lower())
    return last in GOOD_WORDS and not NEGATIONS & set(prefix)

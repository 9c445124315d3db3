"""The table of formats: a row for each way to write labels down, chosen by its name or by looking at a folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import cast

from datasets.errors import DatasetError
from datasets.layout import find_good, list_images
from datasets.readers.folder import Folder
from datasets.readers.record import Found


@dataclass(frozen=True, slots=True)
class Format:
    """One row: its name, what it looks like in a folder, and the file of `datasets.readers` that reads it.

    That file has `recognise(folder) -> str` ('' where the folder is no such set, else what was seen) and
    `read(folder) -> Found`; it is imported when it is needed.
    """

    name: str
    looks: str
    file: str

    def recognise(self, folder: Folder) -> str:
        """Return what in the folder says that it is of this format; '' where nothing does."""
        return cast("Callable[[Folder], str]", import_module(f"datasets.readers.{self.file}").recognise)(folder)

    def read(self, folder: Folder) -> Found:
        """Return every image with what is written down about it. Raises DatasetError."""
        return cast("Callable[[Folder], Found]", import_module(f"datasets.readers.{self.file}").read)(folder)


FORMATS = (
    Format("class-folders", "CLASS/IMAGE; masks as IMAGE.png beside IMAGE.jpg", "class_folders"),
    Format("split-folders", "train|val|test/CLASS/IMAGE, or CLASS/train|val|test/IMAGE", "split_folders"),
    Format("mvtec-ad", "train/good, test/DEFECT, ground_truth/DEFECT/NAME_mask.png", "mvtec_ad"),
    Format("visa", "split_csv/*.csv: object,split,label,image,mask", "visa"),
    Format("coco", "*.json with images, annotations and categories: boxes, polygons, run lengths", "coco"),
    Format("voc", "an XML <annotation> for each image; ImageSets/Main/*.txt for splits", "voc"),
    Format("yolo", "data.yaml or classes.txt, a TXT for each image: boxes or polygons", "yolo"),
    Format("labelme", "a JSON with shapes beside each image", "labelme"),
    Format("cvat", "an XML <annotations> of 'CVAT for images 1.1'", "cvat"),
    Format("deeppcb", "NAME_test.png beside NAME_temp.png, boxes in FOLDER_not/NAME.txt", "deeppcb"),
    Format("labels-csv", "labels.csv: file,label and, where known, split,mask,template,group,taken", "labels_csv"),
    Format("places", "places.csv or places.toml: several places of each image, each judged by itself", "places"),
)
FOLDER_FORMATS = ("class-folders", "split-folders", "mvtec-ad")


def find_format(folder: Folder, name: str | None = None) -> Format:
    """Return the row of that name, or the only one that the folder looks like.

    Raises DatasetError for an unknown name, and where a folder holds labels in two formats at once: it names both.
    """
    rows = {row.name: row for row in FORMATS}
    if name is not None:
        if name not in rows:
            raise DatasetError(f"--format {name}: is no format; {', '.join(rows)} are; see 'lineward dataset formats'")
        row = rows[name]
        if name not in FOLDER_FORMATS and not row.recognise(folder):
            raise DatasetError(f"{folder.root}: nothing of the format {name} — it needs {row.looks} — check the path")
        return row
    seen = {row.name: row.recognise(folder) for row in FORMATS if row.name not in FOLDER_FORMATS}
    seen = {name: what for name, what in seen.items() if what}
    if not seen:
        return next((rows[name] for name in FOLDER_FORMATS if rows[name].recognise(folder)), rows["class-folders"])
    if folder.named is None and (classes := _class_folders(folder)):
        seen["class-folders"] = classes
    if len(seen) > 1:
        listed = "; ".join(f"{name} ({what})" for name, what in seen.items())
        raise DatasetError(
            f"{folder.root}: labels in {len(seen)} formats at once — {listed} — one is needed, since nothing says "
            "which is right; choose with --format NAME, or name the one file with --annotations FILE"
        )
    return rows[next(iter(seen))]


def _class_folders(folder: Folder) -> str:
    """Return the class folders beside other labels: two or more of which one is named like a good class."""
    classes = sorted({entry.label for entry in list_images(folder.root).entries})
    try:
        good = find_good(classes, None, required=False)
    except DatasetError:
        good = "several good ones"
    return f"folders {', '.join(classes[:5])}" if good and len(classes) > 1 else ""

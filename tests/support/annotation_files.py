"""Writes one set of images and outlines in each of the annotation formats, as the usual tools write them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from xml.sax.saxutils import quoteattr

import cv2
import numpy as np

from datasets.readers.shapes import Outline, bounds
from datasets.sample import Mark

Marked = Mapping[str, tuple[Mark, ...]]
"""Image name -> what is marked on it."""


def photograph(path: Path, width: int, height: int, seed: int = 0) -> Path:
    """Write a picture of noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.random.default_rng(seed).integers(0, 255, (height, width), dtype=np.uint8))
    return path


def flat(outline: Outline) -> list[float]:
    """Return x0, y0, x1, y1, …"""
    return [value for corner in outline for value in corner]


def is_box(outline: Outline) -> bool:
    """Tell whether an outline is that of a box."""
    left, top, right, bottom = bounds(outline)
    return outline == ((left, top), (right, top), (right, bottom), (left, bottom))


def labels_in(marked: Marked) -> list[str]:
    """Return all types, sorted."""
    return sorted({mark.label for marks in marked.values() for mark in marks}) or ["crack"]


def write_coco(root: Path, marked: Marked, width: int, height: int) -> None:
    """Write annotations/instances.json: boxes as bbox alone, other outlines as polygons."""
    labels = labels_in(marked)
    annotations = []
    for image, marks in enumerate(marked.values()):
        for mark in marks:
            left, top, right, bottom = bounds(mark.outline)
            item: dict[str, object] = {"id": len(annotations), "image_id": image, "iscrowd": 0}
            item |= {"category_id": labels.index(mark.label) + 1, "bbox": [left, top, right - left, bottom - top]}
            item["segmentation"] = [] if is_box(mark.outline) else [flat(mark.outline)]
            annotations.append(item)
    content = {
        "info": {},
        "images": [{"id": n, "file_name": f, "width": width, "height": height} for n, f in enumerate(marked)],
        "annotations": annotations,
        "categories": [{"id": n + 1, "name": name} for n, name in enumerate(labels)],
    }
    (root / "annotations").mkdir(exist_ok=True)
    (root / "annotations/instances.json").write_text(json.dumps(content))


def write_voc(root: Path, marked: Marked, width: int, height: int) -> None:
    """Write Annotations/NAME.xml."""
    (root / "Annotations").mkdir(exist_ok=True)
    for name, marks in marked.items():
        objects = ""
        for mark in marks:
            sides = zip(("xmin", "ymin", "xmax", "ymax"), bounds(mark.outline), strict=True)
            inner = "<bndbox>" + "".join(f"<{key}>{value!r}</{key}>" for key, value in sides) + "</bndbox>"
            if not is_box(mark.outline):
                corners = enumerate(mark.outline, start=1)
                points = "".join(f"<x{n}>{x!r}</x{n}><y{n}>{y!r}</y{n}>" for n, (x, y) in corners)
                inner += f"<polygon>{points}</polygon>"
            objects += f"<object><name>{mark.label}</name>{inner}</object>"
        size = f"<size><width>{width}</width><height>{height}</height><depth>1</depth></size>"
        text = f"<annotation><filename>{name}</filename>{size}{objects}</annotation>"
        (root / "Annotations" / f"{Path(name).stem}.xml").write_text(text)


def write_yolo(root: Path, marked: Marked, width: int, height: int) -> None:
    """Write data.yaml and labels/NAME.txt, an empty one where nothing is marked."""
    labels = labels_in(marked)
    (root / "data.yaml").write_text(f"path: .\nnc: {len(labels)}\nnames: {json.dumps(labels)}\n")
    (root / "labels").mkdir(exist_ok=True)
    for name, marks in marked.items():
        lines = []
        for mark in marks:
            left, top, right, bottom = bounds(mark.outline)
            values = [(left + right) / 2 / width, (top + bottom) / 2 / height]
            values += [(right - left) / width, (bottom - top) / height]
            if not is_box(mark.outline):
                values = [v for x, y in mark.outline for v in (x / width, y / height)]
            lines.append(" ".join([str(labels.index(mark.label)), *(f"{value:.9f}" for value in values)]))
        (root / "labels" / f"{Path(name).stem}.txt").write_text("\n".join(lines))


def write_labelme(root: Path, marked: Marked, width: int, height: int) -> None:
    """Write NAME.json beside each image."""
    for name, marks in marked.items():
        shapes = []
        for mark in marks:
            box = is_box(mark.outline)
            points = [mark.outline[0], mark.outline[2]] if box else mark.outline
            kind = "rectangle" if box else "polygon"
            shapes.append({"label": mark.label, "points": points, "shape_type": kind, "flags": {}})
        content = {"version": "5.4.1", "flags": {}, "shapes": shapes, "imagePath": name, "imageData": None}
        content |= {"imageHeight": height, "imageWidth": width}
        next(root.rglob(name)).with_suffix(".json").write_text(json.dumps(content))


def write_cvat(root: Path, marked: Marked, width: int, height: int) -> None:
    """Write annotations.xml of 'CVAT for images 1.1'."""
    known = "".join(f"<label><name>{label}</name></label>" for label in labels_in(marked))
    images = ""
    for number, (name, marks) in enumerate(marked.items()):
        shapes = ""
        for mark in marks:
            if is_box(mark.outline):
                sides = zip(("xtl", "ytl", "xbr", "ybr"), bounds(mark.outline), strict=True)
                shapes += f"<box label={quoteattr(mark.label)} " + " ".join(f'{k}="{v!r}"' for k, v in sides) + "/>"
            else:
                points = ";".join(f"{x!r},{y!r}" for x, y in mark.outline)
                shapes += f'<polygon label={quoteattr(mark.label)} points="{points}" occluded="0"/>'
        images += f'<image id="{number}" name="{name}" width="{width}" height="{height}">{shapes}</image>'
    meta = f"<meta><task><labels>{known}</labels></task></meta>"
    (root / "annotations.xml").write_text(
        f'<?xml version="1.0" encoding="utf-8"?>\n<annotations><version>1.1</version>{meta}{images}</annotations>'
    )


WRITERS: dict[str, Callable[[Path, Marked, int, int], None]] = {
    "coco": write_coco,
    "voc": write_voc,
    "yolo": write_yolo,
    "labelme": write_labelme,
    "cvat": write_cvat,
}

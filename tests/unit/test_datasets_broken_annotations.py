"""Whatever stands in an annotation file, it is read or refused in words; nothing else ever comes out."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from annotation_files import WRITERS, photograph
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets import DatasetError, read_dataset
from datasets.readers.shapes import box
from datasets.sample import Mark

MARKED = {"a.png": (Mark("dent", box(3, 4, 20, 9)), Mark("chip", ((1.0, 1.0), (9.0, 2.0), (4.0, 8.0)))), "b.png": ()}
FILES = {
    "coco": "annotations/instances.json",
    "voc": "Annotations/a.xml",
    "yolo": "labels/a.txt",
    "labelme": "images/a.json",
    "cvat": "annotations.xml",
}


def read_changed(form: str, content: bytes | None, name: str = "") -> None:
    """Read a small set in which one annotation file has other content."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for number, image in enumerate(MARKED):
            photograph(root / "images" / image, 64, 48, number)
        WRITERS[form](root, MARKED, 64, 48)
        file = root / (name or FILES[form])
        file.write_bytes(content if content is not None else b"")
        try:
            data = read_dataset(root, format=form)
        except DatasetError:
            return
        assert data.layout == form
        assert all(0 <= x <= 64 and 0 <= y <= 48 for s in data.samples for m in s.marks for x, y in m.outline)


def original(form: str, name: str = "") -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        photograph(root / "images/a.png", 64, 48)
        photograph(root / "images/b.png", 64, 48)
        WRITERS[form](root, MARKED, 64, 48)
        return (root / (name or FILES[form])).read_bytes()


@pytest.mark.parametrize("form", sorted(FILES))
@settings(max_examples=40, deadline=None)
@given(st.data())
def test_changed_bytes(form: str, data: st.DataObject) -> None:
    """A span of the file is replaced by any other bytes, or by numbers and signs that nearly fit."""
    content = original(form)
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, min(len(content), start + 12)))
    near = st.text("0123456789.,;-+einfa<>/\"'[]{} \n", max_size=12).map(str.encode)
    read_changed(form, content[:start] + data.draw(near | st.binary(max_size=12)) + content[end:])


values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | st.text("ab1.png/", max_size=5) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["id", "size", "counts"]), inner),
    max_leaves=5,
)


def places_in(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the way to each value inside a JSON value."""
    inside = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(way for key, value in inside for way in places_in(value, (*path, key)))]


@pytest.mark.parametrize("form", ["coco", "labelme"])
@settings(max_examples=80, deadline=None)
@given(st.data())
def test_changed_values_of_json(form: str, data: st.DataObject) -> None:
    """Any value of a valid file is replaced by any other kind of value."""
    content = json.loads(original(form))
    *way, last = data.draw(st.sampled_from([place for place in places_in(content) if place]))
    node = content
    for key in way:
        node = node[key]
    node[last] = data.draw(values)
    read_changed(form, json.dumps(content).encode())


@settings(max_examples=40, deadline=None)
@given(values)
def test_changed_data_yaml(value: Any) -> None:
    """data.yaml may hold anything where names and splits belong."""
    for key in ("names", "train"):
        read_changed("yolo", json.dumps({"names": ["chip", "dent"], key: value}).encode(), "data.yaml")


def test_nesting_without_end() -> None:
    """JSON and XML that nest a hundred thousand deep are refused."""
    read_changed("coco", b'{"images":' + b"[" * 100_000)
    read_changed("cvat", b"<annotations>" + b"<image>" * 100_000)
    read_changed("yolo", b"names: " + b"[" * 5_000, "data.yaml")

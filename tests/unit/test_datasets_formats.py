"""Annotation formats: the same outlines come out of each, and what does not fit the images is told by name."""

from __future__ import annotations

import base64
import json
import tempfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from annotation_files import WRITERS, Marked, photograph
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets import Dataset, DatasetError, load_sample, read_dataset
from datasets.readers.shapes import Outline, area, box
from datasets.sample import Mark, Place

WIDTH, HEIGHT = 64, 48
SCRATCH = Mark("scratch", box(3, 4, 30, 9))
DENT = Mark("dent", ((10.0, 10.0), (20.0, 12.5), (14.0, 30.0)))
MARKED: Marked = {"a.png": (SCRATCH, DENT, DENT), "b.png": (), "c.png": (SCRATCH,)}
ALL = sorted(WRITERS)


def write_set(root: Path, form: str, marked: Marked = MARKED) -> Path:
    """Write the images and their annotations in one format."""
    for number, name in enumerate(marked):
        photograph(root / "images" / name, WIDTH, HEIGHT, number)
    WRITERS[form](root, marked, WIDTH, HEIGHT)
    return root


def said(data: Dataset) -> dict[str, tuple[str, tuple[str, ...], int]]:
    return {sample.path.name: (sample.label, sample.types, len(sample.marks)) for sample in data.samples}


def refused(root: Path, **how: object) -> str:
    with pytest.raises(DatasetError) as caught:
        read_dataset(root, **how)  # type: ignore[arg-type]
    return str(caught.value)


@pytest.mark.parametrize("form", ALL)
def test_each_format_is_found_by_looking_and_gives_the_same(tmp_path: Path, form: str) -> None:
    """Types, their order by marks, and the good class of an unmarked image are alike in all formats."""
    data = read_dataset(write_set(tmp_path, form))
    assert (data.layout, data.good, data.classes) == (form, "good", ("good", "dent", "scratch"))
    assert said(data) == {
        "a.png": ("dent", ("dent", "scratch"), 3),
        "b.png": ("good", ("good",), 0),
        "c.png": ("scratch", ("scratch",), 1),
    }
    assert read_dataset(tmp_path, format=form).samples == data.samples


coordinate = st.floats(0, 1).map(lambda share: round(share, 4))


@st.composite
def outlines(draw: st.DrawFn) -> Outline:
    if draw(st.booleans()):
        xs, ys = sorted(draw(st.tuples(coordinate, coordinate))), sorted(draw(st.tuples(coordinate, coordinate)))
        found = box(xs[0] * WIDTH, ys[0] * HEIGHT, xs[1] * WIDTH, ys[1] * HEIGHT)
    else:
        corners = draw(st.lists(st.tuples(coordinate, coordinate), min_size=3, max_size=8))
        found = tuple((x * WIDTH, y * HEIGHT) for x, y in corners)
    return found


@pytest.mark.parametrize("form", ALL)
@settings(max_examples=12, deadline=None)
@given(st.lists(outlines().filter(lambda outline: area(outline) > 0.5), max_size=4))
def test_boxes_and_polygons_survive_every_format(form: str, drawn: list[Outline]) -> None:
    """Any boxes and polygons inside the image come back corner by corner."""
    marks = tuple(Mark("dent", outline) for outline in drawn)
    with tempfile.TemporaryDirectory() as folder:
        data = read_dataset(write_set(Path(folder), form, {"a.png": marks}))
        (sample,) = data.samples
    assert sample.label == ("dent" if marks else "good")
    assert len(sample.marks) == len(marks)
    for read, mark in zip(sample.marks, marks, strict=True):
        np.testing.assert_allclose(read.outline, mark.outline, atol=1e-5)


@pytest.mark.parametrize("form", ALL)
def test_a_mark_beyond_its_image_is_refused_and_one_by_a_pixel_cut(tmp_path: Path, form: str) -> None:
    """A box that ends a pixel outside is cut; one that ends further out is named with its corners and the size."""
    write_set(tmp_path / "near", form, {"a.png": (Mark("dent", box(40, 10, WIDTH + 0.9, 20)),)})
    read = read_dataset(tmp_path / "near").samples[0].marks[0].outline
    np.testing.assert_allclose(read, box(40, 10, WIDTH, 20), atol=1e-5)
    far = (Mark("dent", box(40, 10, WIDTH + 6, 20)), Mark("dent", box(40, 10, 50, HEIGHT + 2)))
    message = refused(write_set(tmp_path / "far", form, {"a.png": far, "b.png": ()}))
    assert "2 problem(s)" in message
    assert "2 × mark outside its image" in message
    assert "a.png: 'dent' from (40, 10) to (70, 20) in 64×48 pixels" in message


@pytest.mark.parametrize("form", ALL)
def test_missing_images_and_broken_annotations_are_counted_in_one_message(tmp_path: Path, form: str) -> None:
    """An image that was deleted and an annotation that is broken come in one message, each with its name."""
    write_set(tmp_path, form)
    (tmp_path / "images/c.png").unlink()
    assert "1 × image that is missing" in refused(tmp_path)
    assert "c." in refused(tmp_path)
    documents = [path for path in tmp_path.rglob("*") if path.suffix in (".json", ".xml", ".txt")]
    broken = sorted(documents)[0]
    broken.write_bytes(broken.read_bytes()[:-12] + b"\xff")
    message = refused(tmp_path, format=form)
    assert "annotation that cannot be read" in message
    assert broken.name in message


@pytest.mark.parametrize("form", ["coco", "voc", "labelme", "cvat"])
def test_an_image_that_no_annotation_mentions_is_no_good_image(tmp_path: Path, form: str) -> None:
    """Nobody said that it is good, so it is named."""
    write_set(tmp_path, form)
    photograph(tmp_path / "images/new.png", WIDTH, HEIGHT, 9)
    message = refused(tmp_path)
    assert "1 × image without an annotation" in message
    assert "images/new.png" in message


@pytest.mark.parametrize("form", ["coco", "voc", "labelme", "cvat"])
def test_annotations_of_a_picture_of_another_size(tmp_path: Path, form: str) -> None:
    """A stated size that is not the image's is refused, and a turned photograph is called that."""
    write_set(tmp_path, form)
    photograph(tmp_path / "images/a.png", HEIGHT, WIDTH)
    message = refused(tmp_path)
    assert "48×64 pixels, annotated as 64×48 (width and height swapped" in message


def test_yolo_takes_a_missing_label_file_for_good_only_where_none_is_empty(tmp_path: Path) -> None:
    """Without a label file an image is good, as YOLO has it, until empty files say so elsewhere in the set."""
    write_set(tmp_path, "yolo", {"a.png": (SCRATCH,), "b.png": (SCRATCH,)})
    photograph(tmp_path / "images/new.png", WIDTH, HEIGHT, 9)
    assert said(read_dataset(tmp_path))["new.png"][0] == "good"
    (tmp_path / "labels/b.txt").write_text("")
    assert "images/new.png; 1 images have an empty label file" in refused(tmp_path)


def test_yolo_splits_class_files_and_unknown_classes(tmp_path: Path) -> None:
    """data.yaml names the splits; classes.txt does for names; a class number beyond them is told with its line."""
    photograph(tmp_path / "first/images/a.png", WIDTH, HEIGHT)
    photograph(tmp_path / "second/images/a.png", WIDTH, HEIGHT, 1)
    for place in ("first", "second"):
        (tmp_path / place / "labels").mkdir()
        (tmp_path / place / "labels/a.txt").write_text(f"{int(place == 'second')} 0.5 0.5 0.25 0.5\n")
    (tmp_path / "data.yaml").write_text("train: ../first/images\nval: second/images\nnames: {0: dent, 1: chip}\n")
    samples = read_dataset(tmp_path).samples
    assert [(sample.label, sample.split) for sample in samples] == [("dent", "train"), ("chip", "validation")]
    assert samples[0].marks[0].outline == box(24, 12, 40, 36)
    (tmp_path / "data.yaml").unlink()
    assert "no class names" in refused(tmp_path)
    (tmp_path / "classes.txt").write_text("dent\n")
    assert "unknown category: second/labels/a.txt line 1: class 1; known are 0 dent" in refused(tmp_path)


def test_coco_unknown_categories_and_images(tmp_path: Path) -> None:
    """An annotation of a category or an image that is not listed is named by its id."""
    write_set(tmp_path, "coco")
    file = tmp_path / "annotations/instances.json"
    content = json.loads(file.read_text())
    content["annotations"][0]["category_id"] = 77
    content["annotations"][1]["image_id"] = 78
    file.write_text(json.dumps(content))
    message = refused(tmp_path)
    assert "annotation 0 is of category 77" in message
    assert "annotation 1 is about image 78" in message


def test_cvat_masks_ellipses_tags_and_unknown_labels(tmp_path: Path) -> None:
    """A mask's run lengths go along rows; a tag is a type without a place; a line and an unknown label are refused."""
    photograph(tmp_path / "a.png", WIDTH, HEIGHT)
    shapes = (
        '<mask label="dent" rle="1,2,1,2" left="10" top="20" width="3" height="2"/>'
        '<ellipse label="dent" cx="30" cy="20" rx="8" ry="4"/><tag label="dirty"/>'
    )
    known = "".join(f"<label><name>{name}</name></label>" for name in ("dent", "dirty"))
    head = f"<annotations><meta><task><labels>{known}</labels></task></meta>"
    image = '<image id="0" name="a.png" width="64" height="48">'
    (tmp_path / "cvat.xml").write_text(f"{head}{image}{shapes}</image></annotations>")
    (sample,) = read_dataset(tmp_path).samples
    assert sample.types == ("dent", "dirty")
    assert [area(mark.outline) for mark in sample.marks] == pytest.approx([4, np.pi * 32])
    bad = '<box label="hole" xtl="1" ytl="1" xbr="2" ybr="2"/><polyline label="dent" points="1,1;2,2"/>'
    (tmp_path / "cvat.xml").write_text(f"{head}{image}{bad}</image></annotations>")
    message = refused(tmp_path)
    assert "unknown category: cvat.xml: a.png: 'hole'" in message
    assert "a shape 'polyline' has no area" in message


def test_labelme_masks_circles_and_flags(tmp_path: Path) -> None:
    """A mask in base64, a circle by its edge and a flag that is set are read; a line is refused."""
    photograph(tmp_path / "a.png", WIDTH, HEIGHT)
    png = cv2.imencode(".png", np.array([[255, 0], [255, 255]], np.uint8))[1].tobytes()
    shapes = [
        {"label": "dent", "shape_type": "mask", "points": [[5, 6], [6, 7]], "mask": base64.b64encode(png).decode()},
        {"label": "dent", "shape_type": "circle", "points": [[30, 20], [30, 25]]},
    ]
    content = {"shapes": shapes, "imagePath": "C:\\photos\\a.png", "flags": {"dirty": True, "wet": False}}
    (tmp_path / "a.json").write_text(json.dumps(content))
    (sample,) = read_dataset(tmp_path).samples
    assert sample.types == ("dent", "dirty")
    assert [area(mark.outline) for mark in sample.marks] == pytest.approx([3, np.pi * 25])
    content["shapes"] = [{"label": "dent", "shape_type": "line", "points": [[5, 6], [6, 7]]}]
    (tmp_path / "a.json").write_text(json.dumps(content))
    assert "'line' has no area" in refused(tmp_path)


@pytest.mark.parametrize(
    "attack",
    [
        '<!DOCTYPE a [<!ENTITY x "xxxxxxxx"><!ENTITY y "&x;&x;&x;">]>',
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]>',
        '<!DOCTYPE a SYSTEM "http://127.0.0.1/a.dtd">',
    ],
)
def test_xml_with_a_document_type_is_refused(tmp_path: Path, attack: str) -> None:
    """No entity is ever expanded and nothing is fetched: such a file is named and not read."""
    write_set(tmp_path, "voc", {"a.png": (SCRATCH,)})
    file = tmp_path / "Annotations/a.xml"
    file.write_text(attack + file.read_text().replace("scratch", "&x;"))
    assert "a.xml: declares a document type or entities" in refused(tmp_path, format="voc")


def test_voc_splits(tmp_path: Path) -> None:
    """ImageSets/Main says which image is for what."""
    write_set(tmp_path, "voc")
    lists = tmp_path / "ImageSets/Main"
    lists.mkdir(parents=True)
    for name, stem in (("train", "a"), ("val", "b"), ("test", "c")):
        (lists / f"{name}.txt").write_text(f"{stem} 1\n")
    assert [sample.split for sample in read_dataset(tmp_path).samples] == ["train", "validation", "test"]


def test_two_formats_at_once_are_both_named_and_either_can_be_chosen(tmp_path: Path) -> None:
    """Nothing says which labels are right, so the person does."""
    write_set(tmp_path, "coco")
    write_set(tmp_path, "yolo", {"a.png": (), "b.png": (), "c.png": (DENT,)})
    message = refused(tmp_path)
    assert "labels in 2 formats at once — coco (instances.json); yolo (data.yaml)" in message
    assert read_dataset(tmp_path, format="yolo").counts() == {"good": 2, "dent": 1}
    file = tmp_path / "annotations/instances.json"
    assert read_dataset(tmp_path, annotations=file).counts() == {"good": 1, "dent": 1, "scratch": 1}
    assert "is no format" in refused(tmp_path, format="excel")
    assert "nothing of the format cvat" in refused(tmp_path, format="cvat")


def test_outlines_inside_class_folders_are_two_formats(tmp_path: Path) -> None:
    """A folder named good and a labelme file that marks a defect in it contradict each other."""
    photograph(tmp_path / "good/a.png", WIDTH, HEIGHT)
    photograph(tmp_path / "bad/b.png", WIDTH, HEIGHT, 1)
    WRITERS["labelme"](tmp_path, {"a.png": (DENT,), "b.png": ()}, WIDTH, HEIGHT)
    assert "class-folders (folders bad, good)" in refused(tmp_path)
    assert read_dataset(tmp_path, format="labelme").counts() == {"good": 1, "dent": 1}
    WRITERS["coco"](tmp_path, {"a.png": (DENT,), "b.png": ()}, WIDTH, HEIGHT)
    named = read_dataset(tmp_path, annotations=tmp_path / "annotations/instances.json")
    assert (named.layout, named.counts()) == ("coco", {"good": 1, "dent": 1})
    assert read_dataset(tmp_path, format="class-folders").counts() == {"good": 1, "bad": 1}


def test_visa(tmp_path: Path) -> None:
    """The csv gives split, label and mask; below an object's folder there is that object alone."""
    lines = ["object,split,label,image,mask"]
    for number, (thing, split, label) in enumerate(
        [("pcb", "train", "normal"), ("pcb", "test", "anomaly"), ("candle", "test", "normal")]
    ):
        name = f"{thing}/Data/Images/{label.title()}/{number}.JPG"
        photograph(tmp_path / name, WIDTH, HEIGHT, number)
        mask = f"{thing}/Data/Masks/Anomaly/{number}.png" if label == "anomaly" else ""
        if mask:
            photograph(tmp_path / mask, WIDTH, HEIGHT)
        lines.append(f"{thing},{split},{label},{name},{mask}")
    (tmp_path / "split_csv").mkdir()
    (tmp_path / "split_csv/1cls.csv").write_text("\n".join(lines))
    data = read_dataset(tmp_path)
    assert (data.layout, data.counts()) == ("visa", {"normal": 2, "anomaly": 1})
    one = read_dataset(tmp_path / "pcb")
    assert [(s.label, s.split, s.mask is not None) for s in one.samples] == [
        ("anomaly", "test", True),
        ("normal", "train", False),
    ]
    photograph(tmp_path / "pcb/Data/Masks/Anomaly/1.png", WIDTH + 2, HEIGHT)
    assert "1.png: 66×48 pixels, its image has 64×48" in refused(tmp_path)
    (tmp_path / "candle/Data/Images/Normal/2.JPG").unlink()
    assert "1cls.csv line 4: candle/Data/Images/Normal/2.JPG" in refused(tmp_path)


def test_labels_csv(tmp_path: Path) -> None:
    """A plain CSV gives types, splits, masks, templates, groups and times; what it does not find it names."""
    for number, name in enumerate(["x/a.png", "x/b.png", "t.png"]):
        photograph(tmp_path / name, WIDTH, HEIGHT, number)
    photograph(tmp_path / "masks/a.png", WIDTH, HEIGHT)
    (tmp_path / "labels.csv").write_text(
        "file,label,split,mask,template,group,taken\n"
        "x/a.png,dent;chip,train,masks/a.png,t.png,piece 7,2026-11-21T10:00\nb.png,,test,,,,\n"
    )
    data = read_dataset(tmp_path)
    a, b = data.samples
    assert (a.types, a.split, a.group, a.taken) == (("chip", "dent"), "train", "piece 7", "2026-11-21T10:00")
    assert (a.mask, a.template) == (data.root / "masks/a.png", data.root / "t.png")
    assert (b.label, b.split, b.group) == ("good", "test", "x/b.png")
    assert len(data.digest()) == 64
    (tmp_path / "labels.csv").write_text("file,label,mask\nx/a.png,dent,masks/no.png\nc.png,,\nx/a.png,,\n")
    message = refused(tmp_path)
    for part in ("line 3: c.png", "no.png", "x/a.png: 2 annotations", "x/b.png"):
        assert part in message


def test_places_by_file_name_and_by_csv(tmp_path: Path) -> None:
    """Each place of an image is a sample of its own, all in the image's group, with pixels cut out."""
    for number, name in enumerate(("1_01.png", "2_11.png")):
        photograph(tmp_path / name, WIDTH, HEIGHT, number)
    (tmp_path / "places.csv").write_text("name,x,y,width,height\nleft,0,0,32,48\nright,32,8,32,40\n")
    data = read_dataset(tmp_path)
    assert (data.layout, data.classes) == ("places", ("good", "bad"))
    assert [(s.path.name, s.place.name if s.place else "", s.label, s.group) for s in data.samples] == [
        ("1_01.png", "left", "bad", "1_01.png"),
        ("1_01.png", "right", "good", "1_01.png"),
        ("2_11.png", "left", "good", "2_11.png"),
        ("2_11.png", "right", "good", "2_11.png"),
    ]
    assert data.samples[1].place == Place("right", 32, 8, 32, 40)
    assert load_sample(data.samples[1]).shape == (40, 32)
    (tmp_path / "labels.csv").write_text("file,place,label\n1_01.png,left,\n1_01.png,right,chip\n2_11.png,left,\n")
    assert "2_11.png: no line for right" in refused(tmp_path)
    with (tmp_path / "labels.csv").open("a") as stream:
        stream.write("2_11.png,right,dent;chip\n")
    assert [s.types for s in read_dataset(tmp_path).samples][1::2] == [("chip",), ("dent", "chip")]


def test_bad_places(tmp_path: Path) -> None:
    """A box beyond the image, a name without digits, a wrong table and one name twice are refused."""
    photograph(tmp_path / "1.png", WIDTH, HEIGHT)
    places = tmp_path / "places.toml"
    places.write_text('[[place]]\nname="l"\nx=0\ny=0\nwidth=65\nheight=48\n')
    assert "place 'l' ends at (65, 48) in 64×48 pixels" in refused(tmp_path)
    places.write_text('[[place]]\nname="l"\nx=-1\ny=0\nwidth=5\nheight=48\n')
    assert "place.0.x" in refused(tmp_path)
    places.write_text(2 * '[[place]]\nname="l"\nx=0\ny=0\nwidth=5\nheight=48\n')
    assert "two places have one name" in refused(tmp_path)
    places.write_text('zero="chip"\n[[place]]\nname="l"\nx=0\ny=0\nwidth=5\nheight=48\n')
    photograph(tmp_path / "new.png", WIDTH, HEIGHT, 2)
    assert "new.png: the name does not end in 1 digits" in refused(tmp_path)


def test_a_good_category_is_no_defect(tmp_path: Path) -> None:
    """Boxes of a class named ok say that nothing is wrong: such an image is good, and they are no marks."""
    write_set(tmp_path, "coco", {"a.png": (Mark("ok", box(0, 0, 9, 9)),), "b.png": (Mark("ok", box(0, 0, 9, 9)), DENT)})
    assert said(read_dataset(tmp_path)) == {"a.png": ("ok", ("ok",), 0), "b.png": ("dent", ("dent",), 1)}

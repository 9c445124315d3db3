"""Croissant metadata as the reference implementation reads it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import mlcroissant
import pytest
from typer.testing import CliRunner

from datasets.cli import app
from datasets.errors import DatasetError
from datasets.reader import read_dataset
from datasets.rendering import write_parts

MADE = ("--licence", "CC-BY-4.0", "--creator", "Ann Example")


def run(*arguments: str | Path) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty rendered parts, one of them with a mask beside its defect."""
    root = tmp_path_factory.mktemp("made") / "parts"
    write_parts(root, count=20, seed=5, defect_rate=0.5, width=64, height=64)
    image = next(path for path in sorted(root.glob("*/*.png")) if path.parent.name != "good")
    masks = root / "ground_truth" / image.parent.name
    masks.mkdir(parents=True)
    (masks / f"{image.stem}_mask.png").write_bytes(image.read_bytes())
    return root


def records(file: Path, name: str) -> list[dict[str, Any]]:
    """What the reference implementation makes of a record set; it raises where the specification is broken."""

    def plain(value: Any) -> Any:
        return value.decode() if isinstance(value, bytes) else value

    rows = mlcroissant.Dataset(jsonld=str(file)).records(name)
    return [{key.partition("/")[2]: plain(value) for key, value in row.items()} for row in rows]


def test_the_reference_reads_it_without_an_issue(parts: Path, tmp_path: Path) -> None:
    """No error and no warning; name, licence, maker, version and the digest of the data set are there."""
    out = parts / "croissant.json"
    told = json.loads(run("describe", parts, "--out", out, *MADE, "--set-version", "2.1.0", "--json"))
    assert told["inside"] is True
    read = mlcroissant.Dataset(jsonld=str(out))
    assert read.metadata.ctx.issues.report() == ""
    assert (read.metadata.name, str(read.metadata.version)) == ("parts", "2.1.0")
    assert read.metadata.license == ["CC-BY-4.0"]
    assert [one.name for one in read.metadata.creators] == ["Ann Example"]
    assert told["identifier"] == json.loads(out.read_text())["identifier"]
    assert told["identifier"] == f"sha256:{read_dataset(parts).digest()}"


def test_records_are_what_lies_on_the_disk(parts: Path, tmp_path: Path) -> None:
    """Hash, bytes, size, label and part of every image, the classes with their verdict, and the pixels themselves."""
    run("split", parts, "--out", tmp_path / "split.csv")
    run("describe", parts, "--out", parts / "croissant.json", *MADE, "--split-file", tmp_path / "split.csv")
    images = records(parts / "croissant.json", "images")
    dataset = read_dataset(parts)
    assert {row["file"]: row["label"] for row in images} == {dataset.name_of(s): s.label for s in dataset.samples}
    for row in images:
        content = (parts / row["file"]).read_bytes()
        assert row["sha256"] == hashlib.sha256(content).hexdigest()
        assert (row["bytes"], row["width"], row["height"]) == (len(content), 64, 64)
    lines = (tmp_path / "split.csv").read_text().splitlines()[1:]
    assert sorted(f"{row['file']},{row['split']}" for row in images) == lines
    verdicts = {row["name"]: row["verdict"] for row in records(parts / "croissant.json", "classes")}
    assert {label for label, verdict in verdicts.items() if verdict == "pass"} == {"good"}
    pixels = records(parts / "croissant.json", "pixels-png")
    assert sorted(row["file"] for row in pixels) == sorted(row["file"] for row in images)  # masks are not among them
    assert {row["image"].size for row in pixels} == {(64, 64)}


def test_the_reference_refuses_what_is_broken(parts: Path, tmp_path: Path) -> None:
    """The check above can fail: without the type of a field the same file is refused."""
    run("describe", parts, "--out", tmp_path / "croissant.json", *MADE)
    metadata = json.loads((tmp_path / "croissant.json").read_text())
    del metadata["recordSet"][0]["field"][0]["dataType"]
    (tmp_path / "croissant.json").write_text(json.dumps(metadata))
    with pytest.raises(mlcroissant.ValidationError):
        mlcroissant.Dataset(jsonld=str(tmp_path / "croissant.json"))


def test_a_file_elsewhere_is_told_where_it_belongs(parts: Path, tmp_path: Path) -> None:
    """Paths begin in the folder of the metadata."""
    assert f"put it into {parts}" in run("describe", parts, "--out", tmp_path / "croissant.json", *MADE)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--licence", " ", "--creator", "Ann"), "no licence"),
        (("--licence", "MIT"), "--creator or --organisation"),
        ((*MADE, "--set-version", "two"), "such as 1.0.0"),
        ((*MADE, "--split-file", "none.csv"), "cannot be read as CSV"),
    ],
)
def test_what_is_missing_is_told(parts: Path, tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    """One message, and no file is left."""
    with pytest.raises(DatasetError, match=message):
        run("describe", parts, "--out", tmp_path / "croissant.json", *arguments)
    assert not list(tmp_path.iterdir())

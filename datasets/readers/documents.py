"""JSON, XML, CSV, TOML and YAML of strangers: bounded in size, and refused in one sentence where they are broken."""

from __future__ import annotations

import csv
import json
import math
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.parsers import expat

from datasets.errors import DatasetError
from datasets.readers.record import MalformedError

MAX_DOCUMENT_BYTES = 1_000_000_000
_HEAD_BYTES = 65_536
_MAX_DEPTH = 64


def read_text(file: Path) -> str:
    """Return the text of an annotation file. Raises MalformedError where it is no UTF-8, too large or unreadable."""
    try:
        size = file.stat().st_size
        if size > MAX_DOCUMENT_BYTES:
            raise MalformedError(f"{size / 1e6:.0f} MB; at most {MAX_DOCUMENT_BYTES / 1e6:.0f} MB are read")
        return file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise MalformedError(f"cannot be read ({error.strerror or error})") from error
    except UnicodeDecodeError as error:
        raise MalformedError(f"is no UTF-8 text ({error})") from error


def head_of(file: Path) -> str:
    """Return how a file begins (up to 64 KiB), '' where it cannot be read."""
    try:
        with file.open("rb") as stream:
            return stream.read(_HEAD_BYTES).decode("utf-8-sig", "replace")
    except OSError:
        return ""


def read_json(file: Path) -> Any:
    """Return the content of a JSON file. Raises MalformedError."""
    try:
        return json.loads(read_text(file))
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"is no JSON ({error})") from error


def read_xml(file: Path) -> ElementTree.Element:
    """Return the root of an XML file without a document type: so no entity is ever expanded. Raises MalformedError."""
    builder = ElementTree.TreeBuilder()
    depth = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _MAX_DEPTH:
            raise MalformedError(f"is XML nested more than {_MAX_DEPTH} deep")
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    def refuse(*_: object) -> int:
        raise MalformedError("declares a document type or entities; XML without <!DOCTYPE …> is needed; remove it")

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, builder.data
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = parser.ExternalEntityRefHandler = refuse
    try:
        parser.Parse(read_text(file).encode(), True)
        return builder.close()
    except expat.ExpatError as error:
        raise MalformedError(f"is no XML ({error})") from error


def root_tag(file: Path) -> str:
    """Return the name of the first element of an XML file, '' where none is found at its head."""
    found = re.search(r"<([A-Za-z_][\w.-]*)[\s/>]", re.sub(r"<!--.*?-->|<\?.*?\?>", "", head_of(file), flags=re.S))
    return found[1] if found else ""


def read_csv(file: Path, needed: tuple[str, ...]) -> list[dict[str, str]]:
    """Return the rows of a CSV file with a header, all cells stripped. Raises DatasetError where columns lack."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream, restkey="")
            columns = [name.strip() for name in reader.fieldnames or []]
            if missing := [name for name in needed if name not in columns]:
                raise DatasetError(
                    f"{file}: the columns are {', '.join(columns) or 'none'} and {', '.join(missing)} is missing; "
                    f"write a first line such as {','.join(needed)}"
                )
            return [{(key or "").strip(): _cell(value) for key, value in row.items()} for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{file}: cannot be read as CSV ({error}); a UTF-8 text file is needed") from error


def _cell(value: str | list[str] | None) -> str:
    return value.strip() if isinstance(value, str) else ",".join(value or ())


def header_of(file: Path) -> set[str]:
    """Return the columns that the first line of a CSV file names."""
    lines = head_of(file).splitlines()
    return {name.strip() for name in next(csv.reader(lines[:1]), [])} if lines else set()


def read_toml(file: Path) -> dict[str, Any]:
    """Return the content of a TOML file. Raises MalformedError."""
    try:
        return tomllib.loads(read_text(file))
    except tomllib.TOMLDecodeError as error:
        raise MalformedError(f"is no TOML ({error})") from error


def read_yaml(file: Path) -> Any:
    """Return the content of a YAML file (plain values only). Raises MalformedError; DatasetError without PyYAML."""
    try:
        import yaml  # type: ignore[import-untyped, unused-ignore]
    except ModuleNotFoundError as error:
        raise DatasetError(
            f"{file}: PyYAML, which reads it, is not installed; pip install 'lineward[train]', or write the class "
            "names into classes.txt, one a line"
        ) from error
    try:
        return yaml.safe_load(read_text(file))
    except (yaml.YAMLError, RecursionError) as error:
        raise MalformedError(f"is no YAML ({' '.join(str(error).split())})") from error


def number(value: object, what: str) -> float:
    """Return a finite number out of JSON, XML or a line of text. Raises MalformedError."""
    try:
        result = float(value) if isinstance(value, (int, float, str)) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        result = math.nan
    if not math.isfinite(result):
        raise MalformedError(f"{what} is {value!r}; a number is needed")
    return result


def numbers(values: object, what: str) -> list[float]:
    """Return a list of finite numbers. Raises MalformedError."""
    if not isinstance(values, (list, tuple)):
        raise MalformedError(f"{what} is {type(values).__name__}; a list of numbers is needed")
    return [number(value, what) for value in values]


def objects(value: object, what: str) -> Iterator[dict[str, Any]]:
    """Yield the objects of a JSON list. Raises MalformedError where it is none, or holds something else."""
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise MalformedError(f"'{what}' is no list of objects")
    yield from value

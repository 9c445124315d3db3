"""What the protos say in words: comments by full name, and the errors of each method, read from their "Errors:"."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import grpc
from google.protobuf import descriptor_pb2

from inspection.api.generate import PROTO_ROOT, protos

EVERY_CALL = "lineward.inspection.v1"
"""The name under which the errors stand that any call may end with: the head of common.proto."""
_ERRORS = re.compile(r"\s*\bErrors(?: of the stream)?: ")
_ENTRY = re.compile(r"\b([A-Z][A-Z_]{4,})\b(?: \(([^()]*)\))?")
_CLAUSE = re.compile(r"(?:(?P<when>.*): )?reason (?P<reason>[A-Z_]+)(?: or (?P<other>[A-Z_]+))?(?:, (?P<more>.*))?")
_LIKE = re.compile(r"\b(?:[A-Z]\w+\.)?[A-Z][a-z]\w+\b|\bevery step\b")
_CODES = {code.name for code in grpc.StatusCode}


@dataclass(frozen=True, slots=True)
class ToldError:
    """One way in which a call may end. reason: of ErrorInfo, '' where none comes; more: what comes with it."""

    code: str
    reason: str
    when: str
    more: str = ""


@cache
def descriptors() -> tuple[descriptor_pb2.FileDescriptorProto, ...]:
    """Return every proto with its comments. Needs the extra `dev`. Raises RuntimeError with protoc's own words."""
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "all.binpb"
        command = [sys.executable, "-m", "grpc_tools.protoc", f"--proto_path={PROTO_ROOT}", "--include_source_info"]
        asked = [*command, f"--descriptor_set_out={out}", *protos(PROTO_ROOT)]
        finished = subprocess.run(asked, capture_output=True, text=True, check=False)
        if finished.returncode != 0:
            raise RuntimeError(f"protoc ended with {finished.returncode}: {finished.stderr.strip()} — mend the proto")
        return tuple(descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes()).file)


@cache
def comments() -> Mapping[str, str]:
    """Return the comment before each thing, by full name; of a file by its path, '' where there is none."""
    told: dict[str, str] = {}
    for file in descriptors():
        by_path = {tuple(place.path): place for place in file.source_code_info.location}
        syntax = by_path.get((12,))
        told[file.name] = _clean(syntax.leading_comments) if syntax is not None else ""
        for name, path in _names(file):
            place = by_path.get(path)
            told[name] = _clean(place.leading_comments or place.trailing_comments) if place is not None else ""
    return MappingProxyType(told)


def _names(file: descriptor_pb2.FileDescriptorProto) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield the full name and the path (descriptor.proto) of everything that may have a comment."""
    parts: list[tuple[Any, int, int, str]] = [
        *((one, 6, number, "method") for number, one in enumerate(file.service)),
        *((one, 4, number, "field") for number, one in enumerate(file.message_type)),
        *((one, 5, number, "value") for number, one in enumerate(file.enum_type)),
    ]
    for whole, kind, number, inside in parts:
        name = f"{file.package}.{whole.name}"
        yield name, (kind, number)
        for place, one in enumerate(getattr(whole, inside)):
            yield f"{name}.{one.name}", (kind, number, 2, place)


def _clean(text: str) -> str:
    return "\n".join(line.strip() for line in text.strip().splitlines())


def described(name: str) -> str:
    """Return what a thing does, without its errors, on one line for each paragraph."""
    text = _ERRORS.split(comments()[name], maxsplit=1)[0]
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n")).strip()


def errors_of(method: str) -> list[ToldError]:
    """Return the errors of a method of ours by its full name (with a dot before it), without those of every call.

    Raises ValueError for words that are no such list.
    """
    _, *told = _ERRORS.split(comments()[method], maxsplit=1)
    if not told:
        raise ValueError(f'{method} says nothing of its errors — "Errors: …" or "Errors: none of its own." is needed')
    text = " ".join(told[0].split())
    if text == "none of its own.":
        return []
    return _unique([*_of_others(method, text), *_entries(method, text)])


def errors_of_every_call() -> list[ToldError]:
    """Return the errors that any call may end with."""
    _, text = _ERRORS.split(comments()["lineward/inspection/v1/common.proto"], maxsplit=1)
    return list(_entries(EVERY_CALL, " ".join(text.split("\n\n", maxsplit=1)[0].split())))


def _of_others(method: str, text: str) -> Iterator[ToldError]:
    """Yield the errors of what "those of …" names: other methods, or the head of the service."""
    service = method.rpartition(".")[0]
    package = service.rpartition(".")[0]
    for sentence in re.findall(r"\bthose of [^(;]*", re.sub(r"\([^()]*\)", "()", text)):
        for name in _LIKE.findall(sentence):
            if name == "every step":
                yield from _entries(service, " ".join(comments()[service].split()))
            else:
                yield from errors_of(f"{package}.{name}" if "." in name else f"{service}.{name}")


def _entries(name: str, text: str) -> Iterator[ToldError]:
    for code, clauses in _ENTRY.findall(text):
        if code not in _CODES:
            continue
        for clause in (clauses or "").split("; "):
            found = _CLAUSE.fullmatch(clause.strip())
            if found is None:
                if "reason" in clause:
                    raise ValueError(f"{name}: {code} ({clause}) — 'when: reason NAME, with what' is needed")
                yield ToldError(code, "", clause.strip())
                continue
            for reason in (found["reason"], found["other"]):
                if reason:
                    yield ToldError(code, reason, found["when"] or "", found["more"] or "")


def _unique(errors: list[ToldError]) -> list[ToldError]:
    return list(dict.fromkeys(errors))

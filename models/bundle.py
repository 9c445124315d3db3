"""Reading and writing a model bundle: model.onnx, golden.npz, card.json and card.sha256 in a folder or a zip."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from pydantic import ValidationError

from models.card import SCHEMA_VERSION, Card, CardDraft
from models.errors import (
    BundleExistsError,
    BundleFormatError,
    BundleIntegrityError,
    BundleWriteError,
    ModelError,
)
from models.golden import Golden, decode_golden
from models.publish import publish_file, publish_folder
from models.source import MAX_FILE_BYTES, Source

MAX_CARD_BYTES = 4 * 1024 * 1024
_OWN_FILES = frozenset({"card.json", "card.sha256"})


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle whose card was checked; it holds no file open and no model in memory; any thread may use it."""

    path: Path
    card: Card
    digest: str  # sha256 of card.json: through the hashes that the card lists, of the whole bundle
    source: Source

    def read(self, name: str) -> bytes:
        """Read a listed file and check its hash again, so that what is used is what was checked."""
        data = self.source.read(name)
        if hashlib.sha256(data).hexdigest() != self.card.files[name]:
            raise BundleIntegrityError(
                f"{self.path}: {name} changed after the bundle was loaded — its sha256 must be "
                f"{self.card.files[name]} — copy or export the bundle again"
            )
        return data

    def golden(self) -> Golden:
        """Read the golden vectors and hold them against the card."""
        golden = decode_golden(self.read("golden.npz"), f"{self.path}: golden.npz")
        problems = golden.problems(self.card)
        if problems:
            raise BundleFormatError(
                f"{self.path}: golden.npz does not fit its card: {'; '.join(problems)} — export the model again"
            )
        return golden


def load_bundle(path: Path) -> Bundle:
    """Read the card of the bundle at a folder or zip and check the sha256 of every file.

    Raises BundleNotFoundError, BundleFormatError, or BundleIntegrityError that names every file that is wrong.
    """
    bundle = read_card(path)
    problems = [problem for problem in file_problems(bundle).values() if problem is not None]
    if problems:
        raise BundleIntegrityError(
            f"{path}: {'; '.join(problems)} — a bundle holds exactly the files that its card lists — "
            "copy or export the bundle again"
        )
    return bundle


def read_card(path: Path) -> Bundle:
    """Read and check the card alone; the other files are not looked at yet."""
    source = Source(path)
    absent = sorted(_OWN_FILES - set(source.sizes))
    if absent:
        raise BundleFormatError(
            f"{path}: {' and '.join(absent)} missing — a bundle has card.json, card.sha256, model.onnx and golden.npz; "
            "give the folder or zip that `lineward train` wrote"
        )
    if source.sizes["card.json"] > MAX_CARD_BYTES or source.sizes["card.sha256"] > 200:
        raise BundleFormatError(
            f"{path}: card.json has {source.sizes['card.json']} and card.sha256 {source.sizes['card.sha256']} bytes — "
            f"at most {MAX_CARD_BYTES} and 200 are read — export the model again"
        )
    data = source.read("card.json")
    digest = hashlib.sha256(data).hexdigest()
    if source.read("card.sha256") != _digest_line(digest):
        raise BundleIntegrityError(
            f"{path}: card.json has sha256 {digest}, which is not the one in card.sha256 — a card is never edited "
            "(thresholds are set in the station's configuration) — copy or export the bundle again"
        )
    return Bundle(path=path, card=_parse_card(data, path), digest=digest, source=source)


def file_problems(bundle: Bundle) -> dict[str, str | None]:
    """Check each file that the card lists or the bundle holds: name -> what is wrong, None when nothing is."""
    found: dict[str, str | None] = {}
    for name, expected in sorted(bundle.card.files.items()):
        if name not in bundle.source.sizes:
            found[name] = f"{name} is missing"
            continue
        measured = bundle.source.sha256(name)
        found[name] = None if measured == expected else f"{name} has sha256 {measured}, the card says {expected}"
    for name in sorted(set(bundle.source.sizes) - set(bundle.card.files) - _OWN_FILES):
        found[name] = f"{name} is not listed in the card"
    return found


def write_bundle(
    out: Path,
    *,
    model: bytes,
    draft: CardDraft,
    golden: Golden,
    extras: Mapping[str, bytes] | None = None,
    overwrite: bool = False,
) -> Bundle:
    """Write a bundle to a folder, or to a zip when `out` ends in .zip, in one step, and load it again.

    `extras` are further files by name (flat, for instance charts). An existing bundle is replaced only with
    `overwrite`; anything else that is not an empty folder is refused. The model is not executed: call
    `models.session.open_session` on the result. Raises BundleFormatError and BundleWriteError.
    """
    problems = golden.problems(draft)
    if problems:
        raise BundleFormatError(
            f"{out}: the golden vectors do not fit the card: {'; '.join(problems)} — mend the export"
        )
    files = {"model.onnx": model, "golden.npz": golden.encode(), **(extras or {})}
    too_large = [name for name, data in files.items() if len(data) > MAX_FILE_BYTES]
    if too_large:
        raise BundleFormatError(
            f"{out}: {', '.join(too_large)} has more than {MAX_FILE_BYTES} bytes — export a smaller model"
        )
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(files.items())}
    card = Card.model_validate({**draft.model_dump(), "schema_version": SCHEMA_VERSION, "files": hashes})
    files["card.json"] = (card.model_dump_json(indent=2) + "\n").encode()
    files["card.sha256"] = _digest_line(hashlib.sha256(files["card.json"]).hexdigest())
    _refuse_to_replace(out, overwrite)
    try:
        if out.suffix == ".zip":
            publish_file(out, _zip(files))
        else:
            publish_folder(out, files)
    except OSError as error:
        raise BundleWriteError(
            f"{out}: cannot be written ({error}) — {sum(map(len, files.values()))} bytes and the right to write are "
            f"needed in {out.parent} — free space or choose another path"
        ) from error
    return load_bundle(out)


def _refuse_to_replace(out: Path, overwrite: bool) -> None:
    empty_folder = out.is_dir() and not any(out.iterdir())
    if not out.exists() or (empty_folder and out.suffix != ".zip"):
        return
    if out.is_dir() != (out.suffix != ".zip"):
        raise BundleExistsError(
            f"{out}: is a {'folder' if out.is_dir() else 'file'}, it is left alone — a path that ends in .zip gets a "
            "file, any other a folder — choose another path"
        )
    try:
        there = read_card(out)
        foreign = sorted(set(there.source.sizes) - set(there.card.files) - _OWN_FILES)
    except ModelError as error:
        raise BundleExistsError(
            f"{out}: exists and is no bundle, it is left alone — a bundle replaces only a bundle — "
            f"choose another path or remove it yourself ({error})"
        ) from error
    if foreign:
        raise BundleExistsError(
            f"{out}: the bundle there also holds {', '.join(foreign[:5])}, it is left alone — a bundle replaces only "
            "a bundle — move these files away or choose another path"
        )
    if not overwrite:
        raise BundleExistsError(
            f"{out}: bundle '{there.card.name}' is there already — it is replaced only when that is asked for — "
            "choose another path or allow overwriting"
        )


def _parse_card(data: bytes, path: Path) -> Card:
    try:
        content = json.loads(data, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise BundleFormatError(
            f"{path}: card.json is not JSON ({error}) — a card is written by `lineward train` — export the model again"
        ) from error
    version = content.get("schema_version") if isinstance(content, dict) else None
    if version != SCHEMA_VERSION or isinstance(version, bool):
        raise BundleFormatError(
            f"{path}: card.json has schema_version {version!r} — this release reads {SCHEMA_VERSION} — "
            "use the lineward release that wrote it, or export the model again"
        )
    try:
        return Card.model_validate_json(data)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in item['loc']) or 'card'}: {item['msg']}" for item in error.errors()
        )
        raise BundleFormatError(f"{path}: card.json is not a card: {problems} — export the model again") from error


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number in JSON")


def _digest_line(digest: str) -> bytes:
    """Give the content of card.sha256, as `sha256sum --check` reads it."""
    return f"{digest}  card.json\n".encode()


def _zip(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()

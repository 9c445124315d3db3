"""Bundles: written in one step, refused when anything about them is wrong."""

from __future__ import annotations

import hashlib
import io
import json
import resource
import shutil
import signal
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_bundle import tiny_draft, tiny_golden, tiny_model, tiny_weights, write_tiny_bundle

from models import resolve_bundle
from models.bundle import Bundle, load_bundle, write_bundle
from models.errors import (
    BundleExistsError,
    BundleFormatError,
    BundleIntegrityError,
    BundleNotFoundError,
    BundleWriteError,
    ModelError,
)
from models.golden import Golden
from models.source import MAX_FILE_BYTES, MAX_FILES

FILES = ("card.json", "card.sha256", "golden.npz", "model.onnx")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sound bundle as a folder, made anew for each test."""
    return write_tiny_bundle(tmp_path / "tiny", height=8, width=8)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A sound bundle as a folder and as a zip; tests copy it before they spoil it."""
    root = tmp_path_factory.mktemp("sound")
    return (
        write_tiny_bundle(root / "tiny", height=8, width=8),
        write_tiny_bundle(root / "tiny.zip", height=8, width=8),
    )


def edit_card(folder: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    """Change the card and sign it again, as a maker of bundles with a fault would."""
    card = json.loads((folder / "card.json").read_bytes())
    edit(card)
    sign(folder, json.dumps(card).encode())


def sign(folder: Path, card: bytes) -> None:
    (folder / "card.json").write_bytes(card)
    (folder / "card.sha256").write_text(f"{hashlib.sha256(card).hexdigest()}  card.json\n")


def replace_listed(folder: Path, name: str, data: bytes) -> None:
    """Put another content in place and list its hash, so that only the content can be at fault."""
    (folder / name).write_bytes(data)
    edit_card(folder, lambda card: card["files"].update({name: hashlib.sha256(data).hexdigest()}))


def test_folder_and_zip_hold_the_same_bundle(sound: tuple[Path, Path]) -> None:
    """A zip reads as the folder does: same digest, same card, same model, same golden vectors."""
    folder, archive = (load_bundle(path) for path in sound)
    assert folder.digest == archive.digest == hashlib.sha256((sound[0] / "card.json").read_bytes()).hexdigest()
    assert folder.card == archive.card
    assert folder.read("model.onnx") == archive.read("model.onnx")
    np.testing.assert_array_equal(folder.golden().inputs, archive.golden().inputs)
    np.testing.assert_array_equal(folder.golden().scores, archive.golden().scores)


def test_writing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    """The same content makes the same files, so a digest names a content."""
    first, second = (write_tiny_bundle(tmp_path / name) for name in ("a", "b"))
    for name in FILES:
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_zip_of_the_folder_itself_is_read(sound: tuple[Path, Path], tmp_path: Path) -> None:
    """`zip -r` keeps the folder's name in front of each file; such a zip is read, too."""
    made = shutil.make_archive(str(tmp_path / "made"), "zip", root_dir=sound[0].parent, base_dir=sound[0].name)
    assert load_bundle(Path(made)).digest == load_bundle(sound[0]).digest


@settings(max_examples=60, deadline=None)
@given(name=st.sampled_from(FILES), position=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_any_changed_byte_in_a_folder_is_refused(
    sound: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory, name: str, position: float, flip: int
) -> None:
    """One byte of any file changed in any way: refused, and the text names the file."""
    copy = tmp_path_factory.mktemp("tampered") / "tiny"
    shutil.copytree(sound[0], copy)
    data = bytearray((copy / name).read_bytes())
    data[int(position * len(data))] ^= flip
    (copy / name).write_bytes(data)
    with pytest.raises(BundleIntegrityError, match=r"card\.json" if name.startswith("card") else name):
        load_bundle(copy)


@settings(max_examples=60, deadline=None)
@given(position=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_any_changed_byte_in_a_zip_is_refused_or_changes_no_content(
    sound: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory, position: float, flip: int
) -> None:
    """A zip has bytes that mean nothing (dates); whatever loads after a change holds exactly the files of before."""
    data = bytearray(sound[1].read_bytes())
    data[int(position * len(data))] ^= flip
    copy = tmp_path_factory.mktemp("tampered") / "tiny.zip"
    copy.write_bytes(data)
    try:
        loaded = load_bundle(copy)
    except ModelError:
        return
    whole = load_bundle(sound[1])
    assert loaded.digest == whole.digest
    assert all(loaded.read(name) == whole.read(name) for name in whole.card.files)


@pytest.mark.parametrize("keep", [0, 10, 1000])
def test_truncated_zip_is_refused(sound: tuple[Path, Path], tmp_path: Path, keep: int) -> None:
    """Half a download is no bundle."""
    (tmp_path / "half.zip").write_bytes(sound[1].read_bytes()[:keep])
    with pytest.raises(BundleFormatError, match="not a readable zip"):
        load_bundle(tmp_path / "half.zip")


@pytest.mark.parametrize("name", ["golden.npz", "model.onnx"])
def test_missing_file_is_named(folder: Path, name: str) -> None:
    """A listed file that is not there is refused by name."""
    (folder / name).unlink()
    with pytest.raises(BundleIntegrityError, match=f"{name} is missing"):
        load_bundle(folder)


@pytest.mark.parametrize("name", ["card.json", "card.sha256"])
def test_missing_card_is_named(folder: Path, name: str) -> None:
    """Without its card, or the card's hash, a folder is no bundle."""
    (folder / name).unlink()
    with pytest.raises(BundleFormatError, match=f"{name} missing"):
        load_bundle(folder)


def test_all_wrong_files_are_named_together(folder: Path) -> None:
    """One error lists the missing, the changed and the unlisted file."""
    (folder / "golden.npz").unlink()
    (folder / "model.onnx").write_bytes(b"other")
    (folder / "notes.txt").write_text("hello")
    with pytest.raises(BundleIntegrityError) as caught:
        load_bundle(folder)
    for part in ("golden.npz is missing", "model.onnx has sha256", "notes.txt is not listed"):
        assert part in str(caught.value)


def test_file_that_changes_after_loading_is_refused(folder: Path) -> None:
    """What is used is what was checked: a model swapped between check and use is not used."""
    bundle = load_bundle(folder)
    (folder / "model.onnx").write_bytes(b"swapped")
    with pytest.raises(BundleIntegrityError, match="changed after the bundle was loaded"):
        bundle.read("model.onnx")


@pytest.mark.parametrize(
    ("card", "part"),
    [
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 200_000, "not JSON"),
        (b"[]", "schema_version None"),
        (b'{"schema_version": 2}', "schema_version 2 — this release reads 1"),
        (b'{"schema_version": true}', "schema_version True"),
        (b'{"schema_version": 1}', "threshold: Field required"),
    ],
)
def test_broken_card_is_refused(folder: Path, card: bytes, part: str) -> None:
    """A card that is no JSON, of another version or without its sections is refused with the reason."""
    sign(folder, card)
    with pytest.raises(BundleFormatError) as caught:
        load_bundle(folder)
    assert part in str(caught.value)


@pytest.mark.parametrize(
    ("section", "change", "part"),
    [
        ("threshold", {"value": 1.5}, "threshold.value"),
        ("threshold", {"valeu": 0.5}, "threshold.valeu"),
        ("input", {"channels": 1}, "RGB8 has 3 channel"),
        ("tolerance", {"score_abs": 0}, "tolerance.score_abs"),
        ("files", {"../evil": "0" * 64}, "files"),
        ("files", {"card.json": "0" * 64}, "cannot hold its own hash"),
    ],
)
def test_card_out_of_bounds_is_refused_by_field(
    folder: Path, section: str, change: dict[str, object], part: str
) -> None:
    """A value outside its bounds, a misspelt key or an unsafe name is refused, and the field is named."""
    edit_card(folder, lambda card: card[section].update(change))
    with pytest.raises(BundleFormatError) as caught:
        load_bundle(folder)
    assert part in str(caught.value)


def test_all_card_problems_are_listed_together(folder: Path) -> None:
    """Two faults in a card are told in one error."""
    edit_card(folder, lambda card: (card["threshold"].update(value=2), card["input"].update(height=0)))
    with pytest.raises(BundleFormatError, match=r"(?s)input\.height.*threshold\.value|threshold\.value.*input\.height"):
        load_bundle(folder)


def npz(**arrays: np.ndarray[Any, Any]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


SCORES = np.zeros((2, 2), np.float32)
INPUTS = np.zeros((2, 8, 8, 3), np.uint8)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no npz",
        npz(inputs=INPUTS),
        npz(inputs=np.array([{}], dtype=object), scores=SCORES),
        npz(inputs=INPUTS.astype(np.float32), scores=SCORES),
        npz(inputs=INPUTS[:, :7], scores=SCORES),
        npz(inputs=INPUTS, scores=SCORES[:1]),
        npz(inputs=INPUTS, scores=SCORES * np.nan),
        npz(inputs=INPUTS[:0], scores=SCORES[:0]),
        npz(inputs=np.uint8(1), scores=np.float32(1)),
    ],
    ids=["empty", "text", "no-scores", "pickle", "dtype", "shape", "count", "nan", "none", "scalar"],
)
def test_golden_vectors_that_do_not_fit_are_refused(folder: Path, data: bytes) -> None:
    """Golden vectors that are unreadable, pickled or of another shape are refused, even with the right hash."""
    replace_listed(folder, "golden.npz", data)
    with pytest.raises(BundleFormatError, match=r"golden\.npz"):
        load_bundle(folder).golden()


@pytest.mark.parametrize("name", ["../evil.txt", "/evil.txt", "a/b.txt", "..\\evil.txt", "card.json"])
def test_unsafe_names_in_a_zip_are_refused_and_write_nothing(
    sound: tuple[Path, Path], tmp_path: Path, name: str
) -> None:
    """A path that climbs out, a sub-folder or a second card is refused; nothing is ever unpacked to disk."""
    copy = tmp_path / "box" / "tiny.zip"
    copy.parent.mkdir()
    shutil.copy(sound[1], copy)
    with zipfile.ZipFile(copy, "a") as archive:
        if name in archive.namelist():
            with pytest.warns(UserWarning, match="Duplicate name"):
                archive.writestr(name, b"x")
        else:
            archive.writestr(name, b"x")
    with pytest.raises(ModelError):
        load_bundle(copy)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["tiny.zip"]


def test_too_many_and_too_large_files_are_refused(folder: Path) -> None:
    """The number and the size of the files are bounded before anything is read."""
    with (folder / "model.onnx").open("r+b") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    with pytest.raises(BundleFormatError, match=str(MAX_FILE_BYTES)):
        load_bundle(folder)
    for index in range(MAX_FILES):
        (folder / f"{index}.txt").touch()
    with pytest.raises(BundleFormatError, match=f"at most {MAX_FILES}"):
        load_bundle(folder)


def test_sub_folder_is_refused_by_name(folder: Path) -> None:
    """A bundle is flat."""
    (folder / "more").mkdir()
    with pytest.raises(BundleFormatError, match="more, which is no plain file"):
        load_bundle(folder)


@pytest.mark.parametrize("form", ["folder", "zip"])
def test_a_place_that_is_no_bundle_is_not_listed(tmp_path: Path, form: str) -> None:
    """The path may come from a client of the API: it hears that there is no bundle, and nothing of what is there."""
    other = tmp_path / "other"
    (other / "private keys").mkdir(parents=True)
    (other / "secret plan.txt").touch()
    if form == "zip":
        with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
            archive.write(other / "secret plan.txt", "secret plan.txt")
        other = tmp_path / "other.zip"
    with pytest.raises(BundleFormatError, match=r"card\.json missing") as refused:
        load_bundle(other)
    assert "secret" not in str(refused.value)
    assert "private" not in str(refused.value)


def test_wrong_paths_are_told_apart(tmp_path: Path, folder: Path) -> None:
    """A path that is not there is the user's error (2); a thing that is no bundle is a failure (1)."""
    with pytest.raises(BundleNotFoundError) as missing:
        load_bundle(tmp_path / "nowhere")
    assert missing.value.exit_code == 2
    with pytest.raises(BundleFormatError, match="give the bundle, not the model file") as wrong:
        load_bundle(folder / "model.onnx")
    assert wrong.value.exit_code == 1


def test_references_resolve_or_tell_what_there_is(folder: Path, tmp_path: Path) -> None:
    """A path resolves to itself; an unknown zoo name or path is refused with exit code 2."""
    assert resolve_bundle(str(folder)) == folder
    for reference in ("zoo:no-such-model", "zoo:../bundle", str(tmp_path / "nowhere")):
        with pytest.raises(BundleNotFoundError, match="check the") as caught:
            resolve_bundle(reference)
        assert caught.value.exit_code == 2


def write_again(out: Path, *, overwrite: bool, seed: int = 1) -> Bundle:
    weights = tiny_weights(2, 3, seed)
    return write_bundle(
        out,
        model=tiny_model(weights, 8, 8, 3),
        draft=tiny_draft(("good", "bad"), 8, 8, 3),
        golden=tiny_golden(weights, 8, 8, 3, seed),
        extras={"chart.png": b"picture"},
        overwrite=overwrite,
    )


@pytest.mark.parametrize("name", ["tiny", "tiny.zip"])
def test_existing_bundle_is_replaced_only_when_asked(tmp_path: Path, name: str) -> None:
    """Without `overwrite` the bundle stays; with it the new one is wholly there and nothing lies beside it."""
    out = write_tiny_bundle(tmp_path / name, height=8, width=8)
    before = load_bundle(out).digest
    with pytest.raises(BundleExistsError, match="bundle 'tiny' is there already") as caught:
        write_again(out, overwrite=False)
    assert caught.value.exit_code == 2
    assert load_bundle(out).digest == before
    replaced = write_again(out, overwrite=True)
    assert load_bundle(out).digest == replaced.digest != before
    assert replaced.read("chart.png") == b"picture"
    assert list(tmp_path.iterdir()) == [out]


def test_foreign_folders_and_files_are_left_alone(tmp_path: Path, folder: Path) -> None:
    """A folder of photos, a file, or a bundle with something added is never replaced, `overwrite` or not."""
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "a.png").write_bytes(b"photo")
    (tmp_path / "file").write_bytes(b"file")
    (tmp_path / "folder.zip").mkdir()
    (folder / "mine.txt").write_text("mine")
    for out in (photos, tmp_path / "file", tmp_path / "folder.zip", folder):
        with pytest.raises(BundleExistsError, match="left alone"):
            write_again(out, overwrite=True)
    assert (photos / "a.png").read_bytes() == b"photo"
    assert (tmp_path / "file").read_bytes() == b"file"
    assert (folder / "mine.txt").read_text() == "mine"


def test_empty_folder_becomes_the_bundle(tmp_path: Path) -> None:
    """A folder made beforehand, empty, is a fine place."""
    (tmp_path / "out").mkdir()
    assert write_again(tmp_path / "out", overwrite=False).path == tmp_path / "out"


@contextmanager
def small_disk() -> Iterator[None]:
    """Let no file of this process grow beyond 4 KiB meanwhile: a real write that fails half-way."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("name", ["tiny", "tiny.zip"])
def test_failed_write_leaves_what_was_there(tmp_path: Path, name: str) -> None:
    """When the disk refuses in the middle, the old bundle is whole, nothing half-written remains, the text says why."""
    out = write_tiny_bundle(tmp_path / name)
    before = load_bundle(out).digest
    with small_disk(), pytest.raises(BundleWriteError, match="cannot be written") as caught:
        write_tiny_bundle(out, seed=1, overwrite=True)
    assert caught.value.exit_code == 1
    assert load_bundle(out).digest == before
    assert list(tmp_path.iterdir()) == [out]


def test_golden_vectors_that_do_not_fit_are_not_written(tmp_path: Path) -> None:
    """The maker's fault is found before anything is on disk."""
    with pytest.raises(BundleFormatError, match="scores must be finite"):
        write_bundle(
            tmp_path / "out",
            model=b"",
            draft=tiny_draft(("good", "bad"), 8, 8, 3),
            golden=Golden(inputs=INPUTS, scores=SCORES * np.nan),
        )
    assert list(tmp_path.iterdir()) == []

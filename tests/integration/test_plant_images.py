"""Images at the plant: on a real S3 server, in a folder, in another store of fsspec; none lost or written over."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from plant_images import IMAGES, fill, remove_images
from s3_server import BUCKET, KEY, SECRET, S3Server, s3_server

from inspection.api.own_ca import OwnCa
from inspection.config.load import parse_config
from inspection.part import Verdict
from inspection.plant.by_hand import copy_now
from inspection.plant.errors import PlantAwayError, PlantConflictError, PlantSettingsError
from inspection.plant.image_check import check_images
from inspection.plant.image_source import ImageSource
from inspection.plant.image_store import open_image_store, try_writing
from inspection.plant.options import PlantOptions
from inspection.plant.progress import IMAGES_FILE, save_progress
from inspection.plant.uploading import IMAGES_AT_ONCE, Uploading
from inspection.records.errors import RecordLostError
from inspection.records.reader import RecordReader

STATION = """
[camera]
backend = "simulated"
[geometry]
travel_time_s = 1.0
[ejector]
driver = "simulated"
[records]
dir = "{folder}"
[plant]
images = "{images}"
endpoint = "{endpoint}"
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with s3_server(tmp_path_factory.mktemp("s3")) as running:
        yield running


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A store of 40 records with an image each, and as many without."""
    return fill(tmp_path / "records", "r0", range(1, 2 * IMAGES + 1))


def options(server: S3Server, prefix: str, **more: Any) -> PlantOptions:
    return PlantOptions(images=f"s3://{BUCKET}/{prefix}", endpoint=server.endpoint, timeout_s=2, **more)


def uploading(folder: Path, wanted: PlantOptions) -> Uploading:
    assert wanted.images is not None
    return Uploading(folder, wanted.images, partial(open_image_store, wanted))


def drain(work: Uploading) -> None:
    while work.step():
        pass


def of_records(folder: Path, prefix: str) -> dict[str, bytes]:
    """Return what the plant must hold, by key."""
    reader = RecordReader(folder)
    kept = [record for record in reader.after(0, 10_000) if record.image_file]
    reader.close()
    return {f"{prefix}/{one.station}/{one.image_file}": (folder / one.image_file).read_bytes() for one in kept}


def there(server: S3Server, prefix: str) -> dict[str, bytes]:
    return {key: data for key, data in server.objects().items() if key.startswith(f"{prefix}/")}


def test_every_image_goes_to_s3_once(folder: Path, server: S3Server, key: None) -> None:
    """Byte for byte under its station's name; a restart goes on from where it was."""
    work = uploading(folder, options(server, "once"))
    assert work.waiting() == IMAGES
    drain(work)
    assert (work.waiting(), work.copied, work.done_to) == (0, IMAGES, 2 * IMAGES)
    work.close()
    assert there(server, "once") == of_records(folder, "once")
    again = uploading(folder, options(server, "once"))
    drain(again)
    assert again.copied == 0
    again.close()


def test_an_s3_that_is_away_costs_nothing_but_time(folder: Path, server: S3Server, key: None) -> None:
    """Killed after the first images; then hanging; each call ends by the timeout, and the rest follows in order."""
    work = uploading(folder, options(server, "away"))
    assert work.step()
    assert work.copied == IMAGES_AT_ONCE
    server.kill()
    with pytest.raises(PlantAwayError):
        work.step()
    server.start()
    assert server.process is not None
    os.kill(server.process.pid, signal.SIGSTOP)
    with pytest.raises(PlantAwayError):
        work.step()
    os.kill(server.process.pid, signal.SIGCONT)
    work.let_go()
    drain(work)
    work.close()
    assert there(server, "away") == of_records(folder, "away")


def test_a_wrong_key_is_said_without_it_and_a_right_one_taken_at_once(
    folder: Path, server: S3Server, tmp_path: Path
) -> None:
    """The secret is read at each connection, and in no text of an error."""
    secret_file = tmp_path / "secret"
    wanted = options(server, "key", secret_file=secret_file)
    work = uploading(folder, wanted)
    with pytest.raises(PlantAwayError, match="cannot be read"):
        work.step()
    secret_file.write_text(f"{KEY}\n{SECRET}-wrong\n")
    with pytest.raises(PlantAwayError, match=r"403|SignatureDoesNotMatch") as refused:
        work.step()
    assert SECRET not in str(refused.value)
    secret_file.write_text(f"{KEY}\n{SECRET}\n")
    work.let_go()
    drain(work)
    work.close()
    assert there(server, "key") == of_records(folder, "key")


def test_an_s3_over_tls_is_trusted_by_who_signed_it(folder: Path, tmp_path: Path, key: None) -> None:
    """The plant's own CA; without it, and with another one's, nothing is sent."""
    now = datetime.now(UTC)
    certificate = OwnCa.in_folder(tmp_path / "ca", now).server([], now)
    OwnCa.in_folder(tmp_path / "other", now)
    (tmp_path / "s3").mkdir()
    with s3_server(tmp_path / "s3", certificate) as secure:
        for trusted in (None, tmp_path / "other" / "ca.pem"):
            work = uploading(folder, options(secure, "tls", ca_file=trusted))
            with pytest.raises(PlantAwayError):
                work.step()
            work.close()
        work = uploading(folder, options(secure, "tls", ca_file=tmp_path / "ca" / "ca.pem"))
        drain(work)
        work.close()
        assert there(secure, "tls") == of_records(folder, "tls")


def test_nothing_is_written_over_another_image(folder: Path, server: S3Server, key: None, tmp_path: Path) -> None:
    """Two stations of one name, with runs of one name: the second stops, and the first one's images stay."""
    first = uploading(folder, options(server, "two"))
    drain(first)
    first.close()
    before = there(server, "two")
    work = uploading(fill(tmp_path / "twin", "r0", range(1, 2), grey=200), options(server, "two"))
    with pytest.raises(PlantConflictError, match="never written over"):
        work.step()
    work.close()
    assert there(server, "two") == before


def test_an_image_comes_from_the_plant_when_the_budget_took_it(folder: Path, server: S3Server, key: None) -> None:
    """With its hash: another image in its place is refused by name, and one that is nowhere is None."""
    wanted = options(server, "read")
    work = uploading(folder, wanted)
    drain(work)
    work.close()
    expected = of_records(folder, "read")
    remove_images(folder)
    assert not list((folder / "images").rglob("*.png"))
    reader = RecordReader(folder)
    source = ImageSource(reader, partial(open_image_store, wanted))
    for record in reader.after(0, 10):
        found = source.image(record.sequence)
        at = f"read/{record.station}/{record.image_file}"
        assert found == ((expected[at], "image/png") if record.image_file else None)
    assert ImageSource(reader, None).image(1) is None
    open_image_store(wanted).put("line-3/images/r0/000000/000000001.png", b"another")
    with pytest.raises(RecordLostError, match="image at the plant was changed"):
        source.image(1)
    forgetful = ImageSource(reader, partial(open_image_store, options(server, "elsewhere")))
    assert forgetful.image(3) is None
    reader.close()


def test_readers_of_images_are_not_held_up_by_a_plant_that_hangs(folder: Path, server: S3Server, key: None) -> None:
    """One waits in vain; whoever comes within some seconds is told at once."""
    wanted = options(server, "hangs")
    work = uploading(folder, wanted)
    drain(work)
    work.close()
    remove_images(folder)
    reader = RecordReader(folder)
    source = ImageSource(reader, partial(open_image_store, wanted))
    assert source.image(1) is not None
    assert server.process is not None
    os.kill(server.process.pid, signal.SIGSTOP)
    with pytest.raises(PlantAwayError):
        source.image(3)
    began_s = time.monotonic()
    for _ in range(50):
        with pytest.raises(PlantAwayError, match="a moment ago"):
            source.image(5)
    assert time.monotonic() - began_s < 1.0
    os.kill(server.process.pid, signal.SIGCONT)
    reader.close()


def test_the_budget_spares_what_waits_for_its_copy_and_wins_in_the_end(folder: Path) -> None:
    """Copied images go first, even rejected parts'; the others count as lost where copies were wanted before."""
    done_to = 20
    kept = remove_images(folder, 10, lambda: done_to)
    assert kept
    assert min(kept) > done_to
    remove_images(folder, done_to=lambda: done_to)
    for wanted_before in (False, True):
        if wanted_before:
            save_progress(folder / IMAGES_FILE, "file:///nowhere", {"records": 0})
        work = Uploading(folder, "file:///nowhere", lambda: pytest.fail("nothing is left to copy"))
        drain(work)
        assert (work.copied, work.lost, work.waiting()) == (0, IMAGES if wanted_before else 0, 0)
        work.close()


def test_a_folder_and_another_store_of_fsspec_serve_as_well(folder: Path, tmp_path: Path) -> None:
    """A mounted share, and fsspec's own driver for a folder: the same files, and no half-written ones."""
    for scheme in ("file", "local"):
        root = tmp_path / scheme
        root.mkdir()
        work = uploading(folder, PlantOptions(images=f"{scheme}://{root}"))
        drain(work)
        work.close()
        found = {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
        assert {f"x/{name}": data for name, data in found.items()} == of_records(folder, "x")


def test_a_share_that_is_gone_is_away(folder: Path, tmp_path: Path) -> None:
    """A file where the folder was, as a share that is not mounted may leave."""
    (tmp_path / "share").write_text("")
    work = uploading(folder, PlantOptions(images=f"file://{tmp_path}/share"))
    with pytest.raises(PlantAwayError):
        work.step()
    work.close()


@pytest.mark.parametrize("scheme", ["file", "local"])
def test_a_folder_that_is_not_there_is_never_made(scheme: str, folder: Path, tmp_path: Path) -> None:
    """The images wait, also in the middle of the work; once it is mounted all of them follow."""
    share = tmp_path / "unmounted" / "share"
    work = uploading(folder, PlantOptions(images=f"{scheme}://{share}"))
    for _ in range(2):
        with pytest.raises(PlantAwayError, match="mount the share"):
            work.step()
        assert not share.parent.exists()
    assert (work.copied, work.done_to, work.lost, work.waiting()) == (0, 0, 0, IMAGES)
    share.mkdir(parents=True)
    assert work.step()
    share.rename(tmp_path / "gone")
    with pytest.raises(PlantAwayError, match="mount the share"):
        work.step()
    assert not share.exists()
    (tmp_path / "gone").rename(share)
    drain(work)
    work.close()
    assert len(list(share.rglob("*.png"))) == IMAGES


@pytest.mark.parametrize("bucket", [BUCKET, "nobucket"])
def test_a_trial_writes_reads_and_removes(bucket: str, server: S3Server, key: None) -> None:
    """Nothing is left of it; a bucket that is not there is said, with what to do, for reading as well."""
    store = open_image_store(PlantOptions(images=f"s3://{bucket}/trial", endpoint=server.endpoint, timeout_s=2))
    if bucket == BUCKET:
        assert try_writing(store) == ""
        assert there(server, "trial") == {}
        return
    with pytest.raises(PlantAwayError, match=r"NoSuchBucket: .* does not exist — have it made"):
        try_writing(store)
    with pytest.raises(PlantAwayError, match="NoSuchBucket"):
        store.get("a")


def test_a_trial_in_a_folder_leaves_nothing_but_says_what_it_cannot_remove(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that lets nobody remove is one that takes images all the same."""
    store = open_image_store(PlantOptions(images=f"file://{tmp_path}"))
    assert try_writing(store) == ""
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(Path, "unlink", _refuse)
    assert "lineward-doctor could not be removed: [Errno 1] no" in try_writing(store)


def _refuse(_path: Path) -> None:
    raise PermissionError(1, "no")


def test_one_image_that_cannot_be_fetched_is_named_and_the_others_are_checked(
    folder: Path, tmp_path: Path, server: S3Server, key: None
) -> None:
    """With the next step; while the store is away ten are tried, and the rest is counted as unread."""
    share = tmp_path / "share"
    share.mkdir()
    config = parse_config(STATION.format(folder=folder, images=f"file://{share}", endpoint=""), "station.toml")
    copy_now(config, lambda *_: None)
    broken = next(share.rglob("*.png"))
    broken.unlink()
    broken.mkdir()
    report = check_images(config, lambda _at: None)
    assert (report.images, report.unread, len(report.problems)) == (IMAGES - 1, 1, 1)
    assert broken.name in report.problems[0]
    assert "repeat the command" in report.problems[0]
    values = STATION.format(folder=folder, images=f"s3://{BUCKET}/away", endpoint="http://127.0.0.1:9")
    report = check_images(parse_config(values, "station.toml"), lambda _at: None)
    assert (report.images, report.unread, len(report.problems)) == (0, IMAGES, 10)
    assert "Generic" not in report.problems[0]
    assert "a store that answers is needed" in report.problems[0]
    assert "no further one is tried" in report.problems[-1]


def test_a_bucket_that_is_missing_loses_nothing(folder: Path, server: S3Server, key: None) -> None:
    """No image counts as copied; once the bucket is there all of them follow."""
    wanted = PlantOptions(images="s3://not-there/x", endpoint=server.endpoint, timeout_s=2)
    work = uploading(folder, wanted)
    for _ in range(2):
        with pytest.raises(PlantAwayError):
            work.step()
    assert (work.copied, work.done_to, work.lost) == (0, 0, 0)
    (server.folder / "not-there").mkdir()
    server.kill()  # it would remember for minutes that there is none
    server.start()
    work.let_go()
    drain(work)
    work.close()
    assert len(list((server.folder / "not-there").rglob("*.png"))) == IMAGES


def test_a_store_that_fsspec_does_not_know_is_refused_at_the_start(folder: Path) -> None:
    """By name, with what to install."""
    work = uploading(folder, PlantOptions(images="nosuchstore://bucket/x"))
    with pytest.raises(PlantSettingsError, match="nosuchstore"):
        work.step()
    work.close()


@pytest.mark.parametrize("address", ["memory://x", "s3://", "bucket/x", "http://x/y", "s3://key:secret@bucket/x"])
def test_an_address_where_nothing_lasts_is_refused(address: str) -> None:
    """With the configuration."""
    with pytest.raises(ValueError, match=r"is needed|kept out"):
        PlantOptions(images=address)


def test_a_verdict_decides_no_order_of_copies(folder: Path, tmp_path: Path) -> None:
    """Copies go by record, so that `done_to` holds for passed and rejected parts alike."""
    work = uploading(folder, PlantOptions(images=f"file://{tmp_path}"))
    work.step()
    reader = RecordReader(folder)
    records = [record for record in reader.after(0, 1000) if record.image_file]
    reader.close()
    assert {record.verdict for record in records[:IMAGES_AT_ONCE]} == set(Verdict)
    assert work.done_to == records[IMAGES_AT_ONCE - 1].sequence
    work.close()

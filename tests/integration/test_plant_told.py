"""What the commands about the plant's copy say while one of its two servers is away, and of images that went early."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import grpc
import pytest
from api_station import BenchLine, serving
from plant_images import IMAGES, fill, remove_images
from postgres import Postgres, postgres
from s3_server import BUCKET, KEY, SECRET, S3Server, s3_server
from typer.testing import CliRunner

from inspection.api import v1 as pb
from inspection.api.feed import RecordFeed
from inspection.api.v1_grpc import ResultServiceStub
from inspection.cli.main import app
from inspection.config import StationConfig, load_config
from inspection.plant.by_hand import copy_now, status
from inspection.plant.errors import PlantError
from inspection.plant.image_check import check_images
from inspection.plant.image_source import ImageSource
from inspection.plant.image_store import open_image_store
from inspection.plant.never_copied import NEVER_COPIED_FILE
from inspection.plant.progress import IMAGES_FILE, RECORDS_FILE
from inspection.plant.uploading import IMAGES_AT_ONCE, Uploading
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
postgresql = "{url}"
schema = "{schema}"
images = "s3://{bucket}/{schema}"
endpoint = "{endpoint}"
timeout_s = 2
"""


@pytest.fixture(scope="module")
def database() -> Iterator[Postgres]:
    with postgres() as running:
        yield running


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with s3_server(tmp_path_factory.mktemp("s3")) as running:
        yield running


@pytest.fixture
def file(tmp_path: Path, database: Postgres, store: S3Server, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A station's file: 80 records, every second with an image; a schema and a prefix of its own."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    folder = fill(tmp_path / "records", "r0", range(1, 2 * IMAGES + 1))
    schema = f"s_{uuid.uuid4().hex}"
    values = {"folder": folder, "url": database.url, "schema": schema, "bucket": BUCKET, "endpoint": store.endpoint}
    file = tmp_path / "station.toml"
    file.write_text(STATION.format(**values))
    return file


@pytest.fixture
def config(file: Path) -> StationConfig:
    return load_config(file)


def away(file: Path, *, images: bool = False) -> Path:
    """The same station with a database, or an image store, that is not there."""
    other, text = file.with_name("away.toml"), file.read_text()
    parts = ("s3://" + BUCKET, "s3://nobucket") if images else ("postgresql://postgres@", "postgresql://nobody@")
    other.write_text(text.replace(*parts))
    assert other.read_text() != text
    return other


def told(*arguments: object) -> tuple[int, str]:
    run = CliRunner().invoke(app, [*map(str, arguments)])
    return run.exit_code, f"{run.output}{run.exception if isinstance(run.exception, PlantError) else ''}"


def test_each_half_of_a_check_is_told_while_the_other_is_away(file: Path, config: StationConfig) -> None:
    """Rows while S3 is, images while the database is; nothing that could not be looked at counts as sound."""
    copy_now(config, lambda *_: None)
    exit_code, text = told("records", "verify-copy", "--images", away(file, images=True))
    assert exit_code == 1
    assert "copy: 80 records" in text
    assert "NoSuchBucket" in text
    assert "intact" not in text
    exit_code, text = told("records", "verify-copy", "--images", away(file))
    assert exit_code == 1
    assert f"copy: {IMAGES} images, 0 wait still" in text
    assert "the copy of the records could not be checked" in text
    assert "1 problem " in text
    assert "0 records" not in text
    _, text = told("records", "verify-copy", "--images", "--json", away(file))
    found = json.loads(text)
    assert (found["ok"], found["images"]["images"], found["records"]["problem_count"]) == (False, IMAGES, 1)


def test_each_half_is_copied_while_the_other_is_away(file: Path, config: StationConfig, store: S3Server) -> None:
    """By hand, too; the exit code and the text say that the other one was not."""
    exit_code, text = told("records", "forward", "--once", away(file))
    assert exit_code == 1
    assert f"images: {IMAGES} copied now, 0 wait" in text
    assert "nobody" in text
    assert len([key for key in store.objects() if key.startswith(f"{config.plant.db_schema}/")]) == IMAGES
    exit_code, text = told("records", "forward", "--once", away(file, images=True))
    assert exit_code == 1
    assert "records: 81 copied now, 0 wait" in text
    assert "NoSuchBucket" in text


def test_doctor_finds_the_bucket_that_is_missing(file: Path) -> None:
    """A cross with what to do, and exit 1; beside it the database's tick."""
    assert told("doctor", "plant", file)[0] == 0
    exit_code, text = told("doctor", "plant", away(file, images=True))
    assert exit_code == 1
    assert "✗  plant's image store  s3://nobucket" in text
    assert "✓  plant's database" in text


def test_what_is_shown_as_last_is_a_copy_and_never_an_attempt(file: Path, config: StationConfig) -> None:
    """Attempts that failed leave it as it was, and are told beside it with their own time."""
    for name in ("records", "images"):
        copy_now(config, lambda *_: None)
        before = status(config)
        fill(config.records.dir, f"of-{name}", range(1, 5))
        other = away(file, images=name == "images")
        for progress in (RECORDS_FILE, IMAGES_FILE):  # what is known of the place that is away now
            kept = config.records.dir / progress
            kept.write_text(kept.read_text().replace(BUCKET, "nobucket").replace("//postgres@", "//nobody@"))
        assert told("records", "forward", "--once", other)[0] == 1
        one = status(load_config(other))[name]
        assert 0 < one.last_wall_ns == before[name].last_wall_ns < one.asked_wall_ns
        assert one.trouble
        text = told("records", "forward", other)[1]
        assert "last copied 20" in text
        assert "as last known; asked at 20" in text
        for progress in (RECORDS_FILE, IMAGES_FILE):
            kept = config.records.dir / progress
            kept.write_text(kept.read_text().replace("nobucket", BUCKET).replace("//nobody@", "//postgres@"))
    (config.records.dir / RECORDS_FILE).unlink()
    assert told("records", "forward", "--once", file)[0] == 0
    assert "0 wait, last copied at a time that is not known, to postgresql" in told("records", "forward", file)[1]


def test_before_anything_is_there_each_command_says_one_sentence(file: Path, tmp_path: Path) -> None:
    """Neither a schema nor a store: no word of SQL, no traceback."""
    for command in (["forward"], ["forward", "--json"], ["verify-copy", "--images"], ["verify-copy", "--json"]):
        text = told("records", *command, file)[1]
        assert "relation" not in text
        assert "SELECT" not in text
        assert "Traceback" not in text
    bare = tmp_path / "bare.toml"
    bare.write_text(file.read_text().replace("/records", "/none"))
    for command in (["forward"], ["forward", "--once"], ["verify-copy", "--images"]):
        run = CliRunner().invoke(app, ["records", *command, str(bare)])
        assert getattr(run.exception, "exit_code", None) == 2
        assert "holds no records.sqlite" in str(run.exception)


def test_images_that_went_before_their_copy_are_told_apart_from_lost_ones(
    file: Path, config: StationConfig, store: S3Server
) -> None:
    """While they wait, after the others are copied, and beside one that was copied, went here, and is gone there."""
    assert config.plant.images is not None
    remove_images(config.records.dir, 10)
    gone = IMAGES - len(left(config))
    report = check_images(config, lambda _at: None)
    assert (report.images, report.waiting, report.nowhere, report.problems) == (0, IMAGES - gone, gone, [])
    copy_now(config, lambda *_: None)
    exit_code, text = told("records", "verify-copy", "--images", file)
    assert exit_code == 0
    assert f"copy: {IMAGES - gone} images, 0 wait still" in text
    assert f"{gone} images went before they were copied" in text
    kept = left(config)
    remove_images(config.records.dir, IMAGES)
    assert check_images(config, lambda _at: None).problem_count == 0
    opened = open_image_store(config.plant)
    opened.remove(f"line-3/images/r0/000000/{kept[0]:09d}.png")
    report = check_images(config, lambda _at: None)
    assert (report.images, report.nowhere, report.problem_count) == (IMAGES - gone - 1, gone, 1)
    assert f"record {kept[0]}: its image" in report.problems[0]
    assert "was copied and is missing at the plant" in report.problems[0]
    assert told("records", "verify-copy", "--images", file)[0] == 1


def test_what_was_noted_belongs_to_one_place_and_one_store(config: StationConfig, tmp_path: Path) -> None:
    """Another address looks at everything anew, and so does a store that was put back from an older copy."""
    remove_images(config.records.dir, 10)
    for name in ("a", "b"):
        place = tmp_path / name
        place.mkdir()
        drain(config, f"file://{place}")
    noted = (config.records.dir / NEVER_COPIED_FILE).read_text().splitlines()
    assert noted[0] == f"file://{tmp_path}/b"
    assert len(noted) == 1 + IMAGES - len(left(config))
    kept = config.records.dir / IMAGES_FILE
    kept.write_text(kept.read_text().replace(f'"records": {2 * IMAGES}', f'"records": {20 * IMAGES}'))
    (config.records.dir / NEVER_COPIED_FILE).write_text(f"file://{tmp_path}/b\n41\n777\n")
    drain(config, f"file://{tmp_path}/b")
    assert "777" not in (config.records.dir / NEVER_COPIED_FILE).read_text()


def test_nothing_counts_as_done_while_it_cannot_be_noted(config: StationConfig, tmp_path: Path) -> None:
    """A disk that refuses: the next step looks at the same images again."""
    remove_images(config.records.dir, IMAGES)
    (config.records.dir / NEVER_COPIED_FILE).mkdir()
    work = Uploading(config.records.dir, "file:///nowhere", partial(open_image_store, config.plant))
    for _ in range(2):
        with pytest.raises(OSError, match="directory"):
            work.step()
        assert work.done_to == 0
    (config.records.dir / NEVER_COPIED_FILE).rmdir()
    assert work.step() is (IMAGES > IMAGES_AT_ONCE)
    work.close()


def test_whoever_asks_for_an_image_that_is_gone_is_told_where_it_went(config: StationConfig) -> None:
    """It comes from the plant while it is there; else the refusal names place and key, or that it was never copied."""
    remove_images(config.records.dir, 10)
    gone = sorted({*range(1, 2 * IMAGES, 2)} - {*left(config)})
    copy_now(config, lambda *_: None)
    kept = left(config)
    remove_images(config.records.dir, IMAGES)
    reader = RecordReader(config.records.dir)
    feed = RecordFeed(reader)
    opening = partial(open_image_store, config.plant)
    feed.images = ImageSource(reader, opening).image
    with serving(BenchLine(), feed) as address, grpc.insecure_channel(address) as channel:
        results = ResultServiceStub(channel)
        given = list(results.GetResultImage(pb.GetResultImageRequest(sequence=kept[0])))
        key = f"line-3/images/r0/000000/{kept[0]:09d}.png"
        assert given[0].data == opening().get(key)
        opening().remove(key)
        for sequence, words in ((kept[0], f"{config.plant.images} as {key}"), (gone[0], "before it was copied to s3")):
            with pytest.raises(grpc.RpcError) as refused:
                list(results.GetResultImage(pb.GetResultImageRequest(sequence=sequence)))
            assert refused.value.code() is grpc.StatusCode.NOT_FOUND
            assert words in refused.value.details()
        with pytest.raises(grpc.RpcError, match="none was kept of this part"):
            list(results.GetResultImage(pb.GetResultImageRequest(sequence=2)))
    (config.records.dir / IMAGES_FILE).unlink()
    assert feed.whereabouts(reader.get(kept[0])).endswith("and images are copied nowhere")
    reader.close()


def drain(config: StationConfig, place: str) -> None:
    plant = config.plant.model_copy(update={"images": place})
    work = Uploading(config.records.dir, place, partial(open_image_store, plant))
    while work.step():
        pass
    work.close()


def left(config: StationConfig) -> list[int]:
    reader = RecordReader(config.records.dir)
    kept = [record.sequence for record in reader.after(0, 1000) if record.has_image]
    reader.close()
    return kept

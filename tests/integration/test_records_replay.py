"""A year later a stored record is scored again: the very same bits, or a plain word why that cannot be."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from station_runs import GOES_ON, run_to_the_end
from typer.testing import CliRunner

from inspection.cli.main import app
from inspection.config import StationConfig
from inspection.records.images import encode_image
from inspection.records.model_input import inputs_of, with_inputs
from inspection.records.reader import RecordReader
from inspection.records.record import StoredRecord
from inspection.records.schema import DATABASE_FILE
from inspection.records.verify import verify
from inspection.station import Station
from models.bundle import load_bundle
from models.engines import installed, open_engine
from models.references import resolve_bundle

PARTS = 60
BELT = {"backend": "simulated", "speed_mm_s": 600.0, "pitch_mm": 60.0, "jitter_mm": 3.0, "seed": 4, "parts": PARTS}
SIDE = {"name": "side", "position_mm": 60.0, "lost_frame_rate": 0.1, **BELT}
ALL = {"keep_inputs": "all", "ok_sample": 1}


def run(folder: Path, *cameras: dict[str, Any], engine: str = "onnxruntime", **records: Any) -> list[StoredRecord]:
    """Run a whole simulated station with the model that comes along."""
    config = StationConfig.model_validate(
        {
            "camera": [{"name": "top", **BELT}, *cameras],
            "geometry": {"camera_to_ejector_mm": 480.0, "belt_speed_mm_s": 600.0, "closest_ms": 60.0},
            "simulation": {"seed": 10_000, "defect_rate": 0.2},
            "inference": {"workers": 2, "engine": engine},
            "ejector": {"driver": "simulated", "heartbeat_channel": 2, "window_ms": 20.0, "pulse_ms": 20.0},
            "records": {"dir": str(folder), "min_free_mb": 0, **records},
            "reactions": GOES_ON,
        }
    )
    return run_to_the_end(Station(config))


def replayed(folder: Path, *words: str) -> tuple[int, dict[str, Any]]:
    result = CliRunner().invoke(app, ["records", "replay", "--dir", str(folder), "--json", *words])
    return result.exit_code, json.loads(result.stdout)


@pytest.mark.parametrize("engine", installed())
def test_every_kept_record_is_scored_again_with_the_same_bits(tmp_path: Path, engine: str) -> None:
    """A real run on each engine: all raw scores and the score of every record whose input was kept, bit for bit."""
    records = run(tmp_path, engine=engine, **ALL)
    scored = [record.sequence for record in records if record.raw_scores and record.has_image]
    assert len(scored) > PARTS // 2
    code, told = replayed(tmp_path, "--last", "1000")
    equal = [one["sequence"] for one in told["records"] if one["outcome"] == "EQUAL"]
    assert (code, told["different"], equal) == (0, 0, scored)
    assert verify(tmp_path).ok
    assert {record.provider for record in records} == {
        open_engine(load_bundle(resolve_bundle("zoo:parts")), engine).provider
    }


def test_each_view_of_a_part_is_scored_again(tmp_path: Path) -> None:
    """Two cameras, a tenth of the second one's frames lost: each view that was judged has its own input and batch."""
    records = run(tmp_path, SIDE, **ALL)
    code, told = replayed(tmp_path, "--last", "1000")
    views = {one["sequence"]: one["views"] for one in told["records"] if one["outcome"] == "EQUAL"}
    assert (code, told["different"]) == (0, 0)
    for record in records:
        if record.sequence in views:
            judged = [view for view in record.extra["views"] if view.get("raw_scores")]
            assert views[record.sequence] == len(judged)
    assert {1, 2} <= set(views.values())


def test_rejected_parts_alone_by_default_and_the_others_are_told(tmp_path: Path) -> None:
    """Without a word about it the rejected ones can be scored again; of a passed one it is said what is missing."""
    records = run(tmp_path, ok_sample=1)
    suspects = [one.sequence for one in records if one.evaluation == "NOT_OK" and one.has_image]
    code, told = replayed(tmp_path, "--last", "1000")
    assert [one["sequence"] for one in told["records"] if one["outcome"] == "EQUAL"] == suspects != []
    assert (code, told["different"]) == (0, 0)
    others = {one["why"] for one in told["records"] if one["outcome"] == "IMPOSSIBLE"}
    assert others == {"its image is what people look at, without what the model got (records.keep_inputs)"}
    passed = next(one.sequence for one in records if one.evaluation == "OK" and one.has_image)
    assert replayed(tmp_path, str(suspects[0]), str(passed))[0] == 1
    reader = RecordReader(tmp_path)
    image = next(iter(tmp_path.glob(reader.get(suspects[0]).image_file)))
    reader.close()
    image.write_bytes(image.read_bytes() + b" ")
    assert "changed" in replayed(tmp_path, str(suspects[0]))[1]["records"][0]["why"]
    image.unlink()
    assert "cannot be read" in replayed(tmp_path, str(suspects[0]))[1]["records"][0]["why"]


def test_one_other_bit_is_different(tmp_path: Path) -> None:
    """A raw score in the record that is one unit in the last place off, and a bundle that is not at hand, are told."""
    records = run(tmp_path, **ALL)
    chosen = next(one for one in records if one.raw_scores and one.has_image)
    off = [float(np.nextafter(np.float32(chosen.raw_scores[0]), np.float32(np.inf))), *chosen.raw_scores[1:]]
    with closing(sqlite3.connect(tmp_path / DATABASE_FILE, isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER records_no_update")
        connection.execute("UPDATE records SET raw_scores = ? WHERE sequence = ?", (json.dumps(off), chosen.sequence))
    code, told = replayed(tmp_path, str(chosen.sequence))
    assert (code, told["different"]) == (1, 1)
    assert told["records"][0]["furthest"] > 0
    with closing(sqlite3.connect(tmp_path / DATABASE_FILE, isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER runs_no_update")
        connection.execute("UPDATE runs SET bundle_digest = 'abc'")
    code, told = replayed(tmp_path, str(chosen.sequence))
    assert (code, told["impossible"]) == (1, 1)
    assert "name it with --bundle" in told["records"][0]["why"]


@pytest.mark.parametrize("engine", installed())
def test_what_else_is_in_a_batch_changes_no_bit(engine: str) -> None:
    """Why a record needs its own input alone: on each engine, for batches of 1 to 8 and each place in them."""
    bundle = load_bundle(resolve_bundle("zoo:parts"))
    session, size = open_engine(bundle, engine), bundle.card.input
    images = np.random.default_rng(1).integers(0, 255, (8, size.height, size.width, size.channels), dtype=np.uint8)
    for count in range(1, 9):
        for place in range(count):
            black = np.zeros_like(images[:count])
            black[place] = images[place]
            assert session.run(black)[place].tobytes() == session.run(images[:count])[place].tobytes()


@given(
    shape=st.tuples(st.integers(1, 9), st.integers(1, 9), st.sampled_from((1, 3))),
    views=st.lists(st.booleans(), min_size=1, max_size=4),
    seed=st.integers(0, 9),
    image_format=st.sampled_from(("jpeg", "png", "tiff")),
)
def test_what_the_model_got_comes_back_as_it_was(
    shape: tuple[int, int, int], views: list[bool], seed: int, image_format: Any
) -> None:
    """Any size and number of views, behind a picture of any format, which is read as before; cut off, it is told."""
    chance = np.random.default_rng(seed)
    picture = encode_image(chance.integers(0, 255, (5, 7, 3), dtype=np.uint8), image_format)
    inputs = [chance.integers(0, 255, shape, dtype=np.uint8) if there else None for there in views]
    data = with_inputs(picture, inputs)
    assert data.startswith(picture)
    found = inputs_of(data)
    if not any(views):
        assert (data, found) == (picture, ())
        return
    assert len(found) == len(inputs)
    for one, other in zip(found, inputs, strict=True):
        assert (one is None) == (other is None)
        assert one is None or other is None or (one.shape == other.shape and one.tobytes() == other.tobytes())
    with pytest.raises(ValueError, match="cut off"):
        inputs_of(data[-40:])

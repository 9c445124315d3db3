"""`lineward bench training`: folds without leaks, figures pooled, folds kept, and nothing made up."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from datasets.sample import Dataset, Sample
from datasets.splitfile import read_split, write_split
from datasets.splits import Split
from inspection.cli.main import app
from training.bench.first_model import measure_first_model
from training.bench.fold import FoldResult, Plan, run_fold
from training.bench.folds import cut_folds
from training.bench.inference import measure_inference
from training.bench.peak import Peak
from training.bench.pool import at_thresholds, figures, pooled, read_scored
from training.bench.sets import SETS, choose_sets
from training.bench.throughput import measure_throughput
from training.classify.lesson import ClassLesson
from training.deployed import Deployed
from training.errors import SettingsError, TrainingDataError
from training.fitting import Fitting
from training.metrics import Scored
from training.network import Start, build_network
from training.settings import TrainSettings

pytestmark = pytest.mark.training

GROUPS = st.lists(st.tuples(st.sampled_from(["good", "chip", "stain"]), st.integers(1, 4)), min_size=12, max_size=40)


def dataset_of(pieces: list[tuple[str, int]]) -> Dataset:
    """Images of pieces, each given by its class and how many images show it."""
    samples = [
        Sample(Path(f"/data/{label}/{piece}-{view}.png"), label, f"piece{piece}", None, None)
        for piece, (label, views) in enumerate(pieces)
        for view in range(views)
    ]
    classes = ("good", *sorted({label for label, _ in pieces} - {"good"}))
    return Dataset(Path("/data"), "class-folders", "good", tuple(samples), classes)


def parts(split: Split) -> list[set[str]]:
    """The groups of each part."""
    return [{sample.group for sample in part} for part in (split.train, split.validation, split.test)]


@settings(max_examples=25, deadline=None)
@given(pieces=GROUPS, count=st.integers(2, 4), task=st.sampled_from(["classify", "anomaly"]))
def test_folds_test_each_image_once_and_part_no_piece(pieces: list[tuple[str, int]], count: int, task: str) -> None:
    """Whatever the classes and pieces: no group in two parts, every image tested once, anomaly trains on good alone."""
    pieces = [*pieces, *[(label, 1) for label in ("good", "chip", "stain") for _ in range(count + 2)]]
    dataset = dataset_of(pieces)
    splits = cut_folds(dataset, count, task)
    tested = [sample for split in splits for sample in split.test]
    assert len(tested) == len(dataset.samples)
    assert set(tested) == set(dataset.samples)
    for split in splits:
        train, validation, test = parts(split)
        assert not train & validation
        assert not (train | validation) & test
        assert len(split.train) + len(split.validation) + len(split.test) == len(dataset.samples)
        assert split.train
        if task == "anomaly":
            assert {sample.label for sample in split.train} == {"good"}


def test_too_few_pieces_of_a_class_are_told_by_name() -> None:
    """A class of two pieces cannot be tested in five folds."""
    with pytest.raises(TrainingDataError, match="'chip' has 2 independent piece"):
        cut_folds(dataset_of([("good", 1)] * 9 + [("chip", 3)] * 2), 5, "classify")


def test_pooled_figures_are_those_of_all_images_and_count_pieces() -> None:
    """Two folds of 10 and 20 images: shares of 30, an interval as wide as 15 independent cases give."""
    raw = np.tile(np.array([[2.0, 0.0], [0.0, 2.0]], np.float32), (15, 1))
    truth = np.tile(np.array([0, 1]), 15)
    truth[-1] = 0
    groups = tuple(f"p{row // 2}" for row in range(30))
    both = pooled([Scored(raw[:10], truth[:10], groups[:10], 0), Scored(raw[10:], truth[10:], groups[10:], 0)])
    found = figures(both, ("good", "chip"), has_good=True)
    accuracy = found["accuracy"]
    assert isinstance(accuracy, dict)
    assert (accuracy["right"], accuracy["of"], found["groups"]) == (29, 30, 15)
    assert accuracy["low"] < 0.79  # of 30 independent images it would be 0.83
    auroc = found["auroc"]
    assert isinstance(auroc, dict)
    assert auroc["value"] == pytest.approx(1 - 0.5 / 16, abs=1e-4)
    assert figures(both, ("good", "chip"), has_good=False)["auroc"] is None


def test_images_of_several_types_are_right_when_one_of_them_is_found() -> None:
    """A fold with several types joins one without."""
    types = np.array([[False, True, True]])
    one = Scored(np.array([[0, 0, 3]], np.float32), np.array([1]), ("a",), 0, types)
    other = Scored(np.array([[0, 0, 3]], np.float32), np.array([1]), ("b",), 0)
    accuracy = figures(pooled([one, other]), ("good", "chip", "stain"), has_good=False)["accuracy"]
    assert isinstance(accuracy, dict)
    assert (accuracy["right"], accuracy["of"]) == (1, 2)


def test_what_no_training_picture_looked_like_counts_as_stopped() -> None:
    """A novel defect does not escape although its score would pass it, a novel good part is overkill."""
    raw = np.array([[0, -3], [0, -3], [0, 3], [0, -3], [0, -3]], np.float32)
    novel = np.array([True, False, False, True, False])
    part = Scored(raw, np.array([1, 1, 1, 0, 0]), tuple("abcde"), 0, novel=novel)
    result = FoldResult(
        train_s=1.0, peak_whole_mb=None, peak_own_mb=None, threshold=0.5, classes=("good", "chip"), network="compact"
    )
    assert at_thresholds([part], [result]) == {"escapes": "1/3", "overkills": "1/2"}


PEAK = """
import json, sys
import numpy as np
from training.bench.peak import Peak
with Peak() as before:
    pass
with Peak() as after:
    mapped = np.load(sys.argv[1], mmap_mode="r")
    own = np.ones(60_000_000, np.uint8)
    assert int(mapped.sum()) == 80_000_000
print(json.dumps([before.own_mb, after.own_mb, after.whole_mb]))
"""


def test_the_peak_tells_own_memory_from_mapped_files(tmp_path: Path) -> None:
    """80 MB of a mapped file count in the whole, not in what is the process's own; 60 MB of its own count in both.

    In a process that does nothing else: one in which other tests ran gives memory back in between.
    """
    np.save(tmp_path / "pixels.npy", np.ones(80_000_000, np.uint8))
    command = [sys.executable, "-c", PEAK, str(tmp_path / "pixels.npy")]
    told = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout
    before_own_mb, own_mb, whole_mb = json.loads(told)
    assert 50 < own_mb - before_own_mb < 130
    assert whole_mb > own_mb + 60


def test_every_set_has_an_aim_and_unknown_names_are_refused() -> None:
    """The six sets of the development data, each with a target; a misspelt one is named with those there are."""
    assert [one.name for one in SETS] == ["x_sdd", "magnetic_tile", "deeppcb", "cookies", "aliens", "screws_missing"]
    assert all(one.target for one in SETS)
    with pytest.raises(SettingsError, match="x_sddd: is no set — there are x_sdd"):
        choose_sets(["x_sddd"])


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small folders laid out as x_sdd and screws_missing are, and a 'magnetic_tile' with one cracked piece alone."""
    root = tmp_path_factory.mktemp("sets")
    rng = np.random.default_rng(0)
    for index, name in enumerate(("red iron", "slag inclusion", "surface scratch")):
        (root / "x_sdd" / name).mkdir(parents=True)
        for number in range(6):
            pixels = rng.integers(60 * index, 60 * index + 90, (32, 32, 3), np.uint8)
            cv2.imwrite(str(root / "x_sdd" / name / f"{name[:3]}{number}.jpg"), pixels)
    (root / "screws_missing" / "train_val_set").mkdir(parents=True)
    for number in range(8):
        bits = f"{(number * 5 + 3) % 16:04b}"
        pixels = rng.integers(90, 160, (789, 600, 3), np.uint8)
        for place, bit in enumerate(bits):
            x, y = 300 * (place % 2) + 150, 350 * (place // 2) + 175
            cv2.circle(pixels, (x, y), 80, (240, 240, 240) if bit == "1" else (5, 5, 5), -1)
        cv2.imwrite(str(root / "screws_missing" / "train_val_set" / f"{number}_{bits}.jpg"), pixels)
    for name, count in (("MT_Free", 6), ("MT_Crack", 1)):
        (root / "magnetic_tile" / name).mkdir(parents=True)
        for number in range(count):
            cv2.imwrite(str(root / "magnetic_tile" / name / f"{number}.jpg"), rng.integers(0, 255, (32, 32), np.uint8))
    return root


def bench(data: Path, out: Path, *more: str) -> tuple[int, dict[str, object]]:
    """Run the command as a shell would, in this process; the exit code and its object."""
    options = ["--data", str(data), "--out", str(out), "--backbone", "compact", "--threads", "1", "--quick", "--json"]
    done = CliRunner().invoke(app, ["bench", "training", *options, *more], catch_exceptions=False)
    return done.exit_code, json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def first(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, object]]:
    """One run of a set, and of two that cannot be measured."""
    out = tmp_path_factory.mktemp("bench")
    names = ("x_sdd", "magnetic_tile", "deeppcb", "inference")
    code, result = bench(data, out, *[word for name in names for word in ("--only", name)], "--folds", "2")
    assert code == 1  # a set failed
    return out, result


def test_a_set_is_measured_or_it_is_said_why_not(first: tuple[Path, dict[str, object]]) -> None:
    """One set has figures and a fold; one is not there, one has too few pieces: no figure is made up."""
    sets = first[1]["sets"]
    assert isinstance(sets, dict)
    states = {name: one["state"] for name, one in sets.items()}
    assert states == {"x_sdd": "measured", "magnetic_tile": "failed", "deeppcb": "not run"}
    assert "no such folder" in sets["deeppcb"]["why"]
    assert "'MT_Crack' has 1 independent piece" in sets["magnetic_tile"]["why"]
    assert all("accuracy" not in sets[name] for name in ("magnetic_tile", "deeppcb"))
    x_sdd = sets["x_sdd"]
    assert x_sdd["auroc"] is None
    assert x_sdd["accuracy"]["of"] == x_sdd["images"] == sum(row["images"] for row in x_sdd["folds"])
    assert x_sdd["classes"] == ["red iron", "slag inclusion", "surface scratch"]
    assert x_sdd["reached"] == {"accuracy": None}  # a quick run reaches nothing
    assert x_sdd["peak_own_mb"] > 50
    assert x_sdd["train_s_per_fold"] > 0
    assert x_sdd["settings"]["backbone"] == "compact"


def test_finished_folds_are_taken_up_and_others_are_not_mixed_in(
    data: Path, first: tuple[Path, dict[str, object]]
) -> None:
    """The same command gives the same figures without training; with other settings the folder is refused."""
    out, result = first
    sets = result["sets"]
    assert isinstance(sets, dict)
    made = (out / "x_sdd" / "fold-1" / "result.json").stat().st_mtime_ns
    code, again = bench(data, out, "--only", "x_sdd", "--folds", "2")
    assert code == 0
    assert again["sets"] == {"x_sdd": sets["x_sdd"]}
    assert (out / "x_sdd" / "fold-1" / "result.json").stat().st_mtime_ns == made
    code, other = bench(data, out, "--only", "x_sdd", "--folds", "2", "--epochs", "2")
    assert code == 1
    refused = other["sets"]
    assert isinstance(refused, dict)
    assert "settings differ" in refused["x_sdd"]["why"]


def test_each_place_of_an_image_is_judged_by_itself(data: Path, tmp_path: Path) -> None:
    """A fold of images with four places has four verdicts an image, and counts their images as pieces."""
    one = next(row for row in SETS if row.name == "screws_missing")
    location = one.find(data, tmp_path)
    split = cut_folds(location.read(), 2, "classify")[0]
    write_split(tmp_path / "split.csv", location.read(), split)
    plan = Plan(
        place=tmp_path,
        task="classify",
        settings=TrainSettings(
            backbone="compact", epochs=1, height=96, width=72, tile=32, threads=1, batch_size=64, find_groups=False
        ),
        split=tmp_path / "split.csv",
        folder=location.folder,
        form=None,
        annotations=location.annotations,
        good=None,
        groups=None,
    )
    result = run_fold(plan)
    scored = read_scored(tmp_path)
    assert result.classes == ("good", "defect")
    assert len(scored.truth) == len(split.test)
    assert len(set(scored.groups)) == len(split.test) // 4
    assert int(scored.truth.sum()) == sum(sample.label == "missing" for sample in split.test)
    assert run_fold(plan) == result  # what is finished is not made again


def test_the_cost_of_a_model_is_its_own_beside_its_backbone(first: tuple[Path, dict[str, object]]) -> None:
    """Both graphs are run in turn; without an anomaly model nothing is claimed."""
    out, result = first
    found = measure_inference(out / "x_sdd" / "fold-1" / "bundle", repeats=3)
    assert found["state"] == "measured"
    assert isinstance(found["ratio"], float)
    assert found["ratio"] > 0
    inference = result["inference"]
    assert isinstance(inference, dict)
    assert inference["state"] == "not run"


def test_throughput_compares_the_real_loop_with_bare_steps() -> None:
    """Both loops learn as many images; what a first model takes follows from the measured steps."""
    said: list[str] = []
    chosen = TrainSettings(backbone="compact", height=32, width=32, batch_size=64, threads=1, epochs=2)
    found = measure_throughput(chosen, Start(None, ""), rounds=1, say=said.append)
    assert len(said) == 1
    rate, bare, ratio = found["images_per_s"], found["bare_images_per_s"], found["ratio"]
    assert isinstance(rate, float)
    assert isinstance(bare, float)
    assert ratio == pytest.approx(rate / bare, rel=0.02)
    estimate = found["first_model_1000_photos_s"]
    assert isinstance(estimate, float)
    assert estimate >= 2 * 600 / rate * 0.99  # two epochs of 600 images, and passes
    assert "estimated" in str(found["first_model_is"])


def test_a_first_model_is_timed_on_as_many_photos_as_it_says(data: Path, tmp_path: Path) -> None:
    """So many photos of the first classified set are copied and trained on; with too few it is said to be not run."""
    chosen = TrainSettings(backbone="compact", height=32, width=32, batch_size=64, threads=1, epochs=1)
    said: list[str] = []
    found = measure_first_model(data, tmp_path, SETS, chosen, said.append, photos=15)
    assert isinstance(found["first_model_15_photos_s"], float)
    assert "15 photos of x_sdd" in str(found["first_model_is"])
    assert len(list((tmp_path / "first-model" / "data" / "x_sdd").rglob("*.jpg"))) == 15
    assert "not run" in str(measure_first_model(data, tmp_path, SETS, chosen, said.append, photos=99)["first_model_is"])


def test_more_images_take_no_more_memory(tmp_path: Path) -> None:
    """An epoch over 16 times as many images on disk needs no more memory of its own, for all that they take 12 MB."""
    chosen = TrainSettings(
        backbone="compact",
        height=32,
        width=32,
        batch_size=64,
        threads=1,
        epochs=4,
        flips=False,
        moves=False,
        light=False,
    )
    model = Deployed(build_network("compact", 2, Start(None, "")))
    peaks = []
    for count in (256, 256, 4096):
        pixels = np.lib.format.open_memmap(
            tmp_path / f"{count}.npy", mode="w+", dtype=np.uint8, shape=(count, 32, 32, 3)
        )
        photos = (pixels, np.arange(count) % 2)
        fitting = Fitting(ClassLesson(model, chosen, photos, photos, pretrained=False, good_index=0), chosen)
        with Peak() as peak:
            fitting.run_epoch(lambda: None)
        peaks.append(peak.own_mb)
    assert peaks[1] is not None
    assert peaks[2] is not None
    assert peaks[2] - peaks[1] < 8


def test_places_of_an_image_may_have_several_labels(data: Path, tmp_path: Path) -> None:
    """A split file names an image once, whatever the labels of its places."""
    place = tmp_path / "screws"
    place.mkdir()
    one = next(row for row in SETS if row.name == "screws_missing")
    location = one.find(data, place)
    dataset = location.read()
    assert {sample.label for sample in dataset.samples if sample.path == dataset.samples[0].path} == {"good", "missing"}
    splits = cut_folds(dataset, 2, "classify")
    write_split(place / "split.csv", dataset, splits[0])
    assert read_split(place / "split.csv", dataset) == splits[0]

"""A retraining starts from the released weights, keeps the split, takes new classes, and stands its guards."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from blob_photos import QUICK, train_blobs, write_blobs
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from datasets.location import Location
from datasets.sample import Dataset, Sample
from inspection.cli.main import app
from models.bundle import Bundle, load_bundle, write_bundle
from training.comparison import ALPHA
from training.deployed import Deployed
from training.errors import ReleaseRefusedError, SettingsError, TrainingDataError, WeightsError
from training.evaluation import evaluate_bundle
from training.forward import run_module
from training.guard import open_guard, refuse_worse
from training.intervals import at_least, worse_test
from training.lighter import as_int8, draft_of, present_form
from training.network import build_network
from training.photos import open_photos
from training.released import settings_of, start_from
from training.remembered import keep_split, remembered
from training.retraining import Retraining, retraining_of
from training.settings import make_settings

pytestmark = pytest.mark.training


@pytest.fixture
def photos(blob_photos: Path) -> Path:
    return blob_photos


@pytest.fixture
def before(blob_bundle: Bundle) -> Bundle:
    return blob_bundle


def test_the_weights_of_the_graph_are_those_of_the_network(before: Bundle) -> None:
    """Taken out by their names they give the scores of the bundle, up to the temperature; a new class gets zeros."""
    start = start_from(before, (*before.card.classes, "stain"), QUICK)

    model = Deployed(build_network(QUICK.backbone, 4, start))
    golden = before.golden()
    scores = run_module(model, golden.inputs, 8)[0]
    assert before.card.calibration is not None
    tempered = scores / np.float32(before.card.calibration.temperature)
    np.testing.assert_allclose(tempered[:, :3], golden.scores, atol=1e-3)
    np.testing.assert_array_equal(scores[:, 3], 0)


def test_another_network_and_a_graph_without_names_are_refused(photos: Path, before: Bundle, tmp_path: Path) -> None:
    """The text says what to give instead."""
    with pytest.raises(WeightsError, match="its network is compact, --backbone resnet18"):
        start_from(before, before.card.classes, QUICK.model_copy(update={"backbone": "resnet18"}))

    opened = open_photos(before, Location(photos), None, tmp_path, 1)

    light = as_int8(present_form(before), opened)
    bundle = write_bundle(tmp_path / "int8", model=light.graph, draft=light.draft, golden=before.golden())
    with pytest.raises(WeightsError, match=r"does not hold .* tensors under their names"):
        start_from(bundle, before.card.classes, QUICK)


def test_new_photos_and_a_new_class_are_added_and_no_image_changes_sides(
    photos: Path, before: Bundle, tmp_path: Path
) -> None:
    """Through the command: the settings are the bundle's, every old image keeps its part by its content (moved and
    renamed, too), the new ones are divided, and the old test images test the new bundle."""
    moved = tmp_path / "moved"
    for file in photos.rglob("*.png"):
        target = moved / file.parent.name / f"renamed-{file.name}"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)
    new = write_blobs(tmp_path / "new", first_seed=500, good=12, stain=20)
    out = tmp_path / "out"
    arguments = ["train", "--from", str(before.path), "--data", str(moved), "--add", str(new), "--out", str(out)]
    done = CliRunner().invoke(app, [*arguments, "--guard", str(photos), "--epochs", "4", "--lr", "0.001", "--json"])
    assert done.exit_code == 0, (done.exception, done.stderr)
    told = json.loads(done.stdout[done.stdout.index("{") :])
    card = load_bundle(out).card
    assert card.classes == ("good", "hole", "spot", "stain")
    assert card.provenance.made_from == before.digest
    assert card.provenance.weights.startswith("retrained: bundle 'parts', sha256")
    assert settings_of(card) == settings_of(before.card) | {"epochs": 4, "lr": 0.001}
    old, now = remembered(before), remembered(load_bundle(out))
    assert len(old) == 110
    assert {content: now[content] for content in old} == old
    assert len(now) == 142
    (guard,) = card.guards
    assert guard.passed
    assert guard.images == 110
    assert guard.trained_on == sum(part == "train" for part in old.values())
    assert told["guards"] == [guard.model_dump(mode="json")]
    tested = evaluate_bundle(str(out), Location(moved), split="test")
    assert tested.images == sum(part == "test" for part in old.values())


def test_a_retraining_that_forgets_a_defect_is_refused(before: Bundle, photos: Path, tmp_path: Path) -> None:
    """Most holes are labelled good now: the guarded holes escape, nothing is written, and the text names the set."""
    wrong = tmp_path / "wrong"
    shutil.copytree(photos, wrong)
    for file in sorted((wrong / "hole").iterdir())[3:]:
        file.rename(wrong / "good" / f"hole-{file.name}")
    guard = write_blobs(tmp_path / "guarded", first_seed=900, good=10, hole=12)
    out = tmp_path / "out"
    with pytest.raises(ReleaseRefusedError, match=r"worse than 'parts' on guarded: .*12 found before.*nothing was wri"):
        train_blobs(wrong, out, retraining=Retraining(before, (), (guard,)))
    assert not out.exists()


def test_what_cannot_be_retrained_is_refused_before_it_is_trained(before: Bundle, photos: Path, tmp_path: Path) -> None:
    """Another task, a class that would be lost, two labels for one image, guards without a bundle."""
    out = tmp_path / "out"
    with pytest.raises(SettingsError, match="--task anomaly: the bundle 'parts' is for classify"):
        train_blobs(photos, out, task="anomaly", retraining=Retraining(before))
    fewer = tmp_path / "fewer"
    shutil.copytree(photos, fewer)
    shutil.rmtree(fewer / "spot")
    with pytest.raises(SettingsError, match="no image of spot"):
        train_blobs(fewer, out, retraining=Retraining(before))
    twice = tmp_path / "twice" / "good"
    twice.mkdir(parents=True)
    shutil.copy(photos / "hole" / "0000.png", twice)
    with pytest.raises(TrainingDataError, match=r"1 image\(s\) are there twice with different labels"):
        train_blobs(photos, out, retraining=Retraining(before, (twice.parent,)))
    with pytest.raises(SettingsError, match="--guard: need the bundle to start from"):
        retraining_of(None, None, [photos])
    assert not out.exists()


def test_settings_of_a_card_are_settings_again(before: Bundle) -> None:
    """What the card kept makes the same settings, but for where weights came from."""
    assert make_settings(**settings_of(before.card)) == QUICK


def test_a_guard_passes_the_same_bundle_and_refuses_one_that_rejects_good_parts(
    before: Bundle, photos: Path, tmp_path: Path
) -> None:
    """Against itself nothing is worse (p = 1); with its threshold at 0 every good part is overkill."""
    guard = open_guard(before, (photos,), find_groups=False, threads=1)
    (row,) = guard.compare(before, frozenset())
    assert row.passed
    assert (row.p_escape, row.p_overkill, row.lost) == (1.0, 1.0, 0)

    draft = draft_of(before)
    strict = draft.model_copy(update={"threshold": draft.threshold.model_copy(update={"value": 0.0})})
    worse = write_bundle(tmp_path / "strict", model=before.read("model.onnx"), draft=strict, golden=before.golden())
    rows = guard.compare(worse, frozenset())
    assert not rows[0].passed
    assert rows[0].overkills == 60
    with pytest.raises(ReleaseRefusedError, match="0 → 60 overkill of 60 good"):
        refuse_worse(rows, before)


def test_few_pieces_lost_are_chance_only_where_the_promise_allows_them() -> None:
    """One of six found pieces lost is more than 0.5 % allows; one of fifty is not. McNemar takes five alone."""
    assert at_least(1, 6, 0.005) < ALPHA < at_least(1, 50, 0.005)
    assert worse_test(0, 4) > ALPHA > worse_test(0, 5)
    assert at_least(0, 10, 0.1) == 1.0
    assert at_least(3, 3, 0.5) == pytest.approx(0.125)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 8), st.sampled_from([None, "train", "validation", "test"])), min_size=1, max_size=40
    )
)
def test_known_images_stay_and_new_ones_join_their_piece(rows: list[tuple[int, str | None]]) -> None:
    """Whatever is known keeps its part; a new image of a known piece goes to the strictest part of that piece."""
    samples = tuple(
        Sample(Path(f"/d/{n}.png"), "good" if piece % 2 else "bad", f"p{piece}", None, None)
        for n, (piece, _) in enumerate(rows)
    )
    content_of = {sample.path: sample.path.name for sample in samples}
    known = {f"{n}.png": part for n, (_, part) in enumerate(rows) if part is not None}
    part_of = keep_split(Dataset(Path("/d"), "x", "good", samples, ("good", "bad")), content_of, known, 0).part_of()
    assert len(part_of) == len(samples)
    for n, (piece, part) in enumerate(rows):
        mates = {other for p, other in rows if p == piece and other is not None}
        strictest = next((name for name in ("test", "validation", "train") if name in mates), None)
        assert part_of[Path(f"/d/{n}.png")] == (part or strictest or part_of[Path(f"/d/{n}.png")])
        if not mates:
            assert len({part_of[Path(f"/d/{m}.png")] for m, (p, _) in enumerate(rows) if p == piece}) == 1

"""Models of several places and of tiles from photos to bundle: trained, released, evaluated, refused."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from datasets.errors import DatasetError
from datasets.location import Location
from models.bundle import Bundle, load_bundle, write_bundle
from models.engines import installed
from models.verify import verify_bundle
from training.arrange import choose_task
from training.candidate import make_candidate
from training.command import run_training
from training.comparison import compare_bundles
from training.errors import EvaluationError, SettingsError, TrainingDataError
from training.evaluation import evaluate_bundle
from training.guard import open_guard
from training.images import open_source
from training.inputsize import InputPlan, plan_input
from training.job import Job
from training.judging import judge_images
from training.lighter import as_int8, draft_of, present_form, recipes
from training.optimising import find_fastest
from training.photos import open_photos
from training.settings import TrainSettings

pytestmark = [pytest.mark.training, pytest.mark.timeout(600)]

QUICK = TrainSettings(backbone="compact", lr=2e-3, batch_size=32, threads=1, find_groups=False)
WIDTH, HEIGHT = 160, 120
CORNERS = {"a": (0, 0), "b": (80, 0), "c": (0, 60), "d": (80, 60)}


@dataclass(frozen=True, slots=True)
class Trained:
    """A bundle and the photos that it was made from."""

    bundle: Bundle
    photos: Path


def write_slots(root: Path, count: int, *, names: tuple[str, ...] = ("a", "b", "c", "d")) -> None:
    """Photos of four slots: a filled one is a bright disc, a missing one a ring, a wrong one a square."""
    root.mkdir(parents=True)
    boxes = [f"{name},{x},{y},80,60" for name, (x, y) in zip(names, CORNERS.values(), strict=True)]
    (root / "places.csv").write_text("\n".join(["name,x,y,width,height", *boxes]) + "\n")
    random = np.random.default_rng(4)
    lines = ["file,place,label"]
    for number in range(count):
        pixels = random.normal(90, 12, (HEIGHT, WIDTH, 3))
        for name, (x, y) in zip(names, CORNERS.values(), strict=True):
            label = random.choice(["", "", "", "", "missing", "wrong"]) if number % 3 else ""
            cx, cy = x + 40 + int(random.integers(-6, 7)), y + 30 + int(random.integers(-6, 7))
            if label == "wrong":
                cv2.rectangle(pixels, (cx - 11, cy - 11), (cx + 11, cy + 11), (70, 160, 60), -1)
            else:
                cv2.circle(pixels, (cx, cy), 14, (40, 200, 220), 3 if label else -1)
            lines.append(f"{number}.png,{name},{label}")
        cv2.imwrite(str(root / f"{number}.png"), pixels.clip(0, 255).astype(np.uint8))
    (root / "labels.csv").write_text("\n".join(lines) + "\n")


def write_dots(root: Path, count: int, *, outlined: bool = True, width: int = 256, height: int = 192) -> None:
    """Photos of a rough grey surface; every second has a bright spot of 6×6 pixels, with its mask."""
    root.mkdir(parents=True)
    random = np.random.default_rng(0)
    lines = ["file,label,mask"]
    for number in range(count):
        rough = cv2.GaussianBlur(random.normal(0, 40, (height, width)).astype(np.float32), (0, 0), 2)
        pixels, mask = 128 + 2 * rough, ""
        if number % 2:
            x, y = int(random.integers(0, width - 6)), int(random.integers(0, height - 6))
            pixels[y : y + 6, x : x + 6] = 250
            if outlined:
                mask = f"{number}_mask.png"
                drawn = np.zeros((height, width), np.uint8)
                drawn[y : y + 6, x : x + 6] = 255
                cv2.imwrite(str(root / mask), drawn)
        cv2.imwrite(str(root / f"{number}.png"), pixels.clip(0, 255).astype(np.uint8))
        lines.append(f"{number}.png,{'spot' if number % 2 else ''},{mask}")
    (root / "labels.csv").write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def slots(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A model of four slots, the task chosen by the labels."""
    root = tmp_path_factory.mktemp("slots")
    write_slots(root / "photos", 36)
    settings = QUICK.model_copy(update={"epochs": 5, "size": "auto", "tile": 32})
    return Trained(run_training(Job(Location(root / "photos"), settings, root / "bundle")).bundle, root / "photos")


@pytest.fixture(scope="module")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A model of tiles for spots of six pixels."""
    root = tmp_path_factory.mktemp("tiles")
    write_dots(root / "photos", 32)
    settings = QUICK.model_copy(update={"epochs": 4, "size": "native", "tile": 64})
    released = run_training(Job(Location(root / "photos"), settings, root / "bundle", task="classify"))
    return Trained(released.bundle, root / "photos")


def test_a_bundle_of_places_judges_whole_parts(slots: Trained) -> None:
    """Images are counted, not places; the card lists the places in the pixels of its input, and every check passes."""
    card = load_bundle(slots.bundle.path).card
    assert [(p.name, p.x, p.y) for p in card.places] == [("a", 0, 0), ("b", 42, 0), ("c", 0, 32), ("d", 42, 32)]
    assert (card.input.width, card.input.height) == (85, 64)
    assert sum(sum(part.values()) for part in card.data.counts.values()) == 36
    assert card.map is not None
    assert card.tile is None
    assert all(check.passed for check in verify_bundle(slots.bundle.path))


def test_every_slot_is_right_and_counted_by_its_name(slots: Trained) -> None:
    """On held-out photos each slot is told apart, as the card says and as `evaluate` finds again."""
    metrics = slots.bundle.card.metrics
    assert set(metrics.per_place) == set(CORNERS)
    assert metrics.auroc is not None
    assert metrics.auroc.value == 1.0
    right = sum(rate.numerator for rate in metrics.per_place.values())
    assert right >= sum(rate.denominator for rate in metrics.per_place.values()) - 1
    again = evaluate_bundle(str(slots.bundle.path), Location(slots.photos), split="test")
    assert again.metrics == metrics
    assert len({*again.missed, *again.false_alarms}) <= again.images


def test_the_report_names_places_and_says_what_is_not_outlined(slots: Trained) -> None:
    """The page of the run has a line for each place, and one for all of them."""
    page = slots.bundle.path.with_name("bundle.run").joinpath("report.html").read_text()
    assert "Place judged rightly: a" in page
    assert "All places judged rightly" in page
    assert "smallest outlined defect" not in page


def test_bundles_of_places_are_compared_part_by_part(slots: Trained) -> None:
    """A bundle against itself: every photo once, no difference."""
    found = compare_bundles(str(slots.bundle.path), str(slots.bundle.path), Location(slots.photos), find_groups=False)
    assert found.images == 36
    assert found.differing == ()


def test_a_guard_counts_whole_parts_and_refuses_a_model_that_passes_a_missing_screw(
    slots: Trained, tmp_path: Path
) -> None:
    """Photos of places guard a model of places: against itself nothing is worse, with a threshold of 1 all is lost."""
    guard = open_guard(slots.bundle, (slots.photos,), find_groups=False, threads=1)
    (row,) = guard.compare(slots.bundle, frozenset(guard.sets[0].contents))
    assert row.passed
    assert (row.images, row.trained_on, row.defect_pieces + row.good_pieces) == (36, 36, 36)
    draft = draft_of(slots.bundle)
    blind = draft.model_copy(update={"threshold": draft.threshold.model_copy(update={"value": 1.0})})
    graph, golden = slots.bundle.read("model.onnx"), slots.bundle.golden()
    rows = guard.compare(write_bundle(tmp_path / "blind", model=graph, draft=blind, golden=golden), frozenset())
    assert not rows[0].passed
    assert rows[0].escapes == rows[0].defect_pieces > 0


def test_a_model_of_places_is_made_faster_and_its_places_are_counted_again(slots: Trained, tmp_path: Path) -> None:
    """int8 is tried on whole parts, a smaller input is refused; what is written tells of each place."""
    photos = open_photos(slots.bundle, Location(slots.photos), None, tmp_path, 1)
    tried = list(recipes(slots.bundle, photos, [(48, 64)], [], photos.work))
    limits = {"escape_limit": 1.0, "overkill_limit": 1.0}
    found = find_fastest(slots.bundle, photos, tried, **limits, callers=1, rounds=1, seconds=0.02)
    assert all("cuts places" in row.refused for row in found.tried if row.form.startswith("64x48"))
    assert "onnxruntime" in {row.engine for row in found.tried if row.form == "int8" and not row.refused}
    light = make_candidate(as_int8(present_form(slots.bundle), photos), photos)
    assert set(light.metrics.per_place) == set(CORNERS)
    assert {rate.denominator for rate in light.metrics.per_place.values()} == {len(photos.labels)}
    again = evaluate_bundle(str(light.bundle.path), Location(slots.photos), split="test")
    assert again.metrics.per_place == light.metrics.per_place


def test_images_with_other_places_are_not_judged(slots: Trained, tmp_path: Path) -> None:
    """Another name or another box than the bundle's is refused; images without places are judged as parts."""
    write_slots(tmp_path / "other", 4, names=("a", "b", "c", "e"))
    with pytest.raises(EvaluationError, match="places a, b, c, e — 'bundle' judges a, b, c, d"):
        evaluate_bundle(str(slots.bundle.path), Location(tmp_path / "other"))
    write_slots(tmp_path / "moved", 4)
    file = tmp_path / "moved" / "places.csv"
    file.write_text(file.read_text().replace("b,80,0,80,60", "b,60,0,80,60"))
    with pytest.raises(EvaluationError, match="place 'b' lies at 32, 0, 74, 32"):
        evaluate_bundle(str(slots.bundle.path), Location(tmp_path / "moved"))
    (tmp_path / "plain" / "good").mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "plain" / "good" / "0.png"), cv2.imread(str(slots.photos / "0.png")))
    judged = judge_images(str(slots.bundle.path), Location(tmp_path / "plain"))
    assert judged.metrics(0.5).per_place == {}
    assert len(judged.scored.probability) == 1


def test_tiles_find_spots_that_a_small_input_loses(tiles: Trained) -> None:
    """Held-out spots of 36 pixels are told from good photos, and the map is hottest where the spot lies."""
    card = tiles.bundle.card
    assert (card.tile, card.input.width, card.input.height) == (64, 256, 192)
    assert card.smallest_defect_px == 36.0
    assert card.metrics.auroc is not None
    assert card.metrics.auroc.value == 1.0
    judged = judge_images(str(tiles.bundle.path), Location(tiles.photos), split="test")
    bad = [index for index, sample in enumerate(judged.samples) if sample.mask is not None]
    _, maps = judged.session.run_with_map(judged.pixels(bad))
    for row, index in enumerate(bad):
        mask = cv2.imread(str(judged.samples[index].mask), cv2.IMREAD_GRAYSCALE)
        small = cv2.resize(mask, maps.shape[:0:-1], interpolation=cv2.INTER_AREA) > 0
        assert maps[row][small].max() == maps[row].max()
    page = tiles.bundle.path.with_name("bundle.run").joinpath("report.html").read_text()
    assert "36.0 pixels where the network sees it" in page
    assert "64 × 64 pixels, the worst one decides" in page


def plan(root: Path, task: str | None = "classify", **values: object) -> InputPlan:
    """What a run on a folder would take as its input."""
    source = open_source(Location(root), find_groups=False, seed=0, task=task)
    return plan_input(source, QUICK.model_copy(update={"size": "auto", **values, "task": source.task}))


def test_tiles_in_eight_bits_run_on_every_engine(tiles: Trained, tmp_path: Path) -> None:
    """OpenVINO ended the process with a crash where tiles were cut out of integers."""
    photos = open_photos(tiles.bundle, Location(tiles.photos), None, tmp_path, 1)
    light = make_candidate(as_int8(present_form(tiles.bundle), photos), photos)
    assert light.refused == ""
    assert {row.engine for row in light.bundle.card.parity} == set(installed())
    assert light.metrics.auroc is not None
    assert light.metrics.auroc.value > 0.9


def test_the_input_grows_until_the_smallest_defect_has_four_pixels(tmp_path: Path) -> None:
    """224 where that is enough or nothing is outlined, else more, else tiles; a stated size is kept with a warning."""
    write_dots(tmp_path / "small", 6)
    chosen = plan(tmp_path / "small")
    assert (chosen.height, chosen.width, chosen.tile) == (224, 224, None)
    assert chosen.smallest_defect_px == pytest.approx(36 * 224**2 / (256 * 192))
    write_dots(tmp_path / "middle", 6, width=800, height=600)
    chosen = plan(tmp_path / "middle", task="segment")
    assert (chosen.height, chosen.width, chosen.tile) == (256, 256, None)
    write_dots(tmp_path / "large", 6, width=1280, height=1024)
    chosen = plan(tmp_path / "large")
    assert (chosen.height, chosen.width, chosen.tile) == (1024, 1280, 256)
    assert chosen.smallest_defect_px == 36.0
    assert any("cut into 30 tiles of 256×256" in line for line in chosen.told)
    chosen = plan(tmp_path / "large", task="segment")
    assert (chosen.height, chosen.width, chosen.tile) == (320, 320, None)
    assert any("warning: 2.8 pixels" in line for line in chosen.told)
    chosen = plan(tmp_path / "large", size="stated", height=224, width=224)
    assert (chosen.height, chosen.width, chosen.tile) == (224, 224, None)
    assert "scaled to 0.17 in width, 0.22 in height" in chosen.told[0]
    assert any("give a larger --size, or cut the images with --tile" in line for line in chosen.told)
    mask = np.zeros((192, 256), np.uint8)
    mask[50, 50] = 255
    cv2.imwrite(str(tmp_path / "small" / "1_mask.png"), mask)
    chosen = plan(tmp_path / "small")
    assert chosen.height == 224  # no size would help: a slip of one pixel
    assert any("warning: 1.0 pixels" in line for line in chosen.told)
    write_dots(tmp_path / "plain", 6, outlined=False, width=800, height=600)
    chosen = plan(tmp_path / "plain")
    assert (chosen.height, chosen.width, chosen.tile, chosen.smallest_defect_px) == (224, 224, None, None)
    assert any("no defect is outlined" in line for line in chosen.told)


def test_a_class_that_nobody_outlined_is_not_cut_into_tiles_unasked(tmp_path: Path) -> None:
    """With spots outlined and stains not, tiles could learn no stain: the input stays whole, with a warning."""
    write_dots(tmp_path / "two", 12, width=1280, height=1024)
    labels = tmp_path / "two" / "labels.csv"
    lines = labels.read_text().splitlines()
    for number in (1, 5, 9):
        lines[number + 1] = f"{number}.png,stain,"
        (tmp_path / "two" / f"{number}_mask.png").unlink()
    labels.write_text("\n".join(lines) + "\n")
    chosen = plan(tmp_path / "two")
    assert (chosen.height, chosen.width, chosen.tile) == (320, 320, None)
    assert any("warning: 2.8 pixels" in line for line in chosen.told)
    assert plan(tmp_path / "two", tile=256).tile == 256


def test_images_of_very_different_shapes_are_told_of(tmp_path: Path) -> None:
    """The plan says by how much they are stretched, and that nothing is cut off."""
    for name, shape in (("good/0", (100, 300)), ("good/1", (300, 100)), ("bad/2", (200, 200)), ("bad/3", (200, 200))):
        file = tmp_path / f"{name}.png"
        file.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(file), np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8))
    for number in range(4, 10):
        cv2.imwrite(
            str(tmp_path / f"{'good' if number % 2 else 'bad'}/{number}.png"), np.full((50, 50), number * 9, np.uint8)
        )
    told = plan(tmp_path, size="stated").told
    assert "4 sizes, 50…300 wide, 50…300 high, most 50×50" in told[0]
    assert any("up to 3.0 times: each is stretched to it, nothing is cut off" in line for line in told)


def test_places_decide_the_task_and_the_input(tmp_path: Path) -> None:
    """Labelled places are classified; the input is as large as no place must be enlarged, or as it is stated."""
    write_slots(tmp_path / "slots", 12)
    dataset = open_source(Location(tmp_path / "slots"), find_groups=False, seed=0).dataset
    assert choose_task(None, dataset)[0] == "classify"
    chosen = plan(tmp_path / "slots")
    assert (chosen.width, chosen.height, chosen.tile) == (160, 120, 224)
    assert (plan(tmp_path / "slots", tile=30 + 2).width, plan(tmp_path / "slots", size="native").width) == (85, 160)


def test_cuts_that_cannot_be_are_refused(tmp_path: Path) -> None:
    """A tile larger than the image, tiles of another task, no outlined defect, places outside, one class only."""
    write_dots(tmp_path / "dots", 6)
    with pytest.raises(SettingsError, match="--tile 256: is larger than the input of 256×192 pixels"):
        plan(tmp_path / "dots", tile=256)
    with pytest.raises(SettingsError, match="--tile 64: 'segment' looks at its input as a whole"):
        plan(tmp_path / "dots", task="segment", tile=64)
    with pytest.raises(SettingsError, match=r"--tile 32: .* 80×60 tiles — at most 128"):
        plan(tmp_path / "dots", size="stated", width=2240, height=1680, tile=32)
    with pytest.raises(SettingsError, match="2240×2240 pixels is too large for one network"):
        plan(tmp_path / "dots", size="stated", width=2240, height=2240)
    write_dots(tmp_path / "unmarked", 6, outlined=False)
    settings = QUICK.model_copy(update={"size": "native", "tile": 64})
    with pytest.raises(TrainingDataError, match="no training tile shows spot — tiles learn from outlined defects"):
        run_training(Job(Location(tmp_path / "unmarked"), settings, tmp_path / "out", task="classify"))
    write_slots(tmp_path / "slots", 12)
    file = tmp_path / "slots" / "places.csv"
    boxes = file.read_text()
    file.write_text(boxes.replace("d,80,60,80,60", "d,90,60,80,60"))
    with pytest.raises(DatasetError, match=r"place 'd' ends at \(170, 120\) in 160×120 pixels"):
        run_training(Job(Location(tmp_path / "slots"), QUICK, tmp_path / "out"))
    file.write_text(boxes)
    labels = tmp_path / "slots" / "labels.csv"
    labels.write_text(labels.read_text().replace("missing", "").replace("wrong", ""))
    with pytest.raises(TrainingDataError, match="holds the one class 'good'"):
        run_training(Job(Location(tmp_path / "slots"), QUICK, tmp_path / "out", task="classify"))
    assert not (tmp_path / "out").exists()

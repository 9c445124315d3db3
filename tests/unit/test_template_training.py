"""The task 'template' from folders to bundles: with marks, with labels alone, with good parts alone, and bad input."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from board_pairs import SIDE, draw_board, photograph, spoil, write_one_product, write_pairs

from datasets.errors import DatasetError
from datasets.location import Location
from datasets.reader import read_dataset
from models.bundle import load_bundle
from models.score import defect_probability
from models.session import open_session
from models.verify import verify_bundle
from training.errors import EvaluationError, TrainingDataError
from training.evaluation import evaluate_bundle
from training.guard import open_guard
from training.images import open_source
from training.network import Start
from training.photos import open_photos
from training.runfolder import RunFolder
from training.screen import Screen
from training.settings import TrainSettings
from training.tasks.template import TASK
from training.template.goldens import stored_bytes
from training.template.material import load_paired
from training.template.store import GoldenStore

pytestmark = pytest.mark.training


def settings_of(**changes: object) -> TrainSettings:
    """Short runs at the boards' own size."""
    values: dict[str, object] = {
        "task": "template", "backbone": "compact", "epochs": 2, "height": SIDE, "width": SIDE, "lr": 1e-3, "threads": 1,
    }  # fmt: skip
    return TrainSettings.model_validate(values | changes)


def train(data: Path, out: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """The command line as a shell would run it."""
    main = "from inspection.cli.main import main; main()"
    options = ["--backbone", "compact", "--size", str(SIDE), "--lr", "0.001", "--threads", "1", "--no-find-groups"]
    line = [sys.executable, "-c", main, "train", "--data", str(data), "--out", str(out), "--json", *options, *more]
    return subprocess.run(line, capture_output=True, text=True, timeout=280, check=False)


def probabilities(bundle: Path, photos: list[np.ndarray]) -> np.ndarray:
    """The defect probability of grey photos, by ONNX Runtime alone."""
    loaded = load_bundle(bundle)
    raw = open_session(loaded).run(np.stack(photos)[..., np.newaxis])
    return defect_probability(raw, loaded.card.good_index)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """48 pairs of four products with marks, in the layout of DeepPCB."""
    return write_pairs(tmp_path_factory.mktemp("pairs") / "set", boards=4, pairs=48)


@pytest.fixture(scope="module")
def released(pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The bundle that the command made of them, and what it said."""
    out = tmp_path_factory.mktemp("out") / "boards"
    done = train(pairs, out, "--epochs", "2")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["parity"]["flips"] == 0
    return out, done.stderr


def test_marked_pairs_of_several_products_become_one_bundle(released: tuple[Path, str], pairs: Path) -> None:
    """The labels choose the task; every check holds; the card states golden images and reach; a new photo is judged."""
    out, said = released
    assert "task template: most defective images come with a golden one" in said
    assert "48 good images are golden images themselves" in said
    assert all(check.passed for check in verify_bundle(out))
    card = load_bundle(out).card
    assert (card.task, card.classes) == ("template", ("good", "copper", "open"))
    assert card.golden is not None
    assert (card.golden.images, card.golden.reach_px, card.golden.rescanned) == (4, 8, 48)
    assert card.golden.stored_bytes == 4 * SIDE * SIDE // 8
    assert 0.2 <= card.golden.correlation_min < 0.95
    assert card.map is not None
    assert card.map.width == SIDE // 4
    assert card.metrics.auroc is not None
    assert card.metrics.auroc.value > 0.95
    again = evaluate_bundle(str(out), Location(pairs), split="test")
    assert again.metrics.model_dump() == card.metrics.model_dump()


def test_the_bundle_judges_photos_that_lie_beside_and_shows_the_place(released: tuple[Path, str]) -> None:
    """New photos of spoilt boards score above new good ones, moved by up to 5 px; the map is highest at the spot."""
    photos, goods, places = [], [], []
    for number in range(200, 212):
        bad, box = spoil(draw_board(number % 4), number)
        shift = (number % 11 - 5, number % 7 - 3)
        photos.append(photograph(bad, number, shift))
        goods.append(photograph(draw_board(number % 4), number + 500, shift))
        places.append(((box[1] + box[3]) / 2 + shift[0], (box[0] + box[2]) / 2 + shift[1]))
    bad_share, good_share = probabilities(released[0], photos), probabilities(released[0], goods)
    area = float(np.mean(bad_share[:, None] > good_share[None, :]))
    assert area > 0.95
    _, maps = open_session(load_bundle(released[0])).run_with_map(np.stack(photos)[..., np.newaxis])
    peaks = [np.unravel_index(int(one.argmax()), one.shape) for one in maps]
    near = [
        abs(4 * y + 2 - at[0]) <= 10 and abs(4 * x + 2 - at[1]) <= 10 for (y, x), at in zip(peaks, places, strict=True)
    ]
    assert sum(near) >= 10


def test_good_parts_alone_give_a_bundle_that_rejects_what_differs(tmp_path: Path) -> None:
    """One product, its golden image and 40 good photos: the threshold is theirs, and defects score above it."""
    data = write_one_product(tmp_path / "set", good=40, bad=0)
    done = train(data, tmp_path / "alone")
    assert done.returncode == 0, done.stderr
    assert "task template: good parts come with a golden image" in done.stderr
    assert "mobilenet" not in done.stderr  # it has no part in this task
    card = load_bundle(tmp_path / "alone").card
    assert card.classes == ("good", "anomaly")
    assert card.threshold.rule == "good parts alone"
    assert card.provenance.network == "tolerance-1"
    board = draw_board(0)
    good = probabilities(tmp_path / "alone", [photograph(board, 9000 + n, (n % 5 - 2, n % 3 - 1)) for n in range(15)])
    bad = probabilities(
        tmp_path / "alone", [photograph(spoil(board, n)[0], 9100 + n, (n % 5 - 2, 1)) for n in range(15)]
    )
    assert float(np.mean(bad[:, None] > good[None, :])) > 0.99
    assert float((bad >= card.threshold.value).mean()) > 0.9
    assert float((good >= card.threshold.value).mean()) < 0.4  # eight validation parts promise no more
    elsewhere = probabilities(tmp_path / "alone", [photograph(draw_board(50), 1), np.zeros((SIDE, SIDE), np.uint8)])
    assert (elsewhere > 1 - 1e-9).all()


def test_a_sweep_of_good_parts_alone_is_refused_before_the_first_trial(tmp_path: Path) -> None:
    """Nothing is fitted in epochs there: the trial had no loss, and the command ended in a traceback."""
    data = write_one_product(tmp_path / "set", good=20, bad=0)
    done = train(data, tmp_path / "model", "--sweep", "2")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("lineward: --sweep: the task template learns nothing in epochs")
    assert not (tmp_path / "model.run" / "sweep.db").exists()  # so that the command without it needs no --restart


def test_labels_without_marks_are_learned_from_too(tmp_path: Path) -> None:
    """Class folders of one product and templates.csv: the network learns types from what differs, without any box."""
    data = write_one_product(tmp_path / "set", good=40, bad=40)
    folder = RunFolder(tmp_path / "out")
    settings = settings_of(epochs=3)
    source = open_source(Location(data), find_groups=False, seed=0, task="template")
    folder.open({}, restart=True)
    material = TASK.load(source, settings, folder, lambda: None)
    fitted = TASK.fit(material, settings, Start(None, "from scratch"), folder, Screen())
    area = fitted.history[-1]["validation_auroc"]
    assert area is not None
    assert area > 0.9
    assert fitted.network == "comparing-2"
    assert fitted.golden is not None
    assert fitted.golden.rescanned == 0


def test_photos_guard_a_comparing_model_and_lighter_forms_are_refused(
    pairs: Path, released: tuple[Path, str], tmp_path: Path
) -> None:
    """Against itself nothing is worse; there is no lighter form of a model that holds golden images."""
    bundle = load_bundle(released[0])
    (row,) = open_guard(bundle, (pairs,), find_groups=False, threads=1).compare(bundle, frozenset())
    assert row.passed
    assert row.defect_pieces > 0
    with pytest.raises(EvaluationError, match="compares pictures with golden images"):
        open_photos(bundle, Location(pairs), None, tmp_path, 1)


def test_an_interrupted_fit_ends_with_the_same_weights(pairs: Path, tmp_path: Path) -> None:
    """Stopped after the first step and taken up again: bit for bit the model of an uninterrupted run."""
    source = open_source(Location(pairs), find_groups=False, seed=0, task="template")

    def fit(folder: RunFolder) -> dict[str, object]:
        folder.open({}, restart=False)
        material = TASK.load(source, settings_of(), folder, lambda: None)
        model = TASK.fit(material, settings_of(), Start(None, "from scratch"), folder, Screen()).model
        return {name: values.numpy().tobytes() for name, values in model.state_dict().items()}

    class Stopping(RunFolder):
        """Ends the run as soon as the first state is kept."""

        def save(self, state: object) -> None:
            super().save(state)  # type: ignore[arg-type]
            raise KeyboardInterrupt

    whole = fit(RunFolder(tmp_path / "whole"))
    with pytest.raises(KeyboardInterrupt):
        fit(Stopping(tmp_path / "halves", every_s=0.0))
    assert fit(RunFolder(tmp_path / "halves")) == whole


def test_settings_of_a_comparing_network_are_tried(pairs: Path, tmp_path: Path) -> None:
    """Two trials over the learning rate, the better one is released; a backbone, which it has not, is refused."""
    out = tmp_path / "boards"
    done = train(pairs, out, "--epochs", "1", "--sweep", "2", "--sweep-over", "lr")
    assert done.returncode == 0, done.stderr
    trials = json.loads((tmp_path / "boards.run" / "sweep.json").read_text())
    best = min((row for row in trials if row["state"] == "complete"), key=lambda row: row["validation_loss"])
    assert load_bundle(out).card.provenance.settings["lr"] == best["values"]["lr"]
    refused = train(pairs, tmp_path / "none", "--sweep", "2", "--sweep-over", "backbone")
    assert refused.returncode == 2
    assert "leave backbone out" in refused.stderr


def load(data: Path, out: Path, **changes: object) -> None:
    """Load a data set as a run does."""
    settings = settings_of(**changes)
    folder = RunFolder(out)
    folder.open({}, restart=True)
    source = open_source(Location(data), find_groups=False, seed=0, task="template")
    material = TASK.load(source, settings, folder, lambda: None)
    TASK.fit(material, settings, Start(None, "from scratch"), folder, Screen())


def test_without_a_golden_image_nothing_is_trained(tmp_path: Path) -> None:
    """No templates.csv: the message says what is missing and how to write it."""
    data = write_one_product(tmp_path / "set", good=8, bad=8)
    (data / "templates.csv").unlink()
    (data / "golden.png").unlink()
    with pytest.raises(TrainingDataError, match=r"no photo has a golden image .* write templates\.csv"):
        load(data, tmp_path / "out")


def test_photos_without_a_golden_image_among_several_are_named(tmp_path: Path) -> None:
    """Two products and a photo that belongs to neither line: it is counted and named."""
    data = write_one_product(tmp_path / "set", good=8, bad=8)
    cv2.imwrite(str(data / "other.png"), draw_board(5))
    lines = [f"good/{number:03d}.png,{'golden' if number % 2 else 'other'}.png" for number in range(8)]
    (data / "templates.csv").write_text("\n".join(["file,template", *lines]) + "\n")
    with pytest.raises(TrainingDataError, match=r"8 of 16 photos name no golden image[\s\S]*extra/009\.png"):
        load(data, tmp_path / "out")


def test_a_photo_of_another_size_than_its_golden_image_is_named(tmp_path: Path) -> None:
    """Both sizes and the count are told; nothing is stretched to fit."""
    data = write_one_product(tmp_path / "set", good=8, bad=8)
    cv2.imwrite(str(data / "golden.png"), draw_board(0, 96))
    message = r"16 photo\(s\) of another size than their golden image[\s\S]*128×128, golden\.png has 96×96"
    with pytest.raises(TrainingDataError, match=message):
        load(data, tmp_path / "out")


def test_a_golden_image_of_another_product_is_named(tmp_path: Path) -> None:
    """Photos that do not show it, however they are moved: refused with its name and the correlation."""
    data = write_one_product(tmp_path / "set", good=8, bad=8)
    cv2.imwrite(str(data / "golden.png"), draw_board(5))
    with pytest.raises(TrainingDataError, match=r"1 golden image\(s\) that their photos do not show[\s\S]*golden\.png"):
        load(data, tmp_path / "out")


def test_more_golden_images_than_a_model_carries_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message gives number, size, what they take and what is allowed."""
    monkeypatch.setattr("training.template.goldens.MAX_BYTES", 1000)
    data = write_one_product(tmp_path / "set", good=8, bad=8)
    with pytest.raises(TrainingDataError, match=r"1 golden images of 128×128×1 take .* at most 4096"):
        load(data, tmp_path / "out")


def test_templates_csv_gives_each_photo_its_golden_image(tmp_path: Path) -> None:
    """A line goes before the one for all; golden images are no photos, wherever they lie; what is not there is told."""
    data = write_one_product(tmp_path / "set", good=4, bad=2)
    cv2.imwrite(str(data / "good" / "master.png"), draw_board(1))
    (data / "templates.csv").write_text("file,template\n*,golden.png\ngood/001.png,good/master.png\n")
    samples = {sample.path.name: sample for sample in read_dataset(data).samples}
    assert "golden.png" not in samples
    assert "master.png" not in samples
    assert samples["001.png"].template == (data / "good" / "master.png").resolve()
    assert all(s.template == (data / "golden.png").resolve() for name, s in samples.items() if name != "001.png")
    before = read_dataset(data).digest()
    cv2.imwrite(str(data / "golden.png"), draw_board(2))
    assert read_dataset(data).digest() != before
    for text, told in (
        ("*,gone.png\n", "golden image gone.png is not there"),
        ("*,../golden.png\n", "lies outside of the folder"),
        ("*,golden.png\n*,good/master.png\n", "2 lines for '\\*'"),
    ):
        (data / "templates.csv").write_text("file,template\n" + text)
        with pytest.raises(DatasetError, match=told):
            read_dataset(data)


def test_photos_with_a_blank_golden_image_are_left_out_of_the_training(pairs: Path, tmp_path: Path) -> None:
    """Of binarised boards one golden image is empty: its pair is not learned from, and every value stays a bit.

    Where all are empty nothing is trained."""
    root = tmp_path / "set"
    for file in sorted(pairs.rglob("*")):
        place = root / file.relative_to(pairs)
        place.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".png":
            pixels = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
            assert pixels is not None
            cv2.imwrite(str(place), np.where(pixels > 120, 255, 0))
        elif file.is_file():
            place.write_bytes(file.read_bytes())
    blank = np.full((SIDE, SIDE), 255, np.uint8)
    source = open_source(Location(root), find_groups=False, seed=0)
    golden = next(sample.template for sample in source.split.train if sample.template is not None and sample.marks)
    cv2.imwrite(str(golden), blank)
    source = open_source(Location(root), find_groups=False, seed=0)
    folder = RunFolder(tmp_path / "out")
    folder.open({}, restart=True)
    material = load_paired(source, settings_of(), folder, lambda: None)
    assert 1 <= material.blank <= 2  # the photo, and the golden image itself where that is a good photo
    assert len(material.rows) == len(material.train.truth) == len(source.split.train) - material.blank
    assert stored_bytes(material.goldens) == material.goldens.size // 8
    store = GoldenStore(material.goldens)
    given = store(torch.arange(store.number)).permute(0, 2, 3, 1).numpy()
    np.testing.assert_array_equal(given, material.goldens)
    for file in root.rglob("*_temp.png"):
        cv2.imwrite(str(file), blank)
    empty = open_source(Location(root), find_groups=False, seed=0)
    with pytest.raises(TrainingDataError, match="are blank"):
        load_paired(empty, settings_of(), folder, lambda: None)

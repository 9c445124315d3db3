"""The options of a training run and the photos it starts from: what is refused, and in which words."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from datasets.location import Location
from training.errors import EvaluationError, SettingsError, TrainingDataError, UnfinishedRunError, WeightsError
from training.images import open_source
from training.settings import make_settings, parse_size


@pytest.mark.parametrize(("text", "size"), [("224", (224, 224)), ("320x160", (160, 320)), ("96X64", (64, 96))])
def test_size_is_a_side_or_width_by_height(text: str, size: tuple[int, int]) -> None:
    """The result is (height, width)."""
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "a", "1x2x3", "-5", "224.0", "x"])
def test_size_that_is_none_is_refused_by_name(text: str) -> None:
    """The message shows what was given and what is allowed."""
    with pytest.raises(SettingsError, match="SIDE or WIDTHxHEIGHT"):
        parse_size(text)


def test_all_options_out_of_bounds_are_listed_together() -> None:
    """Two wrong options make one message with both, and exit code 2."""
    with pytest.raises(SettingsError, match=r"--epochs 0.*--backbone vgg|--backbone vgg.*--epochs 0") as refused:
        make_settings(epochs=0, backbone="vgg")
    assert refused.value.exit_code == 2


def test_command_modules_are_cheap_and_evaluation_needs_no_torch() -> None:
    """A fresh interpreter that imports the commands and the evaluation has loaded nothing of the training stack."""
    code = (
        "import sys, training.cli, training.evaluation, training.table\n"
        "stack = {'torch', 'torchvision', 'albumentations', 'onnx', 'sklearn', 'scipy', 'matplotlib'}\n"
        "heavy = stack & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(heavy)) or 0)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr


def test_without_the_training_stack_the_command_names_the_extra(tmp_path: Path) -> None:
    """Where torch cannot be imported, `train` says which package to install and ends with 1, without a traceback."""
    code = (
        "import sys; sys.modules['torch'] = None; sys.argv = ['lineward', 'train', '--data', '.', '--out', 'x']\n"
        "from inspection.cli.main import main; main()"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path
    )
    assert result.returncode == 1
    assert "pip install 'lineward[train]'" in result.stderr
    assert "Traceback" not in result.stderr
    assert list(tmp_path.iterdir()) == []


def photos(folder: Path, count: int, *, grey: bool = True) -> None:
    """Write noise images that differ from each other."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(len(folder.name))
    for index in range(count):
        shape = (40, 40) if grey else (40, 40, 3)
        assert cv2.imwrite(str(folder / f"{index}.png"), random.integers(0, 256, shape, dtype=np.uint8))


def test_one_class_cannot_be_trained_on(tmp_path: Path) -> None:
    """A classifier of good parts only is refused, and the message asks for defects."""
    photos(tmp_path / "data" / "good", 4)
    with pytest.raises(TrainingDataError, match="at least one defect class"):
        open_source(Location(tmp_path / "data"), find_groups=False, seed=0, task="classify")


def test_labels_decide_what_is_learned(tmp_path: Path) -> None:
    """Good parts alone, or few defects, make a model for anomalies, of which no defect trains; more make classes."""
    photos(tmp_path / "data" / "good", 9)
    assert open_source(Location(tmp_path / "data"), find_groups=False, seed=0).task == "anomaly"
    photos(tmp_path / "data" / "dent", 5)
    few = open_source(Location(tmp_path / "data"), find_groups=False, seed=0)
    assert (few.task, few.classes) == ("anomaly", ("good", "anomaly"))
    assert {sample.label for sample in few.split.train} == {"good"}
    rest = [*few.split.validation, *few.split.test]
    assert sum(sample.label == "dent" for sample in rest) == 5
    photos(tmp_path / "data" / "scratch", 5)
    assert open_source(Location(tmp_path / "data"), find_groups=False, seed=0).task == "classify"
    with pytest.raises(SettingsError, match="--task guess: is no task"):
        open_source(Location(tmp_path / "data"), find_groups=False, seed=0, task="guess")


def test_too_few_photos_of_a_class_are_refused(tmp_path: Path) -> None:
    """Classes must reach into validation and test; the message says how many groups that takes."""
    photos(tmp_path / "data" / "good", 1)
    photos(tmp_path / "data" / "dent", 1)
    with pytest.raises(TrainingDataError, match="three groups"):
        open_source(Location(tmp_path / "data"), find_groups=False, seed=0)


def test_grey_photos_stored_as_colour_stay_grey(tmp_path: Path) -> None:
    """Channels are what the pixels show: equal channels make a grey model, one coloured class a colour model."""
    photos(tmp_path / "data" / "good", 6)
    photos(tmp_path / "data" / "dent", 6)
    assert open_source(Location(tmp_path / "data"), find_groups=False, seed=0).channels == 1
    photos(tmp_path / "data" / "rust", 6, grey=False)
    assert open_source(Location(tmp_path / "data"), find_groups=False, seed=0).channels == 3


def test_photos_of_one_piece_are_found_and_not_parted(tmp_path: Path) -> None:
    """Without a groups file, brighter copies of a photo share its group and so its side of the split."""
    random = np.random.default_rng(3)
    for label in ("good", "dent"):
        (tmp_path / label).mkdir()
        for piece in range(8):
            coarse = random.integers(40, 160, (24, 24), dtype=np.uint8)
            picture = cv2.resize(coarse, (192, 192), interpolation=cv2.INTER_CUBIC)
            for exposure in range(3):
                brighter = cv2.convertScaleAbs(picture, alpha=1 + 0.15 * exposure)
                assert cv2.imwrite(str(tmp_path / label / f"{piece}-{exposure}.png"), brighter)
    source = open_source(Location(tmp_path), find_groups=True, seed=0)
    place = source.split.part_of()
    sides: dict[str, set[str]] = {}
    for path, side in place.items():
        sides.setdefault(f"{path.parent.name}/{path.name.split('-')[0]}", set()).add(side)
    assert len(sides) == 16
    assert all(len(found) == 1 for found in sides.values())


@pytest.mark.parametrize(
    ("error", "code"), [(WeightsError, 2), (UnfinishedRunError, 2), (EvaluationError, 2), (TrainingDataError, 2)]
)
def test_what_a_person_can_mend_ends_with_two(error: type[Exception], code: int) -> None:
    """Usage errors carry exit code 2."""
    assert getattr(error, "exit_code") == code  # noqa: B009  (the type says Exception)


def test_costs_come_in_pairs_and_say_so() -> None:
    """One cost alone weighs nothing: the message names both options; together they carry the line's share."""
    with pytest.raises(SettingsError, match="--escape-cost and --overkill-cost"):
        make_settings(escape_cost=5.0)
    costs = make_settings(escape_cost=50.0, overkill_cost=2.0, defect_share=0.02).costs
    assert costs is not None
    assert (costs.escape, costs.overkill, costs.defect_share) == (50.0, 2.0, 0.02)
    assert make_settings().costs is None

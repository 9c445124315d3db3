"""Segmentation of real tiles: the map lies where people marked the defect, and the bundle runs in the station."""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from replayed_line import replay

from datasets.location import Location
from datasets.sample import Sample
from inspection.part import EjectorAction, Reason, Verdict
from models.bundle import Bundle, load_bundle
from models.score import defect_probability
from models.session import open_session
from models.verify import verify_bundle
from training.images import fill_pixels, open_source
from training.masks import UNKNOWN, cells_of, fill_masks
from training.metrics import auroc
from training.settings import TrainSettings

pytestmark = [pytest.mark.training, pytest.mark.realdata, pytest.mark.timeout(900)]

_SIDE = 96
_PIECES = {"MT_Free": 24, "MT_Blowhole": 12, "MT_Break": 12}


@dataclass(frozen=True, slots=True)
class Trained:
    """A bundle trained on a few tiles, the tiles that it has not seen, and how they look to it."""

    bundle: Bundle
    samples: tuple[Sample, ...]
    pixels: NDArray[np.uint8]
    masks: NDArray[np.uint8]


@pytest.fixture(scope="module")
def tiles(shared_data: Path, shared_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Good tiles and two kinds of small defects, two exposures of a piece at most, split by piece."""
    from training.command import run_training
    from training.job import Job

    folder = tmp_path_factory.mktemp("outlined-tiles")
    _link(shared_data / "magnetic_tile", folder / "tiles")
    where = Location(folder / "tiles")
    settings = TrainSettings(weights=shared_weights, height=_SIDE, width=_SIDE, epochs=4, threads=1)
    run_training(
        Job(where, settings, folder / "model", picture_limits=False, novelty_limit=False)
    )  # every picture must be judged
    source = open_source(where, find_groups=True, seed=0, task="segment")
    samples = source.split.test
    pixels = np.empty((len(samples), _SIDE, _SIDE, 1), np.uint8)
    fill_pixels(samples, pixels, 1, lambda: None)
    masks = np.empty((len(samples), _SIDE, _SIDE), np.uint8)
    fill_masks(samples, source.classes, masks, 1)
    return Trained(load_bundle(folder / "model"), samples, pixels, masks)


def _link(source: Path, target: Path) -> None:
    """Link a few pieces of some classes with their masks, and say which images show the same piece."""
    pieces: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    with (source / "groups.csv").open(newline="") as stream:
        for row in csv.DictReader(stream):
            pieces[row["class"], row["group"]].append(row["file"])
    target.mkdir()
    rows = ["file,group"]
    taken: defaultdict[str, int] = defaultdict(int)
    for (label, group), files in sorted(pieces.items()):
        if taken[label] >= _PIECES.get(label, 0):
            continue
        taken[label] += 1
        (target / label).mkdir(exist_ok=True)
        for file in sorted(files)[:2]:
            rows.append(f"{file},{group}")
            for name in (file, Path(file).with_suffix(".png").name):
                (target / label / name).symlink_to(source / label / name)
    (target / "groups.csv").write_text("\n".join(rows) + "\n")


def test_bundle_tells_good_tiles_from_bad_ones(tiles: Trained) -> None:
    """Unseen pieces are told apart clearly better than by chance, and the cells of the map, too."""
    card = tiles.bundle.card
    assert card.task == "segment"
    assert all(check.passed for check in verify_bundle(tiles.bundle.path))
    assert card.metrics.auroc is not None
    assert card.metrics.map_auroc is not None
    assert card.metrics.auroc.value > 0.7
    assert card.metrics.map_auroc.value > 0.8
    assert sum(found.shown.denominator for found in card.metrics.recall_by_size) > 0


def test_map_is_higher_on_the_marked_defect_than_elsewhere(tiles: Trained) -> None:
    """On the defective tiles a marked cell is hotter than an unmarked one of the same tile in far more than half."""
    _, maps = open_session(tiles.bundle).run_with_map(tiles.pixels)
    cells = cells_of(tiles.masks, *maps.shape[1:])
    areas = [
        auroc(places.ravel().astype(np.float64), marked.ravel() > 0)
        for places, marked in zip(maps, cells, strict=True)
        if ((marked > 0) & (marked < UNKNOWN)).any()
    ]
    assert len(areas) >= 8
    assert np.mean(areas) > 0.75


def test_held_out_tiles_end_as_the_pulses_that_their_scores_ask_for(tiles: Trained, tmp_path: Path) -> None:
    """The bundle runs in the station as any other: each tile's score is the offline one, each reject a pulse."""
    images = [sample.path for sample in tiles.samples]
    run = replay(tiles.bundle.path, images, tmp_path)
    records, account = run.records, run.account
    assert account.promises_broken == []
    raw = open_session(tiles.bundle).run(tiles.pixels)
    expected = defect_probability(raw, tiles.bundle.card.good_index)
    for record in records:
        fired = record.ejector_action in (EjectorAction.FIRED, EjectorAction.FIRED_LATE)
        assert fired == (record.verdict is Verdict.REJECT)
        if record.reason is not Reason.LATE:
            assert record.score == pytest.approx(expected[record.part - 1], abs=1e-3)

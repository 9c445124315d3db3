"""Training on real photographs: what must hold exactly, and floors that an honest model clears."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datasets.location import Location
from datasets.reader import load_image
from models.bundle import load_bundle
from models.resize import fit
from models.score import defect_probability
from models.session import open_session
from models.verify import verify_bundle
from training.evaluation import evaluate_bundle
from training.images import open_source

pytestmark = [pytest.mark.training, pytest.mark.realdata, pytest.mark.timeout(900)]


@pytest.fixture(params=["magnetic_tile_bundle", "cookies_bundle", "screws_bundle"])
def trained(request: pytest.FixtureRequest) -> Any:
    """Each of the models that were trained on photographs."""
    return request.getfixturevalue(request.param)


def test_bundle_passes_every_check_and_tells_where_it_comes_from(trained: Any) -> None:
    """Hashes, graph, golden vectors and batches hold; the card names the weights and what the sample cannot show."""
    assert all(check.passed for check in verify_bundle(trained.bundle))
    card = load_bundle(trained.bundle).card
    assert card.provenance.weights.startswith("pretrained: ")
    assert "sha256" in card.provenance.weights
    assert not card.threshold.target_met
    assert "cannot support the target" in card.threshold.statement


def test_figures_clear_an_honest_floor(trained: Any) -> None:
    """Good and bad test images are told apart far better than by chance: the interval's lower end is above 0.5."""
    metrics = load_bundle(trained.bundle).card.metrics
    assert metrics.auroc is not None
    assert metrics.auroc.value > 0.75
    assert metrics.auroc.low > 0.5


def test_held_out_photos_score_as_the_card_says(trained: Any) -> None:
    """The test images, read from their files one by one as a station would, give the card's escapes and overkill."""
    bundle = load_bundle(trained.bundle)
    card, session = bundle.card, open_session(bundle)
    size = card.input
    escaped = rejected = 0
    for path, label in trained.held_out:
        pixels = fit(load_image(path), size.height, size.width, size.channels)
        bad = float(defect_probability(session.run(pixels[np.newaxis]), card.good_index)[0]) >= card.threshold.value
        escaped += label != card.good_class and not bad
        rejected += label == card.good_class and bad
    assert card.metrics.escape is not None
    assert card.metrics.overkill is not None
    assert (escaped, rejected) == (card.metrics.escape.numerator, card.metrics.overkill.numerator)


def test_evaluation_of_the_test_split_is_the_card_s(trained: Any) -> None:
    """`evaluate --split test` finds the same images again and the same figures."""
    result = evaluate_bundle(str(trained.bundle), Location(trained.data), split="test")
    assert result.images == len(trained.held_out)
    assert result.metrics.model_dump() == load_bundle(trained.bundle).card.metrics.model_dump()


def test_no_tile_is_in_two_parts(magnetic_tile_bundle: Any, shared_data: Path) -> None:
    """None of the held-out tiles has an exposure among the images that were learned or chosen from."""
    with (shared_data / "magnetic_tile" / "groups.csv").open(newline="") as stream:
        piece = {row["file"]: row["group"] for row in csv.DictReader(stream)}
    held_out = {path.name for path, _ in magnetic_tile_bundle.held_out}
    assert len(held_out) > 200
    inside = {piece[name] for name in held_out}
    outside = {group for name, group in piece.items() if name not in held_out}
    assert not inside & outside


def test_grey_tiles_make_a_grey_model_and_biscuits_a_colour_one(magnetic_tile_bundle: Any, cookies_bundle: Any) -> None:
    """The channels of the input are those of the photographs."""
    assert load_bundle(magnetic_tile_bundle.bundle).card.input.pixel_format == "Mono8"
    assert load_bundle(cookies_bundle.bundle).card.input.pixel_format == "RGB8"


def test_biscuits_are_tested_on_the_source_s_own_test_images(cookies_bundle: Any) -> None:
    """All 22 test photos of the source are held out; a training photo joins them only as a near duplicate of one."""
    held_out = {path for path, _ in cookies_bundle.held_out}
    assert len({path for path in held_out if path.name.startswith("test-")}) == 22
    source = open_source(Location(cookies_bundle.data), find_groups=True, seed=0)
    group = {sample.path: sample.group for sample in source.dataset.samples}
    of_tests = {group[path] for path in group if path.name.startswith("test-")}
    assert {group[path] for path in held_out} == of_tests


def test_every_screw_of_the_boards_held_out_is_judged_rightly(screws_bundle: Any) -> None:
    """No slot of any held-out board is wrong, so neither is a board; four slots are counted for each."""
    metrics = load_bundle(screws_bundle.bundle).card.metrics
    assert set(metrics.per_place) == {"upper left", "upper right", "lower left", "lower right"}
    for rate in metrics.per_place.values():
        assert rate.numerator == rate.denominator == len(screws_bundle.held_out)
    assert metrics.accuracy is not None
    assert metrics.accuracy.value == 1.0

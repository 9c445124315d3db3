"""What holds for every bundle that Lineward makes or comes with: grey and RGB, folder and zip, tiny and zoo."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_bundle import write_tiny_bundle

from models import resolve_bundle
from models.bundle import Bundle, load_bundle
from models.checks import largest_difference
from models.references import zoo_names
from models.resize import fit
from models.score import defect_probability, worst_class
from models.session import Session, open_session
from models.verify import verify_bundle

MADE = {
    "rgb": ("tiny", ("good", "bad"), 3),
    "grey": ("tiny", ("good", "bad"), 1),
    "many-classes": ("tiny", ("good", "chip", "scratch", "stain"), 3),
    "zip": ("tiny.zip", ("good", "bad"), 3),
}


@pytest.fixture(scope="module", params=[*MADE, *(f"zoo:{name}" for name in zoo_names())])
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    if request.param.startswith("zoo:"):
        return load_bundle(resolve_bundle(request.param))
    name, classes, channels = MADE[request.param]
    out = tmp_path_factory.mktemp("contract") / name
    return load_bundle(write_tiny_bundle(out, classes=classes, height=24, width=32, channels=channels))


@pytest.fixture(scope="module")
def session(bundle: Bundle) -> Session:
    return open_session(bundle)


def test_every_check_passes(bundle: Bundle) -> None:
    """Hashes, graph, golden vectors and batches are all as the card says."""
    assert [check.detail for check in verify_bundle(bundle.path) if not check.passed] == []


@pytest.mark.parametrize("shape", [(1, 1), (480, 640), (333, 77, 3), (24, 32)])
def test_any_image_ends_in_a_probability(bundle: Bundle, session: Session, shape: tuple[int, ...]) -> None:
    """Any grey or RGB image, brought to size, is scored: a probability in 0..1 and a defect class that is not good."""
    card = bundle.card
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    batch = fit(pixels, card.input.height, card.input.width, card.input.channels)[np.newaxis]
    raw = session.run(batch)
    assert raw.shape == (1, len(card.classes))
    assert 0 <= defect_probability(raw, card.good_index)[0] <= 1
    assert worst_class(raw, card.good_index)[0] != card.good_index


def test_order_and_neighbours_do_not_matter(bundle: Bundle, session: Session) -> None:
    """An image scores the same wherever it lies in a batch and whatever lies beside it."""
    inputs = bundle.golden().inputs
    order = np.random.default_rng(1).permutation(len(inputs))
    shuffled = np.concatenate([session.run(inputs[order[:3]]), session.run(inputs[order[3:]])])
    limit = bundle.card.tolerance.score_abs
    assert largest_difference(bundle.golden().scores[order], shuffled) <= limit


def test_two_sessions_agree_to_the_bit(bundle: Bundle, session: Session) -> None:
    """The same machine, provider and batch give the same scores again."""
    inputs = bundle.golden().inputs[:4]
    np.testing.assert_array_equal(session.run(inputs), open_session(bundle).run(inputs))


def test_golden_vectors_show_both_sides(bundle: Bundle) -> None:
    """The golden vectors hold parts on both sides of the threshold, so that a turned verdict could not hide."""
    bad = defect_probability(bundle.golden().scores, bundle.card.good_index) >= bundle.card.threshold.value
    assert bad.any()
    assert not bad.all()


def test_card_survives_being_written_and_read(bundle: Bundle) -> None:
    """The card that was read says what the file says, to the last digit."""
    again = type(bundle.card).model_validate_json(bundle.card.model_dump_json())
    assert again == bundle.card


def test_bundle_is_small_enough_to_ship(bundle: Bundle) -> None:
    """What comes with Lineward has a few MB at most."""
    assert sum(bundle.source.sizes.values()) <= 12 * 1024 * 1024

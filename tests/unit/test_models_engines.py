"""Engines give the bundle's own scores and verdicts or are refused, and a choice holds only for what was measured."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_bundle import write_tiny_bundle
from typer.testing import CliRunner

from models.bundle import Bundle, load_bundle
from models.cli import app
from models.engines import NAMES, ONNXRUNTIME, OPENVINO, Engine, assert_parity, installed, open_engine
from models.errors import BundleWriteError, ParityError, SessionError
from models.optimise import Choice, choice_path, chosen_engine, machine, optimise, versions, write_choice
from models.session import Given

SIDE = 16


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return load_bundle(write_tiny_bundle(tmp_path / "tiny", height=SIDE, width=SIDE))


@pytest.fixture(params=NAMES)
def engine(request: pytest.FixtureRequest, bundle: Bundle) -> Engine:
    if request.param not in installed():
        pytest.skip(f"{request.param} is not installed")
    return open_engine(bundle, request.param, callers=2)


def images(count: int) -> np.ndarray:
    return np.random.default_rng(count).integers(0, 256, (count, SIDE, SIDE, 3), np.uint8)


def test_every_engine_gives_the_same_scores_in_any_batch(engine: Engine, bundle: Bundle) -> None:
    """ONNX Runtime's scores, within the card's tolerance, for one image or seven, writable or not."""
    pixels = images(7)
    expected = open_engine(bundle).run(pixels)
    pixels.flags.writeable = False
    together = engine.run(pixels)
    alone = np.concatenate([engine.run(pixels[place : place + 1]) for place in range(7)])
    for scores in (together, alone):
        assert (scores.dtype, scores.shape) == (np.float32, (7, 2))
        np.testing.assert_allclose(scores, expected, atol=bundle.card.tolerance.score_abs)


def test_scores_belong_to_whoever_asked(engine: Engine) -> None:
    """The next run does not change the scores that were given out."""
    first = engine.run(images(2))
    kept = first.copy()
    engine.run(255 - images(2))
    np.testing.assert_array_equal(first, kept)


@pytest.mark.parametrize("shape", [(0, SIDE, SIDE, 3), (1, SIDE, SIDE + 1, 3), (SIDE, SIDE, 3)])
def test_a_batch_that_does_not_fit_is_refused(engine: Engine, shape: tuple[int, ...]) -> None:
    """Every engine refuses it with a SessionError, and goes on."""
    with pytest.raises(SessionError, match="batch"):
        engine.run(np.zeros(shape, np.uint8))
    assert engine.run(images(1)).shape == (1, 2)


class Shifted:
    """An engine that is off by a little: its scores are those of another engine plus a constant for one class."""

    def __init__(self, engine: Engine, shift: float) -> None:
        self._engine, self._shift = engine, shift
        self.card, self.provider = engine.card, "a shifted engine"

    def run(self, batch: np.ndarray) -> np.ndarray:
        scores = self._engine.run(batch)
        scores[:, 1] += self._shift
        return scores

    def run_all(self, batch: np.ndarray) -> Given:
        return Given(self.run(batch))

    def warm(self, sizes: object = ()) -> None:
        """Nothing to warm."""


def test_other_scores_are_refused(bundle: Bundle) -> None:
    """Beyond the tolerance of the card nothing runs; within it, it does."""
    engine, limit = open_engine(bundle), bundle.card.tolerance.score_abs
    with pytest.raises(ParityError, match=r"is above the limit.*a shifted engine.*do not use this model here"):
        assert_parity(Shifted(engine, 2 * limit), bundle)
    assert_parity(Shifted(engine, 0.0), bundle)


def test_another_verdict_is_refused_although_the_scores_are_close(bundle: Bundle) -> None:
    """A golden image right at the threshold must fall on the same side."""
    engine, golden, card = open_engine(bundle), bundle.golden(), bundle.card
    raw = golden.scores[0].astype(np.float64)
    at_threshold = float(np.exp(raw[1]) / np.exp(raw).sum())
    close = replace(bundle, card=card.model_copy(update={"threshold": card.threshold.model_copy(
        update={"value": at_threshold * (1 - 1e-7)})}))  # fmt: skip
    assert_parity(engine, close)
    with pytest.raises(ParityError, match="with 1 other verdicts"):
        assert_parity(Shifted(engine, -card.tolerance.score_abs / 2), close)


def test_an_unknown_engine_is_named(bundle: Bundle) -> None:
    """The text lists the engines that there are."""
    with pytest.raises(SessionError, match="'tensorrt' is not known — one of onnxruntime, openvino"):
        open_engine(bundle, "tensorrt")


def test_every_installed_engine_is_measured_and_the_choice_is_followed(bundle: Bundle) -> None:
    """optimise times each of them, keeps the choice beside the bundle, and whoever opens it `auto` gets it."""
    choice = optimise(bundle, callers=1, max_batch=2, rounds=1, seconds=0.05)
    assert [row.engine for row in choice.measured] == installed()
    assert all(row.images_per_s > 0 and row.call_ms > 0 and row.provider for row in choice.measured)
    assert choice.engine in installed()
    write_choice(bundle, choice)
    assert chosen_engine(bundle) == choice.engine
    assert load_bundle(bundle.path).digest == bundle.digest


def test_a_choice_holds_for_that_bundle_machine_and_installation_only(bundle: Bundle) -> None:
    """Anything else, or a file that is damaged, falls back to ONNX Runtime."""
    if OPENVINO not in installed():
        pytest.skip("only one engine is installed")
    right = Choice(OPENVINO, bundle.digest, machine(), versions())
    write_choice(bundle, right)
    assert chosen_engine(bundle) == OPENVINO
    for wrong in (
        replace(right, bundle_digest="0" * 64),
        replace(right, machine="another"),
        replace(right, versions={"onnxruntime": "1.0"}),
        replace(right, engine="tensorrt"),
    ):
        write_choice(bundle, wrong)
        assert chosen_engine(bundle) == ONNXRUNTIME
    for text in ("", "[]", '{"engine": "openvino"}', "\x00"):
        choice_path(bundle).write_text(text)
        assert chosen_engine(bundle) == ONNXRUNTIME


def test_a_choice_that_cannot_be_kept_says_what_to_do(bundle: Bundle) -> None:
    """The text gives the line for the configuration."""
    choice_path(bundle).mkdir()
    with pytest.raises(BundleWriteError, match=r'set \[inference\] engine = "onnxruntime"'):
        write_choice(bundle, Choice(ONNXRUNTIME, bundle.digest, machine(), versions()))


def test_the_command_prints_and_keeps_its_choice(bundle: Bundle) -> None:
    """`lineward model optimise --json` gives what was measured and where it is kept; --dry-run keeps nothing."""
    arguments = ["optimise", str(bundle.path), "--callers", "1", "--rounds", "1", "--json"]
    dry = json.loads(CliRunner().invoke(app, [*arguments, "--dry-run"]).stdout)
    assert dry["kept"] is None
    assert not choice_path(bundle).exists()
    kept = json.loads(CliRunner().invoke(app, arguments).stdout)
    assert kept["kept"] == str(choice_path(bundle))
    assert kept["engine"] in [row["engine"] for row in kept["measured"]]

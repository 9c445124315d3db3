"""Every engine is held against the trained model before a release; one that misses it is refused by the card."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tiny_bundle import tiny_draft, tiny_golden, tiny_model, tiny_scores, tiny_weights, write_tiny_bundle

from models.bundle import Bundle, load_bundle, write_bundle
from models.card import ParityRow
from models.engines import ONNXRUNTIME, OPENVINO, installed, open_engine
from models.errors import ParityError, SessionError
from models.optimise import optimise
from models.parity import SIZES, THREADS, Reference, Runner, Way, measure_parity, ways_to_run
from models.session import Given, Session
from models.show import engine_words

COUNT = 70
PIXELS = np.random.default_rng(5).integers(0, 256, (COUNT, 16, 16, 3), np.uint8)


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return load_bundle(write_tiny_bundle(tmp_path / "tiny", height=16, width=16))


def reference() -> Reference:
    """What the formula says, independently of any runtime."""
    return Reference(PIXELS, tiny_scores(tiny_weights(2, 3), PIXELS))


class Changed:
    """ONNX Runtime, with its scores changed on the way out."""

    provider = "a changed engine"

    def __init__(self, bundle: Bundle, change: Callable[[np.ndarray], np.ndarray]) -> None:
        self._session, self._change = Session(bundle), change

    def run_all(self, batch: np.ndarray) -> Given:
        given = self._session.run_all(batch)
        changed = "scores" if given.map is None else "map"
        return given._replace(**{changed: self._change(getattr(given, changed))})


def ways(bundle: Bundle, change: Callable[[np.ndarray], np.ndarray]) -> list[Way]:
    """ONNX Runtime as it is, and the changed one under the name of another engine."""
    own = next(iter(ways_to_run(bundle)))
    return [own, Way(OPENVINO, 1, 1, lambda: Changed(bundle, change))]


def test_every_installed_engine_is_compared_in_every_batch_size_on_all_images(bundle: Bundle) -> None:
    """A row for each engine, batch size and number of threads, all of all images where the time allows it."""
    rows = measure_parity(bundle, reference(), budget_s=3600)
    wanted = {(name, size, threads) for name in installed() for size in SIZES for threads in THREADS}
    assert {(row.engine, row.batch, row.threads) for row in rows} == wanted
    assert all(row.images == row.test_images == COUNT and row.provider for row in rows)
    assert all(row.usable and row.flips == 0 and row.max_abs is not None for row in rows)


def test_without_time_a_stated_sample_is_compared(bundle: Bundle) -> None:
    """All images still go through each engine in batches of 8, and one by one through ONNX Runtime; the rest is 32."""
    rows = measure_parity(bundle, reference(), budget_s=0.0)
    whole = {(row.engine, row.batch, row.threads) for row in rows if row.images == COUNT}
    assert whole == {(ONNXRUNTIME, 1, 1), *((name, 8, 1) for name in installed())}
    assert {row.images for row in rows if row.images != COUNT} == {32}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda scores: scores + np.array([0, 0.01], np.float32), "scores differ by up to 0.01"),
        (lambda scores: scores[:, ::-1].copy(), r"\d+ of \d+ verdicts change"),
        (lambda scores: np.full_like(scores, np.nan), "scores differ by up to nan"),
    ],
)
def test_an_engine_that_misses_is_refused_by_the_card(
    bundle: Bundle, tmp_path: Path, change: Callable[[np.ndarray], np.ndarray], why: str
) -> None:
    """Other scores, other verdicts, or no number: not usable, why is told, and nobody opens it or chooses it."""
    rows = measure_parity(bundle, reference(), budget_s=0.0, ways=ways(bundle, change))
    missed = [row for row in rows if row.engine == OPENVINO]
    assert missed
    assert not any(row.usable for row in missed)
    assert all(row.usable for row in rows if row.engine == ONNXRUNTIME)
    draft = tiny_draft(("good", "bad"), 16, 16, 3).model_copy(update={"parity": rows})
    weights = tiny_weights(2, 3)
    model, golden = tiny_model(weights, 16, 16, 3), tiny_golden(weights, 16, 16, 3)
    refusing = write_bundle(tmp_path / "refusing", model=model, draft=draft, golden=golden)
    with pytest.raises(ParityError, match=f"its card refuses openvino.*{why}.*choose onnxruntime"):
        open_engine(refusing, OPENVINO)
    assert open_engine(refusing).run(PIXELS[:2]).shape == (2, 2)
    if OPENVINO in installed():
        choice = optimise(refusing, callers=1, max_batch=1, rounds=1, seconds=0.01)
        assert choice.engine == ONNXRUNTIME
        assert [row.engine for row in choice.measured if row.refused] == [OPENVINO]
    assert ("openvino", f"refused: {missed[0].why}") in engine_words(refusing.card)


def test_an_engine_that_does_not_open_or_breaks_down_is_told_of(bundle: Bundle) -> None:
    """Its row has no images and the reason; the others are measured."""

    def broken() -> Runner:
        raise SessionError("no such driver")

    own = next(iter(ways_to_run(bundle)))
    rows = measure_parity(bundle, reference(), budget_s=0.0, ways=[own, Way("trt", 1, 1, broken)])
    assert [(row.images, row.why) for row in rows if row.engine == "trt"] == [(0, "no such driver")]
    assert sum(row.engine == ONNXRUNTIME for row in rows) == len(SIZES)


def test_maps_are_compared_where_there_is_one(tmp_path: Path) -> None:
    """On every engine; a map that is off refuses although the scores agree."""
    weights = tiny_weights(2, 3)
    import onnx
    from onnx import TensorProto, helper

    from models.card import MapSpec

    model = onnx.load_model_from_string(tiny_model(weights, 16, 16, 3, extra_output=True))
    model.graph.node.append(helper.make_node("Unsqueeze", ["flat", "one"], ["map"]))
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([1], np.int64), "one"))
    del model.graph.output[1]
    model.graph.output.append(helper.make_tensor_value_info("map", TensorProto.FLOAT, ["N", 1, 4]))
    draft = tiny_draft(("good", "bad"), 16, 16, 3).model_copy(update={"map": MapSpec(height=1, width=4)})
    golden = tiny_golden(weights, 16, 16, 3)
    mapped = write_bundle(tmp_path / "mapped", model=model.SerializeToString(), draft=draft, golden=golden)
    scores, places = Session(mapped).run_with_map(PIXELS)
    same = measure_parity(mapped, Reference(PIXELS, scores, places), budget_s=0.0)
    assert {row.engine for row in same} == set(installed())
    assert all(row.usable and row.map_max_abs is not None for row in same)
    off = measure_parity(mapped, Reference(PIXELS, scores, places + np.float32(0.1)), budget_s=0.0)
    assert all(not row.usable and "the map differs by up to 0.1" in row.why for row in off)


@pytest.mark.training
def test_a_training_writes_every_engine_into_the_card(blob_bundle: Bundle) -> None:
    """`lineward train` measures all of them on its test images; the rows and the split lie in the bundle."""
    card = blob_bundle.card
    assert {row.engine for row in card.parity} == set(installed())
    assert all(row.test_images == sum(card.data.counts["test"].values()) for row in card.parity)
    assert all(row.usable for row in card.parity if row.engine == ONNXRUNTIME)
    assert len(blob_bundle.read("split.csv").splitlines()) == 111


def test_a_row_is_part_of_a_frozen_card() -> None:
    """A negative or infinite difference is refused."""
    row = ParityRow(engine="onnxruntime", batch=1, threads=1, images=1, test_images=1, max_abs=0.0, usable=True)
    for wrong in (-1.0, float("inf")):
        with pytest.raises(ValueError, match="max_abs"):
            ParityRow.model_validate(row.model_dump() | {"max_abs": wrong})

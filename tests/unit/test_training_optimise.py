"""Lighter forms of a bundle are tried on its own photos, and only one that lets no more escape may take its place."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from blob_photos import write_blobs
from tiny_bundle import write_tiny_bundle
from typer.testing import CliRunner

from datasets.location import Location
from inspection.cli.main import app
from models.bundle import Bundle, load_bundle
from models.engines import ONNXRUNTIME
from models.errors import BundleExistsError
from models.optimise import chosen_engine
from models.session import open_session
from models.verify import verify_bundle
from training.errors import EvaluationError
from training.lighter import Form, Recipe, as_int8, at_size, draft_of, present_form, recipes
from training.optimising import find_fastest, write_best
from training.photos import Photos, open_photos

pytestmark = pytest.mark.training


@pytest.fixture
def bundle(blob_bundle: Bundle) -> Bundle:
    return blob_bundle


@pytest.fixture(scope="module")
def photos(blob_photos: Path, blob_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Photos:
    return open_photos(blob_bundle, Location(blob_photos), None, tmp_path_factory.mktemp("work"), 1)


def test_a_smaller_input_is_the_same_weights_at_another_size(bundle: Bundle) -> None:
    """The graph takes the smaller picture, of whatever batch, and gives scores of the same classes."""
    small = at_size(present_form(bundle), 24, 24)
    assert (small.draft.input.height, small.draft.input.width) == (24, 24)
    import onnxruntime as ort

    session = ort.InferenceSession(small.graph, providers=["CPUExecutionProvider"])
    (scores,) = session.run(["scores"], {"pixels": np.zeros((5, 24, 24, 1), np.uint8)})
    assert scores.shape == (5, 3)
    tiled = replace(present_form(bundle), draft=draft_of(bundle).model_copy(update={"tile": 16}))
    with pytest.raises(EvaluationError, match="at fixed pixels"):
        at_size(tiled, 24, 24)


def test_int8_is_quantised_per_channel_on_training_images(bundle: Bundle, photos: Photos) -> None:
    """Weights int8 with a scale for each channel, activations uint8; the card says what it was calibrated on."""
    import onnx

    light = as_int8(present_form(bundle), photos)
    graph = onnx.load_model_from_string(light.graph).graph
    kinds = {tensor.name: tensor for tensor in graph.initializer}
    scales = [
        kinds[node.input[1]].dims
        for node in graph.node
        if node.op_type == "DequantizeLinear" and node.input[0] in kinds
    ]
    assert any(list(dims) and dims[0] > 1 for dims in scales)
    zeros = [kinds[node.input[2]].data_type for node in graph.node if node.op_type == "QuantizeLinear"]
    assert set(zeros) == {onnx.TensorProto.UINT8}
    assert light.draft.provenance.settings["precision"] == "int8"
    assert light.draft.provenance.settings["calibrated_on"] == 66


def test_each_form_is_judged_and_the_best_becomes_a_bundle_of_its_own(
    bundle: Bundle, photos: Photos, tmp_path: Path
) -> None:
    """Forms within the limits are timed on every engine; what is written passes every check and says its origin."""
    wanted = list(recipes(bundle, photos, [(24, 24)], [], photos.work))
    assert [recipe.name for recipe in wanted] == ["int8", "24x24", "24x24-int8"]
    found = find_fastest(
        bundle, photos, wanted, escape_limit=1.0, overkill_limit=1.0, callers=1, rounds=2, seconds=0.05
    )
    assert {row.form for row in found.tried} == {"as it is", "int8", "24x24", "24x24-int8"}
    assert all(row.escape is not None and row.overkill is not None for row in found.tried)
    assert all(row.images_per_s > 0 or row.refused for row in found.tried)
    written = write_best(found, bundle, tmp_path / "fast", overwrite=False)
    assert all(check.passed for check in verify_bundle(written.path))
    assert written.card.provenance.made_from == bundle.digest
    assert written.card.name == f"parts-{found.best.form}".replace(" ", "-")
    assert written.card.parity
    assert written.card.metrics == found.best.metrics
    assert written.read("split.csv") == bundle.read("split.csv")
    with pytest.raises(BundleExistsError, match="is there already"):
        write_best(found, bundle, bundle.path, overwrite=False)
    size = written.card.input
    assert open_session(written).run(np.zeros((1, size.height, size.width, 1), np.uint8)).shape == (1, 3)


def test_a_form_that_lets_more_escape_is_never_taken(bundle: Bundle, photos: Photos) -> None:
    """However fast: a graph that finds every part good is refused, and so is one that cannot be made at all."""
    broken = at_size(present_form(bundle), 8, 8)
    import onnx
    from onnx import numpy_helper

    model = onnx.load_model_from_string(broken.graph)
    for tensor in model.graph.initializer:
        if tensor.name == "network.head.weight":
            tensor.CopyFrom(numpy_helper.from_array(np.zeros_like(numpy_helper.to_array(tensor)), tensor.name))
    blind = Form("blind", model.SerializeToString(), broken.draft)

    def none() -> Form:
        raise EvaluationError("there is none")

    found = find_fastest(
        bundle, photos, [Recipe("blind", lambda: blind), Recipe("none", none)], callers=1, rounds=1, seconds=0.02
    )
    refused = {row.form: row.refused for row in found.tried if row.refused}
    assert refused["none"] == "there is none"
    assert "of the test images" in refused["blind"]
    assert not found.is_new


def test_the_command_prints_what_it_tried_and_leaves_the_old_bundle_alone(
    bundle: Bundle, blob_photos: Path, tmp_path: Path
) -> None:
    """--json gives a row each and what was written, with its engine; without --data it is the old command."""
    arguments = ["model", "optimise", str(bundle.path), "--data", str(blob_photos), "--rounds", "1"]
    arguments += ["--seconds", "0.02", "--size", "24", "--callers", "1", "--threads", "1", "--json"]
    digest, out = bundle.digest, tmp_path / "faster"
    done = CliRunner().invoke(app, [*arguments, "--out", str(out)])
    told = json.loads(done.stdout[done.stdout.index("{") :])
    assert {row["form"] for row in told["tried"]} == {"as it is", "int8", "24x24", "24x24-int8"}
    if told["bundle"] is None:
        assert not out.exists()
        assert told["best"] == "as it is"
        assert chosen_engine(bundle) == told["engine"]
    else:
        assert load_bundle(out).card.provenance.made_from == digest
        assert chosen_engine(load_bundle(out)) == told["engine"]
    assert load_bundle(bundle.path).digest == digest
    tiny = write_tiny_bundle(tmp_path / "tiny")
    plain = CliRunner().invoke(app, ["model", "optimise", str(tiny), "--rounds", "1", "--callers", "1", "--json"])
    assert json.loads(plain.stdout)["engine"] in (ONNXRUNTIME, "openvino")


def test_photos_that_the_bundle_does_not_know_are_refused(bundle: Bundle, tmp_path: Path) -> None:
    """Nobody could tell which of them it has seen."""
    other = write_blobs(tmp_path / "other", first_seed=300, good=10, spot=10)
    with pytest.raises(EvaluationError, match="does not hold the images and groups"):
        open_photos(bundle, Location(other), None, tmp_path, 1)

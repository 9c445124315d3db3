"""Sessions: only the graph of the card, on the provider asked for, with the scores that the bundle states."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from mapped_bundle import with_map
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx.external_data_helper import set_external_data
from tiny_bundle import tiny_draft, tiny_golden, tiny_model, tiny_scores, tiny_weights, write_tiny_bundle

from models.benchmark import measure_batch_times
from models.bundle import Bundle, load_bundle, write_bundle
from models.card import MapSpec
from models.checks import check_batch_invariance
from models.errors import GraphError, ParityError, SessionError
from models.golden import Golden
from models.session import Session, open_session
from models.verify import verify_bundle

WEIGHTS = tiny_weights(2, 3)


def bundle_of(out: Path, model: bytes, golden: Golden | None = None) -> Bundle:
    """Write a bundle whose card says 8×8 RGB and two classes around any model."""
    return write_bundle(
        out,
        model=model,
        draft=tiny_draft(("good", "bad"), 8, 8, 3),
        golden=golden or tiny_golden(WEIGHTS, 8, 8, 3),
    )


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    return open_session(load_bundle(write_tiny_bundle(tmp_path_factory.mktemp("session") / "tiny", height=8, width=8)))


def test_scores_are_those_of_the_formula(session: Session) -> None:
    """ONNX Runtime and the NumPy formula agree on images that are no golden vectors."""
    batch = np.random.default_rng(7).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)
    scores = session.run(batch)
    assert scores.shape == (5, 2)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, tiny_scores(WEIGHTS, batch), atol=1e-3)
    assert session.provider == "CPUExecutionProvider"


def test_a_map_comes_with_the_scores_where_the_card_speaks_of_one(tmp_path: Path, session: Session) -> None:
    """The second output is held against the card, comes beside unchanged scores, and is refused of a model without."""
    spec = MapSpec(height=1, width=4)
    draft = tiny_draft(("good", "bad"), 8, 8, 3).model_copy(update={"map": spec})
    model = with_map(tiny_model(WEIGHTS, 8, 8, 3, extra_output=True))
    bundle = write_bundle(tmp_path / "mapped", model=model, draft=draft, golden=tiny_golden(WEIGHTS, 8, 8, 3))
    mapped = open_session(bundle)
    batch = np.random.default_rng(7).integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)
    scores, places = mapped.run_with_map(batch)
    assert places.shape == (3, 1, 4)
    np.testing.assert_array_equal(scores, mapped.run(batch))
    with pytest.raises(SessionError, match="has no map"):
        session.run_with_map(batch)
    wider = draft.model_copy(update={"map": MapSpec(height=1, width=5)})
    with pytest.raises(GraphError, match="output has the shape"):
        open_session(write_bundle(tmp_path / "wider", model=model, draft=wider, golden=tiny_golden(WEIGHTS, 8, 8, 3)))
    with pytest.raises(GraphError, match="wanted is one, 'scores'"):
        open_session(bundle_of(tmp_path / "unsaid", model))


def test_threads_share_one_session(session: Session) -> None:
    """Calls from several threads at once give what one thread gets."""
    batches = [np.random.default_rng(seed).integers(0, 256, (seed, 8, 8, 3), dtype=np.uint8) for seed in range(1, 5)]
    found: dict[int, list[NDArray[np.float32]]] = {}

    def work(index: int) -> None:
        found[index] = [session.run(batches[index]) for _ in range(20)]

    threads = [threading.Thread(target=work, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    for index, batch in enumerate(batches):
        assert len(found[index]) == 20
        for scores in found[index]:
            np.testing.assert_array_equal(scores, session.run(batch))


@pytest.mark.parametrize(
    "batch",
    [
        np.zeros((1, 8, 8, 3), np.float32),
        np.zeros((1, 8, 8, 1), np.uint8),
        np.zeros((8, 8, 3), np.uint8),
        np.zeros((1, 9, 8, 3), np.uint8),
        np.zeros((0, 8, 8, 3), np.uint8),
    ],
)
def test_batch_that_does_not_fit_is_refused(session: Session, batch: NDArray[Any]) -> None:
    """Another type, size or rank, or no image at all, is refused before the runtime sees it."""
    with pytest.raises(SessionError, match="batch"):
        session.run(batch)


@pytest.mark.parametrize(
    ("keywords", "size", "part"),
    [
        ({"input_name": "image"}, 8, "input is named 'image', wanted is 'pixels'"),
        ({"input_type": TensorProto.FLOAT}, 8, r"tensor\(float\), wanted is tensor\(uint8\)"),
        ({"batch": 4}, 8, "fixed batch of 4"),
        ({"output_name": "logits"}, 8, "output is named 'logits'"),
        ({"extra_output": True}, 8, r"2 outputs \(scores, flat\)"),
        ({}, 9, r"\(N, \[9, 9, 3\]\), wanted is \(N, \[8, 8, 3\]\)"),
    ],
)
def test_graph_that_does_not_fit_the_card_is_refused(
    tmp_path: Path, keywords: dict[str, Any], size: int, part: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """A graph with another input, output, size, type or a fixed batch is refused; the runtime prints nothing."""
    bundle = bundle_of(tmp_path / "wrong", tiny_model(WEIGHTS, size, size, 3, **keywords))
    with pytest.raises(GraphError, match=part):
        open_session(bundle)
    assert capfd.readouterr() == ("", "")


def test_another_number_of_classes_is_refused(tmp_path: Path) -> None:
    """Three scores for two classes is another model."""
    bundle = bundle_of(tmp_path / "wrong", tiny_model(tiny_weights(3, 3), 8, 8, 3))
    with pytest.raises(GraphError, match=r"\(N, \[3\]\), wanted is \(N, \[2\]\)"):
        open_session(bundle)


def test_another_rank_is_refused(tmp_path: Path) -> None:
    """An input without its batch dimension is refused."""
    nodes = [
        helper.make_node("Cast", ["pixels"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float"], ["scores"], axes=[1], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "flat",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, [8, 8, 3])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [8, 3])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    with pytest.raises(GraphError, match="input has 3 dimensions, wanted are 4"):
        open_session(bundle_of(tmp_path / "wrong", model.SerializeToString()))


@pytest.mark.parametrize("model", [b"", b"this is no ONNX model", tiny_model(WEIGHTS, 8, 8, 3)[:-200]])
def test_what_is_not_onnx_is_refused(tmp_path: Path, model: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    """Nothing, text, or half a model: one sentence, and the runtime's own noise is not printed."""
    with pytest.raises(GraphError, match="no model that ONNX Runtime"):
        open_session(bundle_of(tmp_path / "wrong", model))
    assert capfd.readouterr() == ("", "")


def test_weights_outside_the_model_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights in a file that no hash covers are not loaded, even when the file lies in the working directory."""
    model = onnx.load_from_string(tiny_model(WEIGHTS, 8, 8, 3))
    kernel = model.graph.initializer[0]
    (tmp_path / "weights.bin").write_bytes(kernel.raw_data)
    set_external_data(kernel, location="weights.bin")
    kernel.ClearField("raw_data")
    kernel.data_location = TensorProto.EXTERNAL
    monkeypatch.chdir(tmp_path)
    with pytest.raises(GraphError, match=r"(?i)external data"):
        open_session(bundle_of(tmp_path / "wrong", model.SerializeToString()))


def test_golden_vectors_that_miss_the_tolerance_are_refused(tmp_path: Path) -> None:
    """The value and the limit are told; just inside the limit the model is accepted."""
    golden = tiny_golden(WEIGHTS, 8, 8, 3)
    model = tiny_model(WEIGHTS, 8, 8, 3)
    near = Golden(golden.inputs, golden.scores + np.float32(0.9e-3))
    assert open_session(bundle_of(tmp_path / "near", model, near)).provider
    far = Golden(golden.inputs, golden.scores.copy())
    far.scores[3, 1] += np.float32(2e-3)
    with pytest.raises(ParityError, match=r"max\|Δ\| 0\.002 of 6 images is above the limit 0\.001"):
        open_session(bundle_of(tmp_path / "far", model, far))


def test_model_that_gives_nan_is_refused(tmp_path: Path) -> None:
    """NaN is within no tolerance."""
    broken = {**WEIGHTS, "bias": np.full(2, np.nan, np.float32)}
    with pytest.raises(ParityError, match="nan"):
        open_session(bundle_of(tmp_path / "nan", tiny_model(broken, 8, 8, 3)))


def batch_mixing_model() -> bytes:
    """Make a model that takes the mean over the batch off each score: the neighbours decide about a part."""
    weights = np.random.default_rng(0).normal(0, 0.01, (192, 2)).astype(np.float32)
    nodes = [
        helper.make_node("Cast", ["pixels"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["float"], ["flat"], axis=1),
        helper.make_node("MatMul", ["flat", "weights"], ["raw"]),
        helper.make_node("ReduceMean", ["raw"], ["mean"], axes=[0], keepdims=1),
        helper.make_node("Sub", ["raw", "mean"], ["scores"]),
    ]
    graph = helper.make_graph(
        nodes,
        "mixing",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["N", 8, 8, 3])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 2])],
        [numpy_helper.from_array(weights, "weights")],
    )
    model: bytes = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    ).SerializeToString()
    return model


def test_model_that_mixes_a_batch_is_found(tmp_path: Path) -> None:
    """Golden vectors run as one batch pass, batch invariance does not: the check sees what the other cannot."""
    inputs = tiny_golden(WEIGHTS, 8, 8, 3).inputs
    any_scores = Golden(inputs, np.zeros((len(inputs), 2), np.float32))
    mixing = Session(bundle_of(tmp_path / "first", batch_mixing_model(), any_scores))
    bundle = bundle_of(tmp_path / "mixing", batch_mixing_model(), Golden(inputs, mixing.run(inputs)))
    assert not check_batch_invariance(open_session(bundle), bundle.golden(), 1e-3).passed
    assert {check.name: check.passed for check in verify_bundle(bundle.path)} == {
        "card": True,
        "sha256 golden.npz": True,
        "sha256 model.onnx": True,
        "graph": True,
        "golden": True,
        "batch_invariance": False,
    }


def test_provider_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """An unknown provider is refused, and the text tells which ones this installation has."""
    bundle = load_bundle(write_tiny_bundle(tmp_path / "tiny"))
    with pytest.raises(SessionError, match=r"NoSuchExecutionProvider is not available.*CPUExecutionProvider"):
        open_session(bundle, providers=("NoSuchExecutionProvider", "CPUExecutionProvider"))
    with pytest.raises(SessionError, match=r"\(none\) is not available"):
        open_session(bundle, providers=())


@pytest.mark.skipif(
    "AzureExecutionProvider" not in ort.get_available_providers(), reason="this ONNX Runtime has no idle provider"
)
def test_provider_that_runs_no_node_is_refused(tmp_path: Path) -> None:
    """A provider that loads but runs nothing, so that the CPU does the work unasked, is a fall-back and refused."""
    bundle = load_bundle(write_tiny_bundle(tmp_path / "tiny"))
    with pytest.raises(SessionError, match=r"AzureExecutionProvider was asked for and is not in use.*8 nodes on CPU"):
        open_session(bundle, providers=("AzureExecutionProvider", "CPUExecutionProvider"))


def test_batch_times_are_measured_for_each_size(session: Session) -> None:
    """One positive number of seconds a size."""
    times = measure_batch_times(session, sizes=(1, 4), repeats=3)
    assert list(times) == [1, 4]
    assert all(0 < seconds < 60 for seconds in times.values())

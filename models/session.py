"""One ONNX Runtime session over a bundle, with the provider, the graph and the scores asserted before use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from models.bundle import Bundle
from models.card import CardDraft
from models.checks import check_golden
from models.errors import GraphError, ParityError, SessionError
from models.graph import graph_problems

CPU = "CPUExecutionProvider"
WARM_BATCHES = (1, 2, 4, 8)


class Given(NamedTuple):
    """All that a model says of a batch: raw scores float32 (n, classes), and what its card speaks of beside them.

    map: float32 (n, map height, map width). novelty: float32 (n,), how far each picture is off those of the training.
    """

    scores: NDArray[np.float32]
    map: NDArray[np.float32] | None = None
    novelty: NDArray[np.float32] | None = None


def outputs_of(card: CardDraft) -> list[str]:
    """Return the names of the outputs that a card speaks of, in the order of `Given`."""
    spoken_of = {"map": card.map, "novelty": card.novelty}
    return ["scores", *(name for name, section in spoken_of.items() if section is not None)]


class Session:
    """A loaded model; whoever opens it owns it, and any number of threads may call `run` at once.

    With intra_op_threads=1 each call computes in the thread that makes it: two inferring threads on one session are as
    fast as two sessions (measured: 592–631 against 523–685 images/s, mobilenet_v3_small) and hold the weights once.

    The graph is held against the card and the provider against the one asked for; the golden vectors are not run here:
    `open_session` does that.
    """

    def __init__(self, bundle: Bundle, *, providers: Sequence[str] = (CPU,), intra_op_threads: int = 1) -> None:
        self.card = bundle.card
        self._where = str(bundle.path)
        self._ort = _create(bundle, tuple(providers), intra_op_threads)
        problems = graph_problems(self._ort, bundle.card)
        if problems:
            raise GraphError(
                f"{self._where}: model.onnx does not fit its card: {'; '.join(problems)} — export the model again"
            )
        self.provider = _assert_in_use(self._ort, tuple(providers), self._where)

    def run(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Score a batch uint8 (n, height, width, channels), n >= 1: raw scores float32 (n, classes).

        Raises SessionError when the batch does not fit the card or the runtime fails.
        """
        self._require_batch(batch)
        (scores,) = self._computed(["scores"], batch)
        return self._required_scores(scores, batch)

    def run_with_map(self, batch: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Score a batch as `run` does, and give the map of each image, float32 (n, map height, map width), too.

        Raises SessionError, also where the model has no map.
        """
        if self.card.map is None:
            raise SessionError(
                f"{self._where}: '{self.card.name}' ({self.card.task}) has no map — models that show where a defect is "
                "have one — ask for scores alone"
            )
        self._require_batch(batch)
        scores, places = self._computed(["scores", "map"], batch)
        return self._required_scores(scores, batch), places

    def run_all(self, batch: NDArray[np.uint8]) -> Given:
        """Score a batch as `run` does, and give map and novelty where the model has them. Raises SessionError."""
        self._require_batch(batch)
        names = outputs_of(self.card)
        given = Given(**dict(zip(names, self._computed(names, batch), strict=True)))
        self._required_scores(given.scores, batch)
        return given

    def _require_batch(self, batch: NDArray[np.uint8]) -> None:
        size = self.card.input
        if batch.dtype != np.uint8 or batch.ndim != 4 or batch.shape[1:] != (size.height, size.width, size.channels):
            raise SessionError(
                f"{self._where}: batch is {batch.dtype} {batch.shape} — the model takes uint8 "
                f"(n, {size.height}, {size.width}, {size.channels}) — bring images to size with models.resize.fit"
            )
        if batch.shape[0] == 0:
            raise SessionError(f"{self._where}: batch holds no image — at least 1 is needed — check the batcher")

    def _computed(self, outputs: list[str], batch: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        try:
            computed: list[NDArray[np.float32]] = self._ort.run(outputs, {"pixels": batch})
        except Exception as error:
            raise SessionError(
                f"{self._where}: inference of {batch.shape[0]} image(s) on {self.provider} failed: {_one_line(error)} "
                f"— check memory and drivers, then `lineward model verify {self._where}`"
            ) from error
        return computed

    def _required_scores(self, scores: NDArray[np.float32], batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        if scores.shape != (batch.shape[0], len(self.card.classes)):
            raise SessionError(
                f"{self._where}: scores are {scores.shape} for {batch.shape[0]} image(s) — "
                f"({batch.shape[0]}, {len(self.card.classes)}) is needed — export the model again"
            )
        return scores

    def warm(self, sizes: Sequence[int] = WARM_BATCHES) -> None:
        """Run each batch size once on black pixels, so that no part pays for a first call."""
        size = self.card.input
        for count in sizes:
            self.run(np.zeros((count, size.height, size.width, size.channels), np.uint8))


def open_session(
    bundle: Bundle,
    *,
    providers: Sequence[str] = (CPU,),
    intra_op_threads: int = 1,
    warm_sizes: Sequence[int] = WARM_BATCHES,
) -> Session:
    """Load the model, run its golden vectors on the provider in use and warm it.

    Raises GraphError, SessionError, or ParityError when a golden score misses the card's tolerance.
    """
    session = Session(bundle, providers=providers, intra_op_threads=intra_op_threads)
    check = check_golden(session, bundle.golden(), bundle.card.tolerance.score_abs)
    if not check.passed:
        raise ParityError(
            f"{bundle.path}: {check.detail} on {session.provider} — do not use this model here: "
            f"run `lineward model verify {bundle.path}`, then export it again or choose another provider"
        )
    session.warm(warm_sizes)
    return session


def _create(bundle: Bundle, providers: tuple[str, ...], threads: int) -> ort.InferenceSession:
    available = ort.get_available_providers()
    missing = [name for name in providers if name not in available]
    if missing or not providers:
        raise SessionError(
            f"execution provider {', '.join(missing) or '(none)'} is not available — this installation has "
            f"{', '.join(available)} — install the ONNX Runtime package with that provider or choose another"
        )
    if threads < 1:
        raise SessionError(f"intra_op_threads is {threads} — at least 1 is needed — mend the configuration")
    ort.set_default_logger_severity(4)
    model = bundle.read("model.onnx")
    try:
        session = ort.InferenceSession(model, _options(threads), providers=list(providers))
    except Exception as error:
        raise GraphError(
            f"{bundle.path}: model.onnx is no model that ONNX Runtime {ort.__version__} can load: {_one_line(error)} — "
            "export the model again"
        ) from error
    session.disable_fallback()
    return session


def _options(threads: int) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Measured with batches of 1 to 8, at the same speed: without memory patterns 64 instead of 86 MiB for
    # mobilenet_v3_small; the arena stays, without it resnet18 takes 317 instead of 231 MiB.
    options.enable_mem_pattern = False
    # Waiting threads that spin take a core from the camera and the ejector while the line idles.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    # Weights outside model.onnx would escape the card's hashes: nothing can lie below this folder.
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", "/dev/null")
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    return options


def _assert_in_use(session: ort.InferenceSession, providers: tuple[str, ...], where: str) -> str:
    """Give the provider that was asked for first, if nodes of the graph really run on it."""
    wanted = providers[0]
    loaded = session.get_providers()
    nodes: dict[str, int] = {}
    for subgraph in session.get_provider_graph_assignment_info():
        nodes[subgraph.ep_name] = nodes.get(subgraph.ep_name, 0) + len(subgraph.get_nodes())
    if wanted not in loaded or not nodes.get(wanted):
        placed = ", ".join(f"{count} nodes on {name}" for name, count in sorted(nodes.items())) or "no nodes anywhere"
        raise SessionError(
            f"{where}: {wanted} was asked for and is not in use (loaded: {', '.join(loaded)}; {placed}) — a silent "
            "fall-back is not accepted — check the provider's driver and libraries, or ask for the one that runs"
        )
    return wanted


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]

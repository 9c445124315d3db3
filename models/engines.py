"""The execution engines that a bundle can run on, by name, and the one way to open them: checked, warmed, asserted."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.bundle import Bundle
from models.card import Card
from models.checks import check_golden, compare_scores
from models.errors import ParityError, SessionError
from models.session import WARM_BATCHES, Given, Session

ONNXRUNTIME, OPENVINO = "onnxruntime", "openvino"
NAMES = (ONNXRUNTIME, OPENVINO)


class Engine(Protocol):
    """A loaded model, ready to score; any number of threads may call `run` at once. Whoever opens it owns it.

    provider: what it really runs on, as the engine itself says.
    """

    card: Card
    provider: str

    def run(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Score a batch uint8 (n, height, width, channels): raw scores float32 (n, classes). Raises SessionError."""
        ...

    def run_all(self, batch: NDArray[np.uint8]) -> Given:
        """Score a batch and give map and novelty where the model has them. Raises SessionError."""
        ...

    def warm(self, sizes: Sequence[int] = WARM_BATCHES) -> None:
        """Run each batch size once, so that no part pays for a first call."""
        ...


def installed() -> list[str]:
    """Return the names of the engines that this installation has."""
    return [name for name in NAMES if find_spec(name) is not None]


def open_engine(
    bundle: Bundle, name: str = ONNXRUNTIME, *, callers: int = 1, warm_sizes: Sequence[int] = WARM_BATCHES
) -> Engine:
    """Load a bundle on an engine for so many calling threads, hold it against the golden vectors, and warm it.

    The golden scores must be met within the card's tolerance and no verdict on them may differ. Raises GraphError,
    SessionError (not installed, or the engine refuses the model) and ParityError, also for an engine that the card
    refuses since it missed the trained model where the bundle was made.
    """
    refuse_by_card(bundle, name)
    engine = _load(bundle, name, callers)
    assert_parity(engine, bundle)
    engine.warm(warm_sizes)
    return engine


def refuse_by_card(bundle: Bundle, name: str) -> None:
    """Raise ParityError for an engine that missed the trained model's scores or verdicts before the release."""
    missed = next((row for row in bundle.card.parity if row.engine == name and not row.usable), None)
    if missed is not None:
        raise ParityError(
            f"{bundle.path}: its card refuses {name} ({missed.provider or 'not opened'}): {missed.why} — an engine "
            f"must give the scores of the trained model — choose {ONNXRUNTIME}"
        )


def assert_parity(engine: Engine, bundle: Bundle) -> None:
    """Refuse an engine that gives other scores, or other verdicts, than the bundle's golden vectors."""
    golden, card = bundle.golden(), bundle.card
    check = check_golden(engine, golden, card.tolerance.score_abs)
    scores = np.concatenate([engine.run(golden.inputs[place : place + 1]) for place in range(len(golden.inputs))])
    parity = compare_scores(
        golden.scores, scores, good_index=card.classes.index(card.good_class), threshold=card.threshold.value
    )
    if check.passed and parity.within(card.tolerance.score_abs):
        return
    raise ParityError(
        f"{bundle.path}: {check.detail}, one by one {parity.max_abs:.3g} with {parity.flips} other verdicts, on "
        f"{engine.provider} — do not use this model here: run `lineward model verify {bundle.path}`, then export it "
        "again or choose another engine"
    )


def _load(bundle: Bundle, name: str, callers: int) -> Engine:
    if name not in NAMES:
        raise SessionError(f"engine {name!r} is not known — one of {', '.join(NAMES)} — mend the configuration")
    if name == ONNXRUNTIME:
        return Session(bundle, intra_op_threads=1)
    if find_spec(name) is None:
        raise SessionError(
            "engine openvino is not installed — the package openvino is needed — pip install 'lineward[openvino]', or "
            "choose onnxruntime"
        )
    from models.openvino_session import OpenVinoSession

    return OpenVinoSession(bundle, callers=callers)

"""The fitted model of a released bundle, back in torch: the station's graph gives no types of places, this one does."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.bundle import Bundle
from training.errors import EvaluationError
from training.released import tensors_of
from training.template.model import Comparing
from training.template.network import NAME, ComparingNetwork
from training.template.planes import planes_of

_JUDGE = "judge."


def compares(bundle: Bundle) -> bool:
    """Tell whether a bundle has a comparing network, which knows types of defects."""
    return bundle.card.task == "template" and bundle.card.provenance.network == NAME


def rebuild(bundle: Bundle) -> Comparing:
    """Return the model whose graph a bundle holds, golden images and all.

    It must give the golden scores of the bundle within the tolerance of the card: so figures of it are figures of what
    was released. Raises EvaluationError where it does not, or where the graph lacks a tensor of it.
    """
    card = bundle.card
    found = tensors_of(bundle)
    network = ComparingNetwork(planes_of(card.input.channels), len(card.classes) - 1)
    try:
        model = Comparing(_goldens(found, card.input.height, card.input.width, card.input.channels), network)
        # What a graph does not hold under its name: BatchNorm's count of batches, and what the golden images give anew.
        own = {name: value for name, value in found.items() if name.startswith(_JUDGE)}
        lacking = [name for name in network.state_dict() if _JUDGE + name not in own and not name.endswith("_tracked")]
        if lacking:
            raise KeyError(lacking[0])
        network.load_state_dict({name.removeprefix(_JUDGE): value for name, value in own.items()}, strict=False)
        for name in ("gain", "offset", "floor"):
            getattr(model, name).copy_(found[name])
    except (KeyError, RuntimeError) as error:
        raise EvaluationError(
            f"{bundle.path}: its graph does not hold {error} of a comparing network of this release — types of places "
            "cannot be told — train it again"
        ) from error
    return _proved(model.eval(), bundle)


def _proved(model: Comparing, bundle: Bundle) -> Comparing:
    golden = bundle.golden()
    with torch.inference_mode():
        scores = model(torch.from_numpy(np.array(golden.inputs)))[0].numpy()
    apart, limit = float(np.abs(scores - golden.scores).max()), bundle.card.tolerance.score_abs
    if not apart <= limit:
        raise EvaluationError(
            f"{bundle.path}: the model made from its graph misses its golden scores by {apart:.3g} — at most "
            f"{limit:.3g} is allowed — train it again"
        )
    return model


def _goldens(found: Mapping[str, Tensor], height: int, width: int, channels: int) -> NDArray[np.uint8]:
    """Give the golden images of a graph, uint8 (k, h, w, c)."""
    packed = found["store.packed"].numpy()
    size = height * width * channels
    if packed.shape[1] != size:
        levels = found["store.levels"].numpy().astype(np.uint8)
        low, high = levels[:, :1], levels[:, 1:]
        packed = np.where(np.unpackbits(packed, axis=1)[:, :size] == 1, high, low)
    return np.ascontiguousarray(packed.reshape(-1, channels, height, width).transpose(0, 2, 3, 1))

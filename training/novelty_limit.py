"""From which distance on a picture is unlike those of the training: learned after the fitting, from held-out pieces.

Split conformal prediction (Lei et al., "Distribution-free predictive inference for regression", JASA 113 (2018),
section 2.2): the largest distance of n pieces that the fitting has not seen is exceeded by that of a further piece with
a probability of at most 1 / (n + 1), if the pieces are exchangeable.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, cast, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.card import NoveltySpec
from models.score import beyond
from training.material import Material, Part
from training.metrics import make_rate
from training.novelty import Novelty, fit_novelty

FEWEST = 20
"""Fewer held-out pieces lay out no limit: each twentieth good part might be stopped."""

WIDENED = 1.2
_BATCH = 16


@runtime_checkable
class Telling(Protocol):
    """A fitted model that can tell how far a picture is off those of its training.

    middle: path of the layer whose features tell it; '' of a model that is not to.
    """

    middle: str
    novelty: Novelty | None

    def features(self, pixels: Tensor) -> Tensor:
        """Give the features (n, features) of uint8 (n, h, w, c)."""
        ...


def learn_novelty(model: nn.Module, material: Material) -> Telling | None:
    """Have a fitted model give the novelty of each picture from now on, without a limit yet.

    Returns whoever tells it: the model, or the network that it cuts its input for; None where the task has a distance
    of its own, so that nothing was done.
    """
    boxes = material.boxes
    telling = model.network if boxes is not None and isinstance(model.network, nn.Module) else model
    if not isinstance(telling, Telling) or not telling.middle:
        return None
    train = material.train if boxes is None else boxes.train
    telling.novelty = fit_novelty(_features(telling, train.pixels), train.truth)
    return telling


def hold(telling: Telling, novelty: NDArray[np.float32], held_out: Part) -> NoveltySpec | None:
    """Lay out the limit from what is said of held-out images (n,) without one, and have it told as 1 from now on.

    None of too few pieces: nothing is told any more.
    """
    assert telling.novelty is not None
    spec = lay_out(novelty, held_out.groups)
    if spec is None:
        telling.novelty = None
        return None
    telling.novelty.limit.fill_(spec.limit)
    return spec.model_copy(update={"limit": 1.0})


def _features(telling: Telling, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    cast(nn.Module, telling).eval()
    with torch.inference_mode():
        return np.concatenate(
            [
                telling.features(torch.from_numpy(np.array(pixels[start : start + _BATCH]))).numpy()
                for start in range(0, len(pixels), _BATCH)
            ]
        )


def lay_out(novelty: NDArray[np.float32], groups: Sequence[str]) -> NoveltySpec | None:
    """Lay out the limit from what held-out images (n,) say, each of the piece in `groups`; None of fewer than 20.

    A piece is as far off as the furthest of its images.
    """
    furthest: dict[str, float] = {}
    for group, value in zip(groups, novelty.tolist(), strict=True):
        furthest[group] = max(furthest.get(group, 0.0), value)
    largest = max(furthest.values(), default=0.0)
    if len(furthest) < FEWEST or not 0.0 < largest < np.inf or not np.isfinite(novelty).all():
        return None
    return NoveltySpec(limit=largest * WIDENED, pieces=len(furthest), bound=1.0 / (len(furthest) + 1), widened=WIDENED)


def limit_words(spec: NoveltySpec | None, held_out: Part) -> str:
    """Say in one line what the limit comes from, or why there is none."""
    pieces = len(set(held_out.groups))
    if spec is None:
        return (
            f"no limit for pictures unlike those of the training: {pieces} validation pieces, {FEWEST} are needed — an "
            "unknown object may get any score"
        )
    return (
        f"pictures unlike those of the training: the limit lies {WIDENED:g} times as far off as the furthest of "
        f"{pieces} validation pieces, so that at most {spec.bound:.2%} of further parts like these are stopped"
    )


def tried_on(spec: NoveltySpec, novelty: NDArray[np.float32] | None, test: Part, good_index: int) -> NoveltySpec:
    """Add which share of the test images, of which this is the novelty (n,), is beyond the limit."""
    assert novelty is not None
    stopped, good = beyond(novelty, spec.limit), test.truth == good_index
    rates = (make_rate(int(stopped[kind].sum()), int(kind.sum())) for kind in (good, ~good))
    return spec.model_copy(update=dict(zip(("good_beyond", "defects_beyond"), rates, strict=True)))

"""The divisor that makes scores of classes mean what they say."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from training.draws import Truth


def fit_temperature(raw: NDArray[np.float32], truth: Truth) -> float:
    """Give the divisor of the scores (n, classes) that makes their softmax likeliest, within 0.5..5.

    Source: temperature scaling, Guo et al., ICML 2017. The bounds keep a small sample without mistakes from claiming
    certainty.
    """
    divisors = np.exp(np.linspace(math.log(0.5), math.log(5.0), 200))
    scores, wanted = torch.from_numpy(raw), torch.from_numpy(truth)
    losses: Sequence[float] = [nn.functional.cross_entropy(scores / float(t), wanted).item() for t in divisors]
    return float(divisors[int(np.argmin(losses))])

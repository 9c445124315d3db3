"""A backbone with a light decoder: what it sees coarsely and finely, joined into logits for each cell of a map."""

from __future__ import annotations

from collections import OrderedDict
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from training.network import ARCHITECTURES, Start, build_network

STRIDE = 4  # pixels of the input that a cell of the map covers
_WIDTH = 64
_DEFECT_PRIOR = 0.02  # a first guess of the share of defective cells keeps the first steps from undoing the backbone


class Segmenter(nn.Module):
    """Backbone, top-down path and head for one input size; the owner trains or exports it, on one thread at a time.

    The last features of each resolution are taken, from a quarter of the input down to a thirty-second; each is brought
    to a few channels and added to the next finer one (feature pyramid, Lin et al., CVPR 2017), so that a cell knows its
    surroundings. Convolutions of the decoder are separable: it costs a tenth of the backbone.
    """

    def __init__(self, backbone: str, classes: int, start: Start, height: int, width: int) -> None:
        super().__init__()
        self.stages = _stages(build_network(backbone, classes, start), backbone)
        self._taps, channels, self._sizes = _tap(self.stages, height, width)
        self.middle = _middle(backbone)
        self.lateral = nn.ModuleList(_pointwise(count) for count in channels)
        self.smooth = nn.ModuleList(_separable() for _ in channels)
        self.head = nn.Conv2d(_WIDTH, classes, 1)
        with torch.no_grad():
            self.head.weight.mul_(0.1)
            self.head.bias.zero_()  # type: ignore[union-attr]
            self.head.bias[0] = float(torch.logit(torch.tensor(1 - _DEFECT_PRIOR)))  # type: ignore[index]

    @property
    def map_size(self) -> tuple[int, int]:
        """Give rows and columns of the map."""
        return self._sizes[0]

    def decoder_parameters(self) -> list[nn.Parameter]:
        """Give all weights that no backbone brings along."""
        return [weights for part in (self.lateral, self.smooth, self.head) for weights in part.parameters()]

    def forward(self, images: Tensor) -> Tensor:
        """Turn normalised RGB (n, 3, h, w) into logits (n, classes, map height, map width)."""
        levels = []
        features = images
        for index, stage in enumerate(self.stages):
            features = stage(features)
            if index in self._taps:
                levels.append(features)
            if len(levels) == len(self._taps):
                break
        joined: Tensor | None = None
        for level in reversed(range(len(levels))):
            own = self.lateral[level](levels[level])
            joined = own if joined is None else own + interpolate(joined, size=self._sizes[level], mode="nearest")
            joined = self.smooth[level](joined)
        return cast(Tensor, self.head(joined))


def _stages(network: nn.Module, backbone: str) -> nn.Sequential:
    """Give the layers before the pooling, in their order."""
    if backbone == "resnet18":
        stem = nn.Sequential(
            OrderedDict((name, network.get_submodule(name)) for name in ("conv1", "bn1", "relu", "maxpool"))
        )
        return nn.Sequential(stem, *(network.get_submodule(f"layer{number}") for number in range(1, 5)))
    return cast(nn.Sequential, network.get_submodule("features"))


def _middle(backbone: str) -> str:
    """Give the path of the architecture's middle layer among the stages."""
    middle = ARCHITECTURES[backbone].middle
    return middle.replace("layer", "stages.") if backbone == "resnet18" else middle.replace("features.", "stages.")


def _tap(stages: nn.Sequential, height: int, width: int) -> tuple[tuple[int, ...], list[int], list[tuple[int, int]]]:
    """Find the last stage of each resolution from `STRIDE` on: its place, its channels, its rows and columns."""
    found: dict[tuple[int, int], tuple[int, int]] = {}
    was_training = stages.training
    stages.eval()
    with torch.no_grad():
        features = torch.zeros(1, 3, height, width)
        for index, stage in enumerate(stages):
            features = stage(features)
            size = (int(features.shape[2]), int(features.shape[3]))
            if height / size[0] > 0.75 * STRIDE:
                found[size] = (index, int(features.shape[1]))
    stages.train(was_training)
    return tuple(place for place, _ in found.values()), [count for _, count in found.values()], list(found)


def _pointwise(before: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, _WIDTH, 1, bias=False), nn.BatchNorm2d(_WIDTH))


def _separable() -> nn.Sequential:
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(_WIDTH, _WIDTH, 3, padding=1, groups=_WIDTH, bias=False),
        nn.BatchNorm2d(_WIDTH),
        nn.Conv2d(_WIDTH, _WIDTH, 1, bias=False),
        nn.BatchNorm2d(_WIDTH),
        nn.ReLU(),
    )

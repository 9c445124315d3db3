"""One network for several boxes of an input, inside one graph: a part is as bad as the worst of them."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from training.cut import Box, Cut, weights_of

_PIXELS_AT_ONCE = 8 * 224 * 224


class Cutting(nn.Module):
    """Cuts its input, judges each box with one network, and says the worst; made after the network was fitted.

    network: uint8 or float32 (n, side, side, c) in 0..255 -> logits (n, classes), the good class first, and the novelty
    (n,) where it has one. The boxes go through the network a few at a time, so that the memory depends on these few
    and not on all boxes of an image.
    """

    slope: Tensor
    shift: Tensor
    cover: Tensor

    def __init__(self, network: nn.Module, cut: Cut, classes: int, channels: int) -> None:
        super().__init__()
        self.network = network
        self.cut = cut
        self._classes = classes
        self._channels = channels
        self.register_buffer("slope", torch.ones(()))
        self.register_buffer("shift", torch.zeros(()))
        self.register_buffer("cover", torch.from_numpy(cut.cover().reshape(1, len(cut.boxes), -1)).float())
        self._sizes = {length for _, _, width, height in cut.boxes for length in (width, height)} - {cut.side}
        for length in sorted(self._sizes):
            self.register_buffer(f"weights_{length}", torch.from_numpy(weights_of(length, cut.side)))

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """Turn uint8 (n, h, w, c) into scores (n, classes) and the map (n, map height, map width) in 0..1.

        Where the network has a novelty, that of the strangest box follows (n,). The defect probability of the scores is
        that of the worst box. Which defect it is, is told by the strongest sign of each type in any box, so that two
        boxes that are equally bad cannot make the scores jump.
        """
        kinds, novelty = self._judge(pixels)
        margins = self._margins(kinds)
        # The sum hands on what is no number, which a maximum may pass over: what is not known must not pass.
        worst = margins.amax(dim=1, keepdim=True) + 0.0 * margins.sum(dim=1, keepdim=True)
        types = torch.log_softmax(kinds.amax(dim=1) * self.slope, dim=1)
        scores = torch.cat([0.0 * worst, worst + types], dim=1)
        size = self.cut.map
        shown = (torch.sigmoid(margins).unsqueeze(2) * self.cover).amax(dim=1)
        told = (scores.reshape(-1, self._classes), shown.reshape(-1, size.height, size.width))
        return told if novelty is None else (*told, novelty.amax(dim=1) + 0.0 * novelty.sum(dim=1))

    def margins(self, pixels: Tensor) -> Tensor:
        """Give the log odds of a defect in each box (n, boxes), calibrated; the sigmoid of it is its probability."""
        return self._margins(self._judge(pixels)[0])

    def _judge(self, pixels: Tensor) -> tuple[Tensor, Tensor | None]:
        """Give how far each defect type lies above the good class in each box (n, boxes, types), as fitted.

        And the novelty of each box (n, boxes), None where the network has none.
        """
        side = self.cut.side
        step = max(1, _PIXELS_AT_ONCE // (side * side))
        found, novelty = [], []
        for start in range(0, len(self.cut.boxes), step):
            boxes = self.cut.boxes[start : start + step]
            crops = torch.stack([self._crop(pixels, box) for box in boxes], dim=1)
            told = self.network(crops.reshape(-1, side, side, self._channels))
            logits = cast(Tensor, told[0] if isinstance(told, tuple) else told)
            if isinstance(told, tuple):
                novelty.append(told[1].reshape(-1, len(boxes)))
            found.append((logits[:, 1:] - logits[:, :1]).reshape(-1, len(boxes), self._classes - 1))
        return torch.cat(found, dim=1), torch.cat(novelty, dim=1) if novelty else None

    def _margins(self, kinds: Tensor) -> Tensor:
        top = kinds.amax(dim=2)
        raised = top + torch.log(torch.exp(kinds - top.unsqueeze(2)).sum(dim=2))
        return raised * self.slope + self.shift

    def _crop(self, pixels: Tensor, box: Box) -> Tensor:
        x, y, width, height = box
        inside = pixels[:, y : y + height, x : x + width]
        if not self._sizes:
            return inside
        planes = inside.permute(0, 3, 1, 2).float()
        if height != self.cut.side:
            planes = torch.matmul(self.get_buffer(f"weights_{height}"), planes)
        if width != self.cut.side:
            planes = torch.matmul(planes, self.get_buffer(f"weights_{width}").t())
        return planes.permute(0, 2, 3, 1)

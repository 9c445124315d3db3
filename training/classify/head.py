"""Fits a new head alone on the features of the training images, before the layers below it are touched."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from training.deployed import Deployed
from training.draws import Truth, draw_shares
from training.forward import Pixels, score_pixels
from training.network import head_of
from training.settings import TrainSettings

_STEPS = 300
_LR = 0.01
_WEIGHT_DECAY = 0.01


def start_head(
    model: Deployed, settings: TrainSettings, pixels: Pixels, truth: Truth, advance: Callable[[], None]
) -> None:
    """Fit the head of pretrained weights on what they make of uint8 (n, h, w, c); nothing in it is random.

    A random head would send large wrong gradients through good weights in the first steps.
    """
    head = head_of(model.network, settings.backbone)
    features = []
    hook = head.register_forward_pre_hook(lambda _module, inputs: features.append(inputs[0].detach()))
    score_pixels(model, pixels, settings.batch_size, advance)
    hook.remove()
    inputs = torch.cat(features).clone()
    wanted = torch.from_numpy(truth).to(inputs.device)
    share = torch.from_numpy(draw_shares(truth)).float().to(inputs.device)
    optimizer = torch.optim.AdamW(head.parameters(), lr=_LR, weight_decay=_WEIGHT_DECAY)
    for _ in range(_STEPS):
        optimizer.zero_grad()
        losses = nn.functional.cross_entropy(head(inputs), wanted, reduction="none")
        torch.autograd.backward((losses * share).sum())
        optimizer.step()

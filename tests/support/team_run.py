"""What torchrun starts in the test of several processes: a fitting whose weights it writes down, then a command.

torchrun --nproc-per-node 2 team_run.py FOLDER train --data …
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import torch

from inspection.cli.main import main
from training.classify.lesson import ClassLesson
from training.deployed import Deployed
from training.fitting import Fitting
from training.network import Start, build_network
from training.settings import TrainSettings
from training.team import join_team


def fit(batch_size: int = 64) -> Fitting:
    """Fit the small network for an epoch; its first weights are another process' own until the team shares them."""
    team = join_team(torch.device("cpu"))
    torch.manual_seed(team.rank)
    model = Deployed(build_network("compact", 2, Start(None, "")))
    settings = TrainSettings(backbone="compact", height=32, width=32, batch_size=batch_size, epochs=1, threads=1)
    pixels = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 1), dtype=np.uint8)
    truth = np.array([0, 1] * 3, dtype=np.intp)
    photos = (pixels, truth)
    fitting = Fitting(ClassLesson(model, settings, photos, photos, pretrained=False, good_index=0), settings)
    fitting.close_epoch(fitting.run_epoch(lambda: None))
    return fitting


def digest_of(model: torch.nn.Module) -> str:
    """Give the sha256 of all weights and buffers."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode() + tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


if __name__ == "__main__":
    fitted = fit()
    rank = join_team(torch.device("cpu")).rank
    told = {"weights": digest_of(fitted.model), "history": [epoch.as_dict() for epoch in fitted.history]}
    (Path(sys.argv[1]) / f"{rank}.json").write_text(json.dumps(told))
    sys.argv = ["lineward", *sys.argv[2:]]
    main()

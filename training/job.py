"""What one training is asked to do, as `lineward train` or a program asks for it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from datasets.location import Location
from training.retraining import Retraining
from training.runfolder import CHECKPOINT_S
from training.settings import TrainSettings
from training.space import SweepPlan
from training.target import Target


@dataclass(frozen=True, slots=True)
class Job:
    """Photos, settings and the bundle to write: a plain value.

    task: what to learn, None: as the labels allow. name: in the card, None: from `out`. retraining: the bundle to start
    from, whose task and split are kept. plan: of a sweep, None for one run. picture_limits: whether the card holds
    limits of focus, exposure and position, novelty_limit: one of how far a picture may be off those of the training.
    command: goes into the card as it is. restart: forget an unfinished run. every_s: seconds between two kept states
    inside an epoch. logs: for TensorBoard.
    """

    location: Location
    settings: TrainSettings
    out: Path
    task: str | None = None
    name: str | None = None
    split_file: Path | None = None
    retraining: Retraining | None = None
    plan: SweepPlan | None = None
    picture_limits: bool = True
    novelty_limit: bool = True
    command: str | None = None
    overwrite: bool = False
    restart: bool = False
    every_s: float = CHECKPOINT_S
    logs: bool = False

    @property
    def target(self) -> Target:
        """Give where the bundle is written to."""
        return Target(self.out, self.name or _name_from(self.out), self.overwrite)


def _name_from(out: Path) -> str:
    """Make a name that a card accepts from the bundle's file name."""
    stem = out.name.removesuffix(".zip")
    return re.sub(r"[^A-Za-z0-9._-]", "-", stem).lstrip("._-")[:64] or "model"

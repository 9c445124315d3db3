"""`python -m training.bench.fold PLAN`: one fold in a process of its own, so that its memory is its own."""

from __future__ import annotations

import fcntl
import sys
import time
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from datasets.location import Location
from training.arrange import TaskName
from training.bench.boxes import keep_boxes
from training.bench.peak import Peak
from training.command import run_training
from training.job import Job
from training.judging import Judged, judge_images
from training.metrics import Scored
from training.placewise import place_probabilities
from training.settings import TrainSettings

_LEAST = 1e-7  # a probability further from 0 and 1 has no finite odds in single precision
RESULT, SCORES, BUNDLE = "result.json", "scores.npz", "bundle"


class Plan(BaseModel):
    """What one fold is to do: a plain value, written for its process. `place` is the fold's folder."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    place: Path
    task: TaskName
    settings: TrainSettings
    split: Path
    folder: Path
    form: str | None
    annotations: Path | None
    good: str | None
    groups: Path | None

    @property
    def location(self) -> Location:
        """Give where the images lie."""
        return Location(self.folder, self.form, self.annotations, self.good, self.groups)


class FoldResult(BaseModel):
    """What one fold took: a plain value; what it scored lies beside it in `scores.npz`.

    train_s: from reading the images to the released bundle; None where an interrupted fold went on, so that only a part
    of it was timed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    state: Literal["measured"] = "measured"
    train_s: float | None
    peak_whole_mb: float | None
    peak_own_mb: float | None
    threshold: float
    classes: tuple[str, ...]
    network: str


def run_fold(plan: Plan) -> FoldResult:
    """Return a fold's result, made now unless it is there; of several that are asked at once, one makes it."""
    with (plan.place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = plan.place / RESULT
        if kept.exists():
            return FoldResult.model_validate_json(kept.read_text(encoding="utf-8"))
        return _make(plan)


def _make(plan: Plan) -> FoldResult:
    """Train, release and score the test images with ONNX Runtime; write both files; raise as `lineward train` does."""
    bundle = plan.place / BUNDLE
    fresh = not bundle.exists() and not bundle.with_name(BUNDLE + ".run").exists()
    begun_ns = time.monotonic_ns()
    with Peak() as peak:
        if not bundle.exists():
            run_training(Job(plan.location, plan.settings, bundle, task=plan.task, split_file=plan.split))
        spent_s = (time.monotonic_ns() - begun_ns) / 1e9
        judged = judge_images(
            str(bundle), plan.location, split="test", split_file=plan.split, threads=plan.settings.threads
        )
    card = judged.bundle.card
    result = FoldResult(
        train_s=round(spent_s, 1) if fresh else None,
        peak_whole_mb=peak.whole_mb,
        peak_own_mb=peak.own_mb,
        threshold=card.threshold.value,
        classes=card.classes if judged.place_labels is None else (card.good_class, "defect"),
        network=card.provenance.network,
    )
    _write_scores(plan.place / SCORES, judged)
    keep_boxes(plan.place, judged, plan.settings.threads)
    draft = plan.place / (RESULT + ".part")
    draft.write_text(result.model_dump_json(indent=2) + "\n", encoding="utf-8")
    draft.replace(plan.place / RESULT)  # last: a fold without it is not finished
    return result


def _scored(judged: Judged) -> Scored:
    """Give what was judged: images, or where they have places each place of each image, good or not."""
    if judged.place_labels is None or judged.maps is None:
        return judged.scored
    card = judged.bundle.card
    shares = place_probabilities(judged.maps, card).astype(np.float64).clip(_LEAST, 1 - _LEAST).ravel()
    return Scored(
        raw=np.stack([np.zeros_like(shares), np.log(shares / (1 - shares))], axis=1).astype(np.float32),
        truth=np.array([int(label != card.good_class) for labels in judged.place_labels for label in labels]),
        groups=tuple(group for group in judged.scored.groups for _ in card.places),
        good_index=0,
        novel=None if judged.scored.novel is None else judged.scored.novel.repeat(len(card.places)),
    )


def _write_scores(file: Path, judged: Judged) -> None:
    scored = _scored(judged)
    none = np.zeros(0, bool)
    np.savez(
        file,
        raw=scored.raw,
        truth=scored.truth,
        groups=np.array(scored.groups),
        types=none if scored.types is None else scored.types,
        novel=none if scored.novel is None else scored.novel,
        good_index=scored.good_index,
    )


def main() -> None:
    """Run the fold that a plan file describes; what a person can mend is one line and an exit code."""
    try:
        run_fold(Plan.model_validate_json(Path(sys.argv[1]).read_text(encoding="utf-8")))
    except Exception as error:
        code = getattr(error, "exit_code", None)
        if not isinstance(code, int):
            raise
        print(error, file=sys.stderr)
        sys.exit(code)


if __name__ == "__main__":
    main()

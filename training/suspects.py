"""Labels that are probably wrong: confident learning on out-of-fold probabilities over a backbone's features."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import islice

import numpy as np
import torch
from cleanlab.filter import find_label_issues
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from datasets.files import Progress, in_threads
from datasets.reader import load_sample
from datasets.sample import Dataset, Sample
from datasets.suspects import Suspect, Suspicion
from models.resize import fit
from training.deployed import Deployed
from training.errors import TrainingDataError, WeightsError
from training.network import ARCHITECTURES, Start, build_network, choose_start, head_of

_SIDE_PX = 224
_BATCH = 16
_FOLDS = 5
_STRENGTH = 0.01  # of logistic regression (C); with more it believes every label that it was fitted on

Rows = NDArray[np.float32]


def find_suspects(
    dataset: Dataset, *, backbone: str, weights: str, seed: int = 0, threads: int = 2, progress: Progress | None = None
) -> Suspicion:
    """Return the images whose label a classifier contradicts that was fitted without them and without their group.

    Confident learning (Northcutt, Jiang, Chuang: "Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR
    70, 2021) as cleanlab does it, over logistic regression on the features of a pretrained backbone. Of an image with
    several types, each of them counts as right. Raises WeightsError, DatasetError, or TrainingDataError where fewer
    than two classes have images of two groups.
    """
    if backbone not in ARCHITECTURES:
        raise WeightsError(
            f"--backbone {backbone}: no such network — there are {', '.join(ARCHITECTURES)} — choose one of them"
        )
    samples, left_out = _usable(dataset)
    start = choose_start(backbone, weights)
    torch.set_num_threads(threads)
    features = _features(samples, backbone, start, progress)
    classes = [label for label in dataset.classes if label not in left_out]
    truth = np.array([classes.index(sample.label) for sample in samples])
    groups = [sample.group for sample in samples]
    probabilities, folds = out_of_fold(features, truth, groups, seed)
    found = [
        Suspect(
            dataset.title_of(samples[row]),
            samples[row].label,
            classes[int(probabilities[row].argmax())],
            round(float(probabilities[row, truth[row]]), 4),
            round(float(probabilities[row].max()), 4),
        )
        for row in suspect_rows(truth, probabilities)
        if classes[int(probabilities[row].argmax())] not in samples[row].types
    ]
    agreement = float((probabilities.argmax(axis=1) == truth).mean())
    return Suspicion(tuple(found), len(samples), folds, round(agreement, 4), left_out, f"{backbone}, {start.told}")


def out_of_fold(
    features: Rows, truth: NDArray[np.intp], groups: Sequence[str], seed: int
) -> tuple[NDArray[np.float64], int]:
    """Return probabilities (n, classes) for each row by a classifier fitted on other groups, and the number of folds.

    features (n, d), truth (n,) in 0…classes−1, every class in at least two groups.
    """
    number = np.unique(groups, return_inverse=True)[1]
    folds = min(_FOLDS, *(len(np.unique(number[truth == label])) for label in np.unique(truth)))
    probabilities = np.zeros((len(truth), int(truth.max()) + 1))
    cut = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    for fitted, judged in cut.split(features, truth, number):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=_STRENGTH, max_iter=500))
        model.fit(features[fitted], truth[fitted])
        probabilities[np.ix_(judged, model[-1].classes_)] = model.predict_proba(features[judged])
    return probabilities, folds


def suspect_rows(truth: NDArray[np.intp], probabilities: NDArray[np.float64]) -> list[int]:
    """Return the rows whose label is probably wrong, the least believed first.

    As many as the confident joint counts off its diagonal, and those whose own label has the least probability: of
    cleanlab's ways to choose them, the one that named the most swapped labels and the fewest others.
    """
    ranked = find_label_issues(
        truth, probabilities, return_indices_ranked_by="self_confidence", filter_by="low_self_confidence", n_jobs=1
    )
    return [int(row) for row in ranked]


def _usable(dataset: Dataset) -> tuple[list[Sample], dict[str, str]]:
    """Return the samples of classes with two groups or more, and of the other classes why they are left out."""
    groups: defaultdict[str, set[str]] = defaultdict(set)
    for sample in dataset.samples:
        groups[sample.label].add(sample.group)
    left_out = {
        label: "all its images show one piece, so none can be judged by others"
        for label in dataset.classes
        if len(groups[label]) < 2
    }
    if len(dataset.classes) - len(left_out) < 2:
        raise TrainingDataError(
            f"{dataset.root}: {len(dataset.classes) - len(left_out)} class(es) have images of two pieces or more — "
            "suspect labels need two such classes — leave --weights out, or add images"
        )
    return [sample for sample in dataset.samples if sample.label not in left_out], left_out


def _features(samples: Sequence[Sample], backbone: str, start: Start, progress: Progress | None) -> Rows:
    """Return what the network's last layer sees of each image (n, d); a few images are in memory at a time."""
    model = Deployed(build_network(backbone, 2, start)).eval()
    seen: list[torch.Tensor] = []
    hook = head_of(model.network, backbone).register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].clone()))
    loaded = in_threads(_pixels, samples, total=len(samples), progress=progress)
    with torch.inference_mode():
        while batch := list(islice(loaded, _BATCH)):
            model(torch.from_numpy(np.stack(batch)))
    hook.remove()
    return torch.cat(seen).numpy()


def _pixels(sample: Sample) -> NDArray[np.uint8]:
    """Load what the sample means of its image: uint8 RGB at the size that the backbones were trained with."""
    return fit(load_sample(sample), _SIDE_PX, _SIDE_PX, 3)

"""From a fitted model to a released bundle: threshold, export, parity gate, figures, latency, and only then a file."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from models.benchmark import measure_batch_times
from models.bundle import Bundle, load_bundle, write_bundle
from models.card import CardDraft, InputSpec, Latency, Metrics, ParityRow, Provenance, QualityReference, Tolerance
from models.checks import BATCHES, Parity, check_batch_invariance, compare_scores, largest_difference
from models.engines import ONNXRUNTIME
from models.golden import Golden
from models.parity import Reference, measure_parity
from models.score import beyond
from models.session import CPU, Given, Session, open_session
from training.errors import ReleaseRefusedError
from training.export import export_onnx
from training.fitting import run_outputs
from training.guard import Guard, guard_words, refuse_worse
from training.hardware import DEVICE_TASKS, choose_device
from training.map_figures import MapTally, add_map_figures
from training.material import Material, Part
from training.metrics import Scored, calibration, measure
from training.novelty_limit import hold, learn_novelty, limit_words, tried_on
from training.placewise import rate_places
from training.runfolder import RunFolder
from training.settings import TrainSettings
from training.tasks.task import Fitted
from training.team import present_team
from training.threshold import choose_threshold

SCORE_TOLERANCE = 1e-3  # float32 kernels of different processors differ by 1e-6 to 1e-4 of a logit
_GOLDEN_BYTES = 1_000_000
_GOLDEN_COUNTS = (4, 8)
_LATENCY_REPEATS = 20
_LATENCY_S = 10.0
_BATCH = 8
_LIBRARIES = ("lineward", "torch", "torchvision", "albumentations", "onnx", "onnxruntime", "numpy")


@dataclass(frozen=True, slots=True)
class Release:
    """A released bundle and how far torch and ONNX lay apart: a plain value."""

    bundle: Bundle
    parity: Parity


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a release takes along and has to stand, beside parity: a plain value.

    parity_s: about how long all engines in all batch sizes may take. pictures: their limits, for the card. novelty:
    whether the model tells of pictures unlike those of the training. guard: sets on which the bundle in use is compared
    with; trained: sha256 of the files that were learned from. files: further ones of the bundle.
    made_from: digest of the bundle in use. command: as it was typed. say: takes a line for the person who waits.
    """

    parity_s: float = 30.0
    pictures: QualityReference | None = None
    novelty: bool = True
    guard: Guard | None = None
    trained: frozenset[str] = frozenset()
    files: Mapping[str, bytes] = field(default_factory=dict)
    made_from: str | None = None
    command: str | None = None
    say: Callable[[str], None] = lambda _: None


def release(
    fitted: Fitted,
    material: Material,
    settings: TrainSettings,
    *,
    out: Path,
    name: str,
    start: str,
    folder: RunFolder,
    overwrite: bool,
    conditions: Conditions | None = None,
) -> Release:
    """Choose the threshold, export, check, measure and write the bundle; raise ReleaseRefusedError before writing.

    The exported model runs as the station runs it, from a candidate bundle: its scores of the whole test split must
    agree with torch's within the tolerance and change no verdict, and batches of 1, 2, 4, 8 and 16 must give the same.
    Other engines that miss this are refused by the card. On a guarded set it must be no worse than the bundle in use.
    """
    conditions = conditions or Conditions()
    good = material.good_index
    model, with_map = fitted.model, fitted.map is not None
    telling = learn_novelty(model, material) if conditions.novelty else None
    held_out = _said_by(model, material.validation.pixels, with_map=with_map, with_novelty=telling is not None)
    novelty = None
    if telling is not None and held_out.novelty is not None:
        novelty = hold(telling, held_out.novelty, material.validation)
        conditions.say(limit_words(novelty, material.validation))
    threshold = choose_threshold(
        material.validation.scored(held_out.scores, good),
        settings.escape_target,
        target_overkill=settings.overkill_target,
        costs=settings.costs,
    )
    with_novelty = novelty is not None
    reference = _said_by(model, material.test.pixels, with_map=with_map, with_novelty=with_novelty)
    golden = golden_of(material.test, reference)
    graph = export_onnx(
        model, settings.height, settings.width, material.channels, with_map=with_map, with_novelty=with_novelty
    )
    draft = CardDraft(
        name=name,
        task=settings.task,
        classes=material.classes,
        good_class=material.good,
        input=InputSpec(
            height=settings.height,
            width=settings.width,
            channels=1 if material.channels == 1 else 3,
            pixel_format="Mono8" if material.channels == 1 else "RGB8",
        ),
        threshold=threshold,
        tolerance=Tolerance(score_abs=SCORE_TOLERANCE),
        data=material.origin(),
        metrics=Metrics(),
        provenance=_provenance(settings, start, fitted.network, conditions),
        map=fitted.map,
        places=fitted.places,
        tile=fitted.tile,
        smallest_defect_px=fitted.smallest_defect_px or material.smallest_defect_px,
        golden=fitted.golden,
        novelty=novelty,
    )
    candidate = write_bundle(folder.candidate, model=graph, draft=draft, golden=golden, overwrite=True)
    session = open_session(candidate)
    said = run_session(session, material.test.pixels)
    shown = None if reference.map is None else _maps_unless_other(session, material.test.pixels, reference.map)
    parity = compare_scores(
        reference.scores,
        said.scores,
        good_index=good,
        threshold=threshold.value,
        novel=(novel_of(draft, reference), novel_of(draft, said)),
    )
    refuse_unless_same(session, golden, parity)
    engines = measure_parity(
        candidate,
        Reference(material.test.pixels, reference.scores, reference.map, reference.novelty),
        budget_s=conditions.parity_s,
    )
    refuse_unless_usable(engines)
    scored = material.test.scored(said.scores, good, novel_of(draft, said))
    complete = draft.model_copy(
        update={
            "novelty": None if novelty is None else tried_on(novelty, said.novelty, material.test, good),
            "metrics": _measure(material, scored, shown, draft),
            "calibration": calibration(scored, fitted.temperature, "test"),
            "latency": latency_of(session),
            "parity": engines,
            "quality": conditions.pictures,
        }
    )
    if conditions.guard is not None:
        candidate = write_bundle(folder.candidate, model=graph, draft=complete, golden=golden, overwrite=True)
        guards = conditions.guard.compare(candidate, conditions.trained)
        for row in guards:
            conditions.say(f"guard {row.name}, {'no worse' if row.passed else 'worse'}: {guard_words(row)}")
        refuse_worse(guards, conditions.guard.before)
        complete = complete.model_copy(update={"guards": guards})
    write_bundle(out, model=graph, draft=complete, golden=golden, extras=conditions.files, overwrite=overwrite)
    return Release(load_bundle(out), parity)


def run_session(session: Session, pixels: NDArray[np.uint8]) -> Given:
    """Score uint8 (n, h, w, c) in batches: raw scores float32 (n, classes), and the novelty (n,) where there is one."""
    parts = [
        session.run_all(np.array(pixels[start : start + _BATCH]))._replace(map=None)
        for start in range(0, len(pixels), _BATCH)
    ]
    novelty = [part.novelty for part in parts if part.novelty is not None]
    return Given(np.concatenate([part.scores for part in parts]), novelty=np.concatenate(novelty) if novelty else None)


def novel_of(card: CardDraft, said: Given) -> NDArray[np.bool_] | None:
    """Tell which images (n,) a card's limit of novelty stops; None where it has none."""
    if card.novelty is None:
        return None
    assert said.novelty is not None
    return beyond(said.novelty, card.novelty.limit)


def golden_of(test: Part, said: Given) -> Golden:
    """Give the golden vectors: a few test images with what was said of them."""
    rows = golden_rows(test)
    novelty = None if said.novelty is None else said.novelty[rows]
    return Golden(inputs=np.array(test.pixels[rows]), scores=said.scores[rows], novelty=novelty)


def _said_by(model: nn.Module, pixels: NDArray[np.uint8], *, with_map: bool, with_novelty: bool) -> Given:
    """Give all that a fitted model says of uint8 (n, h, w, c)."""
    given = run_outputs(model, pixels, _BATCH)
    return Given(given[0], given[1] if with_map else None, given[-1] if with_novelty else None)


def _maps_unless_other(session: Session, pixels: NDArray[np.uint8], places: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give the exported maps (n, h, w); raise ReleaseRefusedError where they are not those of the fitted model."""
    limit = session.card.tolerance.score_abs
    starts = range(0, len(pixels), _BATCH)
    shown = np.concatenate([session.run_with_map(np.array(pixels[start : start + _BATCH]))[1] for start in starts])
    apart = largest_difference(places, shown)
    if not apart <= limit:
        raise ReleaseRefusedError(
            f"the exported map is not that of the trained model: it differs by up to {apart:.3g} — at most {limit:.3g} "
            "is allowed — nothing was released; report this with the versions of torch and onnxruntime"
        )
    return shown


def _measure(material: Material, scored: Scored, shown: NDArray[np.float32] | None, draft: CardDraft) -> Metrics:
    """Measure the test images at the threshold, and their maps beside what is marked or said of each place."""
    threshold = draft.threshold.value
    metrics = measure(scored, threshold, material.classes, "test")
    if shown is not None and material.boxes is not None and draft.places:
        rates = rate_places(shown, draft, material.boxes.place_labels, threshold)
        metrics = metrics.model_copy(update={"per_place": rates})
    return add_map_figures(metrics, _tally(material.test, shown, scored), threshold)


def _tally(test: Part, shown: NDArray[np.float32] | None, scored: Scored) -> MapTally | None:
    """Hold the maps against the truth, where there are both."""
    if shown is None or test.masks is None:
        return None
    tally, probability = MapTally(), scored.rejected_up_to
    for start in range(0, len(shown), _BATCH):
        rows = slice(start, start + _BATCH)
        tally.add(np.array(test.masks[rows]), shown[rows], probability[rows], test.groups[rows])
    return tally


def refuse_unless_same(session: Session, golden: Golden, parity: Parity) -> None:
    """Raise ReleaseRefusedError unless the export gives the scores of the fitted model, in every batch size."""
    limit = session.card.tolerance.score_abs
    if not parity.within(limit):
        raise ReleaseRefusedError(
            f"the exported model is not the trained one: on {parity.images} test images the scores differ by up to "
            f"{parity.max_abs:.3g} and {parity.flips} verdicts change — at most {limit:.3g} and 0 are allowed — "
            "nothing was released; report this with the versions of torch and onnxruntime"
        )
    batches = check_batch_invariance(session, golden, limit)
    if not batches.passed:
        raise ReleaseRefusedError(
            f"{batches.detail} — a verdict must not depend on who shares the batch — not released"
        )


def refuse_unless_usable(engines: Sequence[ParityRow]) -> None:
    """Raise ReleaseRefusedError where ONNX Runtime's CPU provider misses the fitted model in any batch size."""
    missed = next((row for row in engines if row.engine == ONNXRUNTIME and not row.usable), None)
    if missed is not None:
        raise ReleaseRefusedError(
            f"the exported model is not the trained one {missed.why} — nothing was released; report this with the "
            "versions of torch and onnxruntime"
        )


def golden_rows(test: Part) -> NDArray[np.intp]:
    """Choose test images class by class in turn, as many as fit into about a megabyte."""
    least, most = _GOLDEN_COUNTS
    wanted = min(len(test.truth), max(least, min(most, _GOLDEN_BYTES // test.pixels[0].size)))
    queues = [np.flatnonzero(test.truth == label).tolist() for label in sorted(set(test.truth.tolist()))]
    chosen: list[int] = []
    while len(chosen) < wanted:
        for queue in queues:
            if queue and len(chosen) < wanted:
                chosen.append(queue.pop(0))
    return np.array(sorted(chosen), dtype=np.intp)


def latency_of(session: Session) -> Latency:
    """Time each batch size so often as takes about ten seconds, 3 to 20 times: a cut image may take one by itself."""
    once_s = measure_batch_times(session, sizes=(1,), repeats=1)[1]
    repeats = max(3, min(_LATENCY_REPEATS, int(_LATENCY_S / (sum(BATCHES) * once_s))))
    return Latency(
        provider=CPU,
        processor=_processor(),
        intra_op_threads=1,
        repeats=repeats,
        median_s=measure_batch_times(session, sizes=BATCHES, repeats=repeats),
    )


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8", errors="replace").splitlines() if info.is_file() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named and named[0] else platform.processor() or platform.machine() or "unknown"


def _provenance(settings: TrainSettings, start: str, network: str, conditions: Conditions) -> Provenance:
    values = settings.model_dump(mode="json")
    if isinstance(settings.weights, Path):
        values["weights"] = settings.weights.name
    return Provenance(
        created_wall=datetime.now(UTC),
        tool=f"lineward train {version('lineward')}",
        network=network,
        weights=start,
        seed=settings.seed,
        versions={"python": ".".join(map(str, sys.version_info[:3])), **{lib: version(lib) for lib in _LIBRARIES}},
        settings=values
        | {
            "deterministic_kernels": torch.are_deterministic_algorithms_enabled(),
            "device": choose_device(settings.device).type if settings.task in DEVICE_TASKS else "cpu",
            "processes": present_team().size,
        },
        command=conditions.command,
        made_from=conditions.made_from,
    )

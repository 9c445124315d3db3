"""From a fitted model to a released bundle: draft, parity gate, figures, guarded sets, and only then a file."""

from __future__ import annotations

from dataclasses import dataclass

from models.bundle import Bundle
from models.checks import Parity
from training.conditions import Conditions
from training.drafted import Drafted, draft_bundle
from training.gate import pass_gate
from training.guard import Guard, guard_words, refuse_worse
from training.held_out import measure_test
from training.latency import latency_of
from training.material import Material
from training.metrics import calibration
from training.novelty_limit import tried_on
from training.provenance import provenance_of
from training.runfolder import RunFolder
from training.scoring import novel_of
from training.settings import TrainSettings
from training.target import Target
from training.tasks.task import Fitted


@dataclass(frozen=True, slots=True)
class Release:
    """A released bundle and how far torch and ONNX lay apart: a plain value."""

    bundle: Bundle
    parity: Parity


def release(
    fitted: Fitted,
    material: Material,
    settings: TrainSettings,
    target: Target,
    start: str,
    folder: RunFolder,
    conditions: Conditions,
) -> Release:
    """Choose the threshold, export, check, measure and write the bundle; raise ReleaseRefusedError before writing.

    The exported model runs as the station runs it, from a candidate bundle in the run's folder: see
    `training.gate.pass_gate`. On a guarded set it must be no worse than the bundle in use. start: what the fitting
    started from, in words.
    """
    provenance = provenance_of(settings, start, fitted.network, conditions)
    drafted = draft_bundle(fitted, material, settings, target.name, provenance, conditions)
    candidate = drafted.write(folder.candidate, overwrite=True)
    passed = pass_gate(candidate, drafted, material.test.pixels, parity_s=conditions.parity_s)
    said, good, novelty = passed.said, material.good_index, drafted.card.novelty
    scored = material.test.scored(said.scores, good, novel_of(drafted.card, said))
    complete = drafted.told(
        novelty=None if novelty is None else tried_on(novelty, said.novelty, material.test, good),
        metrics=measure_test(material, scored, passed.maps, drafted.card),
        calibration=calibration(scored, fitted.temperature, "test"),
        latency=latency_of(passed.session),
        parity=passed.engines,
        quality=conditions.pictures,
    )
    if conditions.guard is not None:
        complete = _compared(complete, conditions.guard, folder, conditions)
    bundle = complete.write(target.out, extras=conditions.files, overwrite=target.overwrite)
    return Release(bundle, passed.parity)


def _compared(complete: Drafted, guard: Guard, folder: RunFolder, conditions: Conditions) -> Drafted:
    """Tell on the card how the guarded sets are judged; raise ReleaseRefusedError where one is judged worse."""
    candidate = complete.write(folder.candidate, overwrite=True)
    rows = guard.compare(candidate, conditions.trained)
    for row in rows:
        conditions.say(f"guard {row.name}, {'no worse' if row.passed else 'worse'}: {guard_words(row)}")
    refuse_worse(rows, guard.before)
    return complete.told(guards=rows)

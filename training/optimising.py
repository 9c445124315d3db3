"""The fastest form of a model on this machine whose escape and overkill stay inside stated limits."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnxruntime as ort

from models.bundle import Bundle, write_bundle
from models.card import CardDraft, Metrics, Rate
from models.engines import ONNXRUNTIME, Engine, installed, open_engine
from models.errors import ModelError
from models.golden import Golden
from models.optimise import ADVANTAGE, Choice, Measured, call_ms, machine, throughput, versions
from models.parity import Reference, measure_parity, ways_to_run
from models.session import CPU, Given, open_session, outputs_of
from training.comparison import ALPHA, pair_up
from training.errors import EvaluationError, TrainingError
from training.intervals import worse_test
from training.lighter import AS_IT_IS, Form, Recipe, present_form
from training.metrics import Scored, calibration, measure
from training.novelty_limit import lay_out, tried_on
from training.photos import Photos
from training.release import golden_rows, latency_of, novel_of, run_session
from training.remembered import FILE as SPLIT_FILE
from training.statements import percent
from training.threshold import DEFAULT_ESCAPE, DEFAULT_OVERKILL, choose_threshold

_PARITY_S = 15.0
_MAX_BATCH = 4


@dataclass(frozen=True, slots=True)
class Limits:
    """Shares of the test images that may escape and be rejected: a plain value."""

    escape: float
    overkill: float


@dataclass(frozen=True, slots=True)
class Tried:
    """A form on an engine: a plain value. refused: why it is not taken, '' where it may be."""

    form: str
    engine: str = ""
    size: str = ""
    images_per_s: float = 0.0
    call_ms: float = 0.0
    escape: Rate | None = None
    overkill: Rate | None = None
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A form as a bundle in the working folder, with its scores of the test images: a plain value."""

    form: str
    bundle: Bundle
    scored: Scored
    metrics: Metrics
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """What came out: a plain value. best: the fastest form, which may be the bundle as it is; choice: its engine."""

    tried: tuple[Tried, ...]
    limits: Limits
    best: Candidate
    choice: Choice

    @property
    def is_new(self) -> bool:
        """Tell whether another form than the bundle itself is the fastest."""
        return self.best.form != AS_IT_IS


def find_fastest(
    bundle: Bundle,
    photos: Photos,
    recipes: Sequence[Recipe],
    *,
    escape_limit: float | None = None,
    overkill_limit: float | None = None,
    callers: int,
    rounds: int,
    seconds: float = 1.0,
) -> Found:
    """Make each form, choose its threshold on the validation images, judge the test images, and measure what may stay.

    A form may stay whose escape and overkill of the test images are at or below the limits (by default the card's
    targets, or what the bundle itself does where that is more) and which is not significantly worse than the bundle.
    The forms and engines are timed in turn. Raises ModelError when the bundle itself does not run.
    """
    present = _candidate(present_form(bundle), photos, keep_threshold=True)
    limits = Limits(
        _limit(escape_limit, bundle.card.threshold.target_escape, DEFAULT_ESCAPE, present.metrics.escape),
        _limit(overkill_limit, bundle.card.threshold.target_overkill, DEFAULT_OVERKILL, present.metrics.overkill),
    )
    tried: list[Tried] = []
    candidates = [present]
    for recipe in recipes:
        try:
            candidate = _candidate(recipe.make(), photos)
        except (ModelError, TrainingError) as error:
            tried.append(Tried(recipe.name, refused=str(error)))
            continue
        why = candidate.refused or _worse(present, candidate, limits)
        if why:
            tried.append(_row(candidate, refused=why))
        else:
            candidates.append(candidate)
    timed, left_out = _timed(candidates, callers, rounds, seconds)
    best, engine, ratio = max(timed, key=lambda one: one[2])
    if ratio <= ADVANTAGE:
        best, engine, _ = timed[0]
    own = tuple(measured for candidate, measured, _ in timed if candidate is best)
    rows = [_row(candidate, measured) for candidate, measured, _ in sorted(timed, key=lambda one: -one[2])]
    choice = Choice(engine.engine, best.bundle.digest, machine(), versions(), own)
    return Found((*rows, *left_out, *tried), limits, best, choice)


def write_best(found: Found, bundle: Bundle, out: Path, *, overwrite: bool) -> Bundle:
    """Write the best form as a bundle of its own, with its golden vectors and what it was made from."""
    made = found.best.bundle
    card = made.card
    provenance = card.provenance.model_copy(
        update={
            "created_wall": datetime.now(UTC),
            "tool": f"lineward model optimise {version('lineward')}",
            "made_from": bundle.digest,
        }
    )
    name = f"{bundle.card.name[:40]}-{found.best.form}".replace(" ", "-")[:64]
    draft = CardDraft.model_validate(
        card.model_copy(update={"name": name, "provenance": provenance}).model_dump(exclude={"schema_version", "files"})
    )
    extras = {SPLIT_FILE: bundle.read(SPLIT_FILE)} if SPLIT_FILE in bundle.card.files else {}
    return write_bundle(
        out, model=made.read("model.onnx"), draft=draft, golden=made.golden(), extras=extras, overwrite=overwrite
    )


def _candidate(form: Form, photos: Photos, *, keep_threshold: bool = False) -> Candidate:
    """Write a form as a bundle in the working folder: threshold, golden vectors, figures, every engine compared."""
    size, card = form.draft.input, form.draft
    validation, test = (photos.part(name, size.height, size.width) for name in ("validation", "test"))
    shown = golden_rows(test)
    inputs = np.array(test.pixels[shown])
    session = ort.InferenceSession(form.graph, providers=[CPU])
    names = outputs_of(card)
    given = Given(**dict(zip(names, session.run(names, {"pixels": inputs}), strict=True)))
    golden = Golden(inputs=inputs, scores=given.scores, novelty=given.novelty)
    place = photos.work / form.name.replace(" ", "-")
    draft = card.model_copy(update={"parity": (), "guards": ()})
    bundle = write_bundle(place, model=form.graph, draft=draft, golden=golden, overwrite=True)
    opened = open_session(bundle)
    good = card.good_index
    threshold, novelty = card.threshold, card.novelty
    held_out = run_session(opened, validation.pixels)
    if novelty is not None and held_out.novelty is not None and not keep_threshold:
        novelty = lay_out(held_out.novelty, validation.groups)
        if novelty is None:
            raise EvaluationError("its novelty is no number on some validation image")
    if not keep_threshold:
        threshold = choose_threshold(
            validation.scored(held_out.scores, good),
            threshold.target_escape,
            target_overkill=threshold.target_overkill,
            costs=threshold.costs,
        )
    said = run_session(opened, test.pixels)
    draft = draft.model_copy(update={"threshold": threshold, "novelty": novelty})
    scored = test.scored(said.scores, good, novel_of(draft, said))
    bundle = write_bundle(place, model=form.graph, draft=draft, golden=golden, overwrite=True)
    ways = [way for way in ways_to_run(bundle) if way.threads == 1]
    rows = measure_parity(
        bundle, Reference(test.pixels, said.scores, None, said.novelty), budget_s=_PARITY_S, ways=ways
    )
    metrics = measure(scored, threshold.value, card.classes, "test")
    temperature = card.calibration.temperature if card.calibration else 1.0
    complete = draft.model_copy(
        update={
            "novelty": None if novelty is None else tried_on(novelty, said.novelty, test, good),
            "metrics": metrics,
            "calibration": calibration(scored, temperature, "test"),
            "latency": latency_of(opened),
            "parity": rows,
        }
    )
    bundle = write_bundle(place, model=form.graph, draft=complete, golden=golden, overwrite=True)
    refused = next((row.why for row in rows if row.engine == ONNXRUNTIME and not row.usable), "")
    return Candidate(form.name, bundle, scored, metrics, refused)


def _limit(asked: float | None, target: float | None, default: float, own: Rate | None) -> float:
    """Return the limit of a share: as asked for, else the target, or what the bundle itself does where that is more."""
    if asked is not None:
        return asked
    return max(default if target is None else target, 0.0 if own is None else own.value)


def _worse(present: Candidate, candidate: Candidate, limits: Limits) -> str:
    """Say why a form may not stand in for the bundle, '' where it may."""
    kinds = (
        ("escape", candidate.metrics.escape, limits.escape, present.scored.defective),
        ("overkill", candidate.metrics.overkill, limits.overkill, ~present.scored.defective),
    )
    wrong = [
        (one.scored.rejected_up_to >= one.bundle.card.threshold.value) != present.scored.defective
        for one in (present, candidate)
    ]
    for name, rate, limit, chosen in kinds:
        if rate is None:
            return f"no test image shows its {name}"
        if rate.value > limit:
            return f"{name} {percent(rate.value)} of the test images, {percent(limit)} may be"
        pair = pair_up(present.scored.groups, chosen, *wrong)
        if pair is not None and (p := worse_test(pair.a_only, pair.b_only)) < ALPHA:
            return f"{name} is worse than the bundle's on {pair.b_only} pieces, better on {pair.a_only} (p = {p:.2g})"
    return ""


def _timed(
    candidates: Sequence[Candidate], callers: int, rounds: int, seconds: float
) -> tuple[list[tuple[Candidate, Measured, float]], list[Tried]]:
    """Time every form on every engine in turn; give each with its rate over that of the first on ONNX Runtime."""
    engines: list[tuple[Candidate, str, Engine]] = []
    left_out = []
    for candidate in candidates:
        for name in installed():
            try:
                sizes = range(1, _MAX_BATCH + 1)
                engines.append(
                    (candidate, name, open_engine(candidate.bundle, name, callers=callers, warm_sizes=sizes))
                )
            except ModelError as error:
                left_out.append(replace(_row(candidate, refused=str(error)), engine=name))
    rates = [[throughput(engine, callers, _MAX_BATCH, seconds) for _, _, engine in engines] for _ in range(rounds)]
    found = []
    for place, (candidate, name, engine) in enumerate(engines):
        ratio = statistics.median(row[place] / row[0] for row in rates)
        rate = statistics.median(row[place] for row in rates)
        measured = Measured(name, engine.provider, round(rate, 1), round(call_ms(engine), 3))
        found.append((candidate, measured, ratio))
    return found, left_out


def _row(candidate: Candidate, measured: Measured | None = None, refused: str = "") -> Tried:
    size = candidate.bundle.card.input
    return Tried(
        form=candidate.form,
        engine="" if measured is None else measured.engine,
        size=f"{size.width}x{size.height}",
        images_per_s=0.0 if measured is None else measured.images_per_s,
        call_ms=0.0 if measured is None else measured.call_ms,
        escape=candidate.metrics.escape,
        overkill=candidate.metrics.overkill,
        refused=refused,
    )

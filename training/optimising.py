"""The fastest form of a model on this machine whose escape and overkill stay inside stated limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from models.bundle import Bundle, write_bundle
from models.card import CardDraft, Rate
from models.errors import ModelError
from models.optimise import ADVANTAGE, Choice, Measured, machine, versions
from training.candidate import Candidate, make_candidate
from training.errors import TrainingError
from training.lighter import AS_IT_IS, Recipe, present_form
from training.photos import Photos
from training.race import race
from training.remembered import FILE as SPLIT_FILE
from training.standing_in import Limits, limits_of, why_refused


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
    present = make_candidate(present_form(bundle), photos, keep_threshold=True)
    limits = limits_of(present, escape_limit, overkill_limit)
    candidates, refused = [present], []
    for recipe in recipes:
        try:
            candidate = make_candidate(recipe.make(), photos)
        except (ModelError, TrainingError) as error:
            refused.append(Tried(recipe.name, refused=str(error)))
            continue
        why = candidate.refused or why_refused(present, candidate, limits)
        if why:
            refused.append(_row(candidate, refused=why))
        else:
            candidates.append(candidate)
    raced, left_out = race(candidates, callers=callers, rounds=rounds, seconds=seconds)
    best = max(raced, key=lambda one: one.ratio)
    if best.ratio <= ADVANTAGE:
        best = raced[0]
    own = tuple(one.measured for one in raced if one.candidate is best.candidate)
    choice = Choice(best.measured.engine, best.candidate.bundle.digest, machine(), versions(), own)
    tried = (
        *(_row(one.candidate, one.measured) for one in sorted(raced, key=lambda one: -one.ratio)),
        *(replace(_row(one.candidate, refused=one.why), engine=one.engine) for one in left_out),
        *refused,
    )
    return Found(tried, limits, best.candidate, choice)


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

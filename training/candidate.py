"""A lighter form of a model as a bundle in the working folder, judged on its own as a release is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnxruntime as ort

from models.bundle import Bundle, write_bundle
from models.card import CardDraft, Metrics, NoveltySpec, Threshold
from models.engines import ONNXRUNTIME
from models.golden import Golden
from models.parity import Reference, measure_parity, ways_to_run
from models.session import CPU, Given, Session, open_session, outputs_of
from training.drafted import golden_rows
from training.errors import EvaluationError
from training.latency import latency_of
from training.lighter import Form
from training.material import Part
from training.metrics import Scored, calibration, measure
from training.novelty_limit import lay_out, tried_on
from training.photos import Photos
from training.placewise import rate_places
from training.scoring import maps_of, novel_of, run_session
from training.threshold import choose_threshold

_PARITY_S = 15.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """A form as a bundle in the working folder, with its scores of the test images: a plain value."""

    form: str
    bundle: Bundle
    scored: Scored
    metrics: Metrics
    refused: str = ""


def make_candidate(form: Form, photos: Photos, *, keep_threshold: bool = False) -> Candidate:
    """Write a form as a bundle in the working folder: threshold, golden vectors, figures, every engine compared."""
    size, card = form.draft.input, form.draft
    validation, test = (photos.part(name, size.height, size.width) for name in ("validation", "test"))
    golden = _golden_of(form, test)
    place = photos.work / form.name.replace(" ", "-")

    def write(draft: CardDraft) -> Bundle:
        return write_bundle(place, model=form.graph, draft=draft, golden=golden, overwrite=True)

    draft = card.model_copy(update={"parity": (), "guards": ()})
    opened = open_session(write(draft))
    threshold, novelty = (card.threshold, card.novelty) if keep_threshold else _limits_of(opened, validation)
    said = run_session(opened, test.pixels)
    draft = draft.model_copy(update={"threshold": threshold, "novelty": novelty})
    scored = test.scored(said.scores, card.good_index, novel_of(draft, said))
    bundle = write(draft)
    ways = [way for way in ways_to_run(bundle) if way.threads == 1]
    rows = measure_parity(
        bundle, Reference(test.pixels, said.scores, None, said.novelty), budget_s=_PARITY_S, ways=ways
    )
    metrics = measure(scored, threshold.value, card.classes, "test")
    if photos.labels:
        rates = rate_places(maps_of(opened, test.pixels), draft, photos.labels, threshold.value)
        metrics = metrics.model_copy(update={"per_place": rates})
    temperature = card.calibration.temperature if card.calibration else 1.0
    told = {
        "novelty": None if novelty is None else tried_on(novelty, said.novelty, test, card.good_index),
        "metrics": metrics,
        "calibration": calibration(scored, temperature, "test"),
        "latency": latency_of(opened),
        "parity": rows,
    }
    refused = next((row.why for row in rows if row.engine == ONNXRUNTIME and not row.usable), "")
    return Candidate(form.name, write(draft.model_copy(update=told)), scored, metrics, refused)


def _golden_of(form: Form, test: Part) -> Golden:
    """Give golden vectors of the test images, with the scores that ONNX Runtime gives here."""
    inputs = np.array(test.pixels[golden_rows(test)])
    session = ort.InferenceSession(form.graph, providers=[CPU])
    names = outputs_of(form.draft)
    given = Given(**dict(zip(names, session.run(names, {"pixels": inputs}), strict=True)))
    return Golden(inputs=inputs, scores=given.scores, novelty=given.novelty)


def _limits_of(session: Session, validation: Part) -> tuple[Threshold, NoveltySpec | None]:
    """Lay out threshold and limit of novelty anew on the validation images, for the targets and costs of the card."""
    before, said = session.card.threshold, run_session(session, validation.pixels)
    novelty = None
    if session.card.novelty is not None and said.novelty is not None:
        novelty = lay_out(said.novelty, validation.groups)
        if novelty is None:
            raise EvaluationError("its novelty is no number on some validation image")
    threshold = choose_threshold(
        validation.scored(said.scores, session.card.good_index),
        before.target_escape,
        target_overkill=before.target_overkill,
        costs=before.costs,
    )
    return threshold, novelty

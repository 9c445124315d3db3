"""Scoring a stored record again: the same input, bundle, engine, batch size and place, compared bit for bit."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np

from inspection.records.model_input import Input, inputs_of
from inspection.records.record import StoredRecord
from models.bundle import Bundle, load_bundle
from models.engines import ONNXRUNTIME, OPENVINO, Engine, open_engine
from models.errors import ModelError
from models.references import resolve_bundle, zoo_names
from models.score import defect_probability_of


class Outcome(StrEnum):
    """What became of a replay."""

    EQUAL = "EQUAL"  # every raw score has the very bits of the record
    DIFFERENT = "DIFFERENT"
    IMPOSSIBLE = "IMPOSSIBLE"  # something that it needs is not there


@dataclass(frozen=True, slots=True)
class Replayed:
    """One record's replay: how it ended, in words, and how far the furthest raw score is off."""

    sequence: int
    outcome: Outcome
    why: str = ""
    furthest: float = 0.0
    views: int = 0


class _ImpossibleError(Exception):
    """A record cannot be scored again; the text says why."""


class Replay:
    """Bundles and engines for replays, each opened once; owned by one command, one thread."""

    def __init__(self, folder: Path, bundles: Iterable[str]) -> None:
        """folder: of the store. bundles: where to look for models, beside those that come along. Raises ModelError."""
        self._folder = folder
        self._bundles: dict[str, Bundle] = {}
        for reference in (*(f"zoo:{name}" for name in zoo_names()), *bundles):
            bundle = load_bundle(resolve_bundle(reference))
            self._bundles[bundle.digest] = bundle
        self._engines: dict[tuple[str, str], Engine] = {}

    def score(self, record: StoredRecord) -> Replayed:
        """Score a record again and compare."""
        try:
            inputs = self._inputs(record)
            engine = self._engine(record)
            told = _told(record)
            if len(told) != len(inputs):
                raise _ImpossibleError(f"it holds the input of {len(inputs)} views, the record tells of {len(told)}")
            furthest, views = 0.0, 0
            for view, (raw, score, batch) in enumerate(told):
                if raw is None:
                    continue  # no picture came, or it was not judged
                furthest = max(furthest, _compare(engine, _required(inputs[view], view), raw, score, batch))
                views += 1
        except _ImpossibleError as error:
            return Replayed(record.sequence, Outcome.IMPOSSIBLE, str(error))
        if not views:
            return Replayed(record.sequence, Outcome.IMPOSSIBLE, "the model gave no scores for this part")
        if furthest:
            why = f"raw scores are off by up to {furthest:.3g} on {engine.provider}"
            return Replayed(record.sequence, Outcome.DIFFERENT, why, furthest, views)
        return Replayed(record.sequence, Outcome.EQUAL, views=views)

    def _inputs(self, record: StoredRecord) -> tuple[Input | None, ...]:
        if record.image_removed:
            raise _ImpossibleError("its image was removed by rule")
        if not record.has_image:
            raise _ImpossibleError(f"no image was kept ({record.image_state})")
        try:
            data = (self._folder / record.image_file).read_bytes()
        except OSError as error:
            raise _ImpossibleError(f"its image cannot be read: {error}") from error
        if hashlib.sha256(data).hexdigest() != record.image_sha256:
            raise _ImpossibleError("its image was changed: run `lineward records verify`")
        try:
            inputs = inputs_of(data)
        except (ValueError, KeyError, TypeError) as error:
            raise _ImpossibleError(f"its image cannot be read: {error}") from error
        if not inputs:
            raise _ImpossibleError("its image is what people look at, without what the model got (records.keep_inputs)")
        return inputs

    def _engine(self, record: StoredRecord) -> Engine:
        key = (record.bundle_digest, record.provider)
        if key not in self._engines:
            self._engines[key] = self._opened(record)
        return self._engines[key]

    def _opened(self, record: StoredRecord) -> Engine:
        bundle = self._bundles.get(record.bundle_digest)
        if bundle is None:
            raise _ImpossibleError(
                f"bundle {record.bundle_digest} ({record.model}) is not at hand: name it with --bundle"
            )
        if record.provider.startswith("kserve"):
            raise _ImpossibleError(f"it was scored on a server ({record.provider})")
        try:
            engine = open_engine(bundle, OPENVINO if record.provider.startswith("OpenVINO") else ONNXRUNTIME)
        except ModelError as error:
            raise _ImpossibleError(str(error)) from error
        if engine.provider != record.provider:
            known = record.provider or "an engine that is not known"
            raise _ImpossibleError(f"it was scored on {known}, not {engine.provider}")
        return engine


_View = tuple[Sequence[float] | None, float | None, tuple[int, int] | None]


def _told(record: StoredRecord) -> list[_View]:
    """Return what the record says of each view: raw scores, score, and size and place of its batch."""
    views: Any = record.extra.get("views")
    batches = record.batches or (None,)
    if views is None:
        return [(record.raw_scores or None, record.score, batches[0])]
    return [
        (view.get("raw_scores") or None, view.get("score"), batches[place] if place < len(batches) else None)
        for place, view in enumerate(views)
    ]


def _required(pixels: Input | None, view: int) -> Input:
    if pixels is None:
        raise _ImpossibleError(f"what the model got of view {view + 1} was not kept")
    return pixels


def _compare(
    engine: Engine, pixels: Input, raw: Sequence[float], score: float | None, batch: tuple[int, int] | None
) -> float:
    """Return how far the furthest score is off; 0.0 when all bits are the same.

    The other places of the batch stay black: what lies there changes no bit of this place (measured), its size might.
    """
    if batch is None:
        raise _ImpossibleError("the record does not say in which batch it was scored")
    size, place = batch
    filled = np.zeros((size, *pixels.shape), np.uint8)
    filled[place] = pixels
    try:
        given = engine.run(filled) if engine.card.novelty is None else engine.run_all(filled).scores
    except ModelError as error:
        raise _ImpossibleError(str(error)) from error
    again, stored = given[place], np.array(raw, np.float64)
    if again.shape != stored.shape:
        raise _ImpossibleError(f"the model gives {again.size} scores, the record has {stored.size}")
    single = stored.astype(np.float32)
    is_equal = again.tobytes() == single.tobytes() and bool(np.all(single == stored))
    good_index = engine.card.classes.index(engine.card.good_class)
    if is_equal and (score is None or defect_probability_of(again.tolist(), good_index) == score):
        return 0.0
    return float(max(np.abs(again - stored).max(), np.finfo(np.float32).tiny))

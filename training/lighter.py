"""Lighter forms of a released graph: 8-bit integers, a smaller input, or another backbone trained the same way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort

from models.bundle import Bundle, load_bundle
from models.card import CardDraft, InputSpec, MapSpec, Tolerance
from training.errors import EvaluationError
from training.photos import Photos
from training.quantise import quantise

# Another processor rounds the integers of a layer elsewhere; the verdicts on the golden images have to stay.
INT8_TOLERANCE = 0.2
_CALIBRATED_ON = 96
AS_IT_IS = "as it is"


@dataclass(frozen=True, slots=True)
class Form:
    """A form of the model that may be faster: a plain value. draft: its card, in which the figures are the old ones."""

    name: str
    graph: bytes
    draft: CardDraft


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a form is made, when it is wanted: a plain value; making it may raise ModelError or TrainingError."""

    name: str
    make: Callable[[], Form]


@dataclass(frozen=True, slots=True)
class Backbone:
    """Another network to try: its name, and how it is trained to a bundle in a folder."""

    name: str
    train: Callable[[Path], Path]


def present_form(bundle: Bundle) -> Form:
    """Return the bundle as it is."""
    return Form(AS_IT_IS, bundle.read("model.onnx"), draft_of(bundle))


def draft_of(bundle: Bundle) -> CardDraft:
    """Return a bundle's card without what only a written bundle has."""
    return CardDraft.model_validate(bundle.card.model_dump(exclude={"schema_version", "files"}))


def recipes(
    bundle: Bundle, photos: Photos, sizes: Sequence[tuple[int, int]], backbones: Sequence[Backbone], work: Path
) -> Iterator[Recipe]:
    """Give the forms to try: int8, each smaller input (height, width) and each backbone, the latter as int8, too."""
    present = present_form(bundle)
    yield Recipe("int8", partial(as_int8, present, photos))
    for height, width in sizes:
        small = partial(at_size, present, height, width)
        name = f"{width}x{height}"
        yield Recipe(name, small)
        yield Recipe(f"{name}-int8", partial(_int8_of, small, photos))
    for backbone in backbones:
        trained = partial(_trained, backbone, work)
        yield Recipe(backbone.name, trained)
        yield Recipe(f"{backbone.name}-int8", partial(_int8_of, trained, photos))


def as_int8(form: Form, photos: Photos) -> Form:
    """Quantise a form statically, calibrated on training images that are spread over all of them."""
    size = form.draft.input
    step = max(1, len(photos.train) // _CALIBRATED_ON)
    pixels = photos.pixels(photos.train[::step][:_CALIBRATED_ON], size.height, size.width)
    told = form.draft.provenance.settings | {"precision": "int8", "calibrated_on": len(pixels)}
    draft = form.draft.model_copy(
        update={
            "tolerance": Tolerance(score_abs=max(INT8_TOLERANCE, form.draft.tolerance.score_abs)),
            "provenance": form.draft.provenance.model_copy(update={"settings": told}),
        }
    )
    name = "int8" if form.name == AS_IT_IS else f"{form.name}-int8"
    return Form(name, quantise(form.graph, np.asarray(pixels)), draft)


def at_size(form: Form, height: int, width: int) -> Form:
    """Let the same weights look at a smaller picture; raise EvaluationError where the graph cannot.

    It can where it is convolutional and pools over the whole picture. What is cut at fixed pixels (places, tiles) stays
    where it is, so such models are refused.
    """
    card = form.draft
    if card.places or card.tile is not None:
        raise EvaluationError("it cuts places or tiles at fixed pixels of its input")
    model = onnx.load_model_from_string(form.graph)
    dimensions = model.graph.input[0].type.tensor_type.shape.dim
    dimensions[1].dim_value, dimensions[2].dim_value = height, width
    del model.graph.value_info[:]
    maps = [output for output in model.graph.output if output.name == "map"]
    for output in maps:
        output.type.tensor_type.shape.dim[1].dim_param = "h"
        output.type.tensor_type.shape.dim[2].dim_param = "w"
    black = np.zeros((2, height, width, card.input.channels), np.uint8)
    try:
        session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        given = dict(
            zip([one.name for one in session.get_outputs()], session.run(None, {"pixels": black}), strict=True)
        )
    except Exception as error:  # ONNX Runtime's errors have no common type
        raise EvaluationError(f"its graph takes no other size ({' '.join(str(error).split())[:160]})") from error
    spec = card.map
    for output in maps:
        high, wide = given["map"].shape[1:]
        output.type.tensor_type.shape.dim[1].dim_value = high
        output.type.tensor_type.shape.dim[2].dim_value = wide
        spec = MapSpec(height=high, width=wide)
    shrunk = min(height / card.input.height, width / card.input.width)
    least = None if card.smallest_defect_px is None else card.smallest_defect_px * shrunk
    size = InputSpec.model_validate(card.input.model_dump() | {"height": height, "width": width})
    draft = card.model_copy(update={"input": size, "map": spec, "smallest_defect_px": least})
    return Form(f"{width}x{height}", model.SerializeToString(), draft)


def _int8_of(make: Callable[[], Form], photos: Photos) -> Form:
    return as_int8(make(), photos)


def _trained(backbone: Backbone, work: Path) -> Form:
    folder = work / f"trained-{backbone.name}"
    bundle = load_bundle(folder if folder.exists() else backbone.train(folder))
    return replace(present_form(bundle), name=backbone.name)

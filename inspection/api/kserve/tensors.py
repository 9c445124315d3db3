"""Tensors of the Open Inference Protocol: which ones a model has, a request's pixels, and a response's outputs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod
from typing import Any

import grpc
import numpy as np
from numpy.typing import NDArray

from camera.frame import Pixels
from inspection.api.errors import RefusedError
from inspection.api.pb import open_inference_pb2 as oip
from models.card import Card
from models.session import Given, outputs_of

INPUT = "pixels"
UINT8, FP32 = "UINT8", "FP32"
_CHANGES_MEANING = ("classification", "shared_memory_region", "binary_data_size")


def input_shape(card: Card) -> list[int]:
    """Return the shape of the input, -1 for the batch."""
    size = card.input
    return [-1, size.height, size.width, size.channels]


def output_shapes(card: Card) -> dict[str, list[int]]:
    """Return the shapes of all outputs that the model has, -1 for the batch, in the order of the graph."""
    shapes = {"scores": [-1, len(card.classes)], "novelty": [-1]}
    if card.map is not None:
        shapes["map"] = [-1, card.map.height, card.map.width]
    return {name: shapes[name] for name in outputs_of(card)}


def request_batch(request: oip.ModelInferRequest, card: Card) -> Pixels:
    """Return the batch of a request, uint8 (n, height, width, channels). Raises RefusedError (INVALID_ARGUMENT)."""
    if len(request.inputs) != 1 or request.inputs[0].name != INPUT:
        names = ", ".join(repr(tensor.name[:50]) for tensor in request.inputs[:5]) or "none"
        raise invalid("inputs", f"the inputs are {names} — exactly one, {INPUT!r}, is needed — see ModelMetadata")
    tensor = request.inputs[0]
    refuse_parameters("inputs", tensor.parameters)
    if tensor.datatype != UINT8:
        raise invalid("inputs.datatype", f"{INPUT!r} is {tensor.datatype[:50]!r} — {UINT8} is needed — convert it")
    shape, wanted = list(tensor.shape), input_shape(card)
    if len(shape) != 4 or shape[0] < 1 or shape[1:] != wanted[1:]:
        raise invalid(
            "inputs.shape", f"{INPUT!r} has shape {shape[:8]} — {wanted} is needed, -1 for 1 or more — bring it to size"
        )
    count = prod(shape)
    if request.raw_input_contents:
        return _from_raw(request, shape, count)
    values = tensor.contents.uint_contents
    if len(values) != count:
        raise invalid(
            "inputs.contents",
            f"{INPUT!r} has {len(values)} values in uint_contents — {count} belong to shape {shape} — send them all",
        )
    wide = np.fromiter(values, np.uint32, count)
    if wide.max() > 255:
        raise invalid("inputs.contents", f"{INPUT!r} has the value {wide.max()} — {UINT8} goes to 255 — convert it")
    return wide.astype(np.uint8).reshape(shape)


def _from_raw(request: oip.ModelInferRequest, shape: Sequence[int], count: int) -> Pixels:
    if request.inputs[0].HasField("contents"):
        raise invalid("inputs.contents", "contents and raw_input_contents are both there — send one of them")
    if len(request.raw_input_contents) != 1 or len(request.raw_input_contents[0]) != count:
        sizes = ", ".join(str(len(raw)) for raw in request.raw_input_contents[:5])
        raise invalid(
            "raw_input_contents",
            f"raw contents of {sizes} bytes came — one of {count} bytes belongs to shape {list(shape)} — send it whole",
        )
    return np.frombuffer(request.raw_input_contents[0], np.uint8).reshape(shape)


def wanted_outputs(request: oip.ModelInferRequest, card: Card) -> list[str]:
    """Return the names of the outputs that are asked for, all where none is. Raises RefusedError (INVALID_ARGUMENT)."""
    has = outputs_of(card)
    names = [tensor.name for tensor in request.outputs] or has
    for tensor in request.outputs:
        refuse_parameters("outputs", tensor.parameters)
    unknown = [name for name in names if name not in has]
    if unknown or len(set(names)) != len(names):
        raise invalid(
            "outputs",
            f"the outputs {', '.join(repr(name[:50]) for name in names[:5])} are asked for — each of "
            f"{', '.join(has)} once is possible — see ModelMetadata",
        )
    return names


def response_tensors(response: oip.ModelInferResponse, names: Iterable[str], given: Given, *, raw: bool) -> None:
    """Write outputs into a response, as raw bytes or as typed contents."""
    arrays: dict[str, NDArray[np.float32] | None] = given._asdict()
    for name in names:
        array = arrays[name]
        if array is None:
            raise RuntimeError(f"the model gave no {name}, of which its card speaks")
        tensor = response.outputs.add(name=name, datatype=FP32, shape=array.shape)
        if raw:
            response.raw_output_contents.append(np.ascontiguousarray(array, "<f4").tobytes())
        else:
            tensor.contents.fp32_contents.extend(array.ravel().tolist())


def refuse_parameters(field: str, parameters: Any) -> None:
    """Refuse parameters of a tensor that would give its bytes another meaning. Raises RefusedError."""
    asked = [name for name in _CHANGES_MEANING if name in parameters]
    if asked:
        raise invalid(
            f"{field}.parameters",
            f"{', '.join(asked)} is asked for — this server offers plain tensors only — send and take the values in "
            "the message",
        )


def invalid(field: str, text: str) -> RefusedError:
    """Return the refusal of a tensor (INVALID_ARGUMENT, reason TENSOR)."""
    return RefusedError(grpc.StatusCode.INVALID_ARGUMENT, "TENSOR", text, field=field)

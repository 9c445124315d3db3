"""What a graph must look like to be the one that a card describes."""

from __future__ import annotations

from typing import Protocol

import onnxruntime as ort

from models.card import Card


class _Tensor(Protocol):
    name: str
    type: str
    shape: list[int | str | None]


def graph_problems(session: ort.InferenceSession, card: Card) -> list[str]:
    """List how the graph's inputs and outputs differ from the card's; empty when nothing does.

    Wanted: one input `pixels` uint8 (N, height, width, channels) and one output `scores` float32 (N, classes), both
    with a free N.
    """
    size = card.input
    wanted_in = [size.height, size.width, size.channels]
    return _tensor_problems("input", session.get_inputs(), "pixels", "tensor(uint8)", wanted_in) + _tensor_problems(
        "output", session.get_outputs(), "scores", "tensor(float)", [len(card.classes)]
    )


def _tensor_problems(role: str, tensors: list[_Tensor], name: str, kind: str, tail: list[int]) -> list[str]:
    if len(tensors) != 1:
        names = ", ".join(tensor.name for tensor in tensors)
        return [f"it has {len(tensors)} {role}s ({names}), wanted is one, '{name}'"]
    tensor = tensors[0]
    found = []
    if tensor.name != name:
        found.append(f"its {role} is named '{tensor.name}', wanted is '{name}'")
    if tensor.type != kind:
        found.append(f"its {role} is {tensor.type}, wanted is {kind}")
    if len(tensor.shape) != len(tail) + 1:
        found.append(f"its {role} has {len(tensor.shape)} dimensions, wanted are {len(tail) + 1}: N, {tail}")
        return found
    if isinstance(tensor.shape[0], int):
        found.append(f"its {role} has a fixed batch of {tensor.shape[0]}, wanted is a free N")
    if list(tensor.shape[1:]) != tail:
        found.append(f"its {role} has the shape (N, {tensor.shape[1:]}), wanted is (N, {tail})")
    return found

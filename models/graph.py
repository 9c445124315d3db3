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

    Wanted: one input `pixels` uint8 (N, height, width, channels), the output `scores` float32 (N, classes) and, where
    the card speaks of them, the outputs `map` float32 (N, height, width) and `novelty` float32 (N,); each with a free
    N.
    """
    size = card.input
    outputs: dict[str, list[int]] = {"scores": [len(card.classes)]}
    if card.map is not None:
        outputs["map"] = [card.map.height, card.map.width]
    if card.novelty is not None:
        outputs["novelty"] = []
    return _role_problems(
        "input", session.get_inputs(), "tensor(uint8)", {"pixels": [size.height, size.width, size.channels]}
    ) + _role_problems("output", session.get_outputs(), "tensor(float)", outputs)


def _role_problems(role: str, tensors: list[_Tensor], kind: str, wanted: dict[str, list[int]]) -> list[str]:
    if len(tensors) != len(wanted):
        names = ", ".join(tensor.name for tensor in tensors)
        count = "one" if len(wanted) == 1 else str(len(wanted))
        asked = ", ".join(f"'{name}'" for name in wanted)
        return [f"it has {len(tensors)} {role}s ({names}), wanted is {count}, {asked}"]
    pairs = zip(tensors, wanted.items(), strict=True)
    return [problem for tensor, (name, tail) in pairs for problem in _tensor_problems(role, tensor, name, kind, tail)]


def _tensor_problems(role: str, tensor: _Tensor, name: str, kind: str, tail: list[int]) -> list[str]:
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

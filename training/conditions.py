"""What a release takes along and has to stand, beside parity."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from models.card import QualityReference
from training.guard import Guard


@dataclass(frozen=True, slots=True)
class Conditions:
    """What is known before the training and counts at the release: a plain value.

    parity_s: about how long all engines in all batch sizes may take. pictures: their limits, for the card. novelty:
    whether the model tells of pictures unlike those of the training. guard: sets on which the bundle in use is compared
    with; trained: sha256 of the files that were learned from. files: further ones of the bundle. made_from: digest of
    the bundle in use. command: as it was typed. say: takes a line for the person who waits.
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

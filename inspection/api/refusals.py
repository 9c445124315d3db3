"""What the domain's errors are to a client of the API: code and reason, as the proto lists them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

import grpc

from inspection.api.errors import RefusedError
from inspection.challenge.errors import ChallengeStateError
from inspection.control import State, StateError, TriggerMissedError
from inspection.identity.errors import SerialRefusedError
from inspection.lots.states import LotContentError, LotMissingError, LotStateError
from inspection.recipes.errors import RecipeError, RecipeInUseError, RecipeMissingError

_PRECONDITION, _MISSING = grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.NOT_FOUND
_INVALID = grpc.StatusCode.INVALID_ARGUMENT
_ROWS: tuple[tuple[type[Exception], grpc.StatusCode, str], ...] = (
    (StateError, _PRECONDITION, "STATE"),
    (TriggerMissedError, _PRECONDITION, "TRIGGER"),
    (ChallengeStateError, _PRECONDITION, "CHALLENGE_RUNNING"),
    (LotStateError, _PRECONDITION, "LOT"),
    (LotMissingError, _MISSING, "LOT"),
    (LotContentError, _INVALID, "LOT"),
    (RecipeMissingError, _MISSING, "RECIPE"),
    (RecipeInUseError, _PRECONDITION, "RECIPE_IN_USE"),
    (RecipeError, _INVALID, "RECIPE"),
    (SerialRefusedError, _INVALID, "SERIAL"),
)
_Answer = TypeVar("_Answer")


class HasState(Protocol):
    """Something that tells the station's state."""

    @property
    def state(self) -> State:
        """What the station does now."""


def carried_out(control: HasState, command: Callable[[], _Answer]) -> _Answer:
    """Run a command of the line. Raises RefusedError for what the domain refuses; metadata: the station's state."""
    try:
        return command()
    except tuple(kind for kind, _, _ in _ROWS) as error:
        code, reason = next((code, reason) for kind, code, reason in _ROWS if isinstance(error, kind))
        metadata = {"state": control.state.value} if code is _PRECONDITION else {}
        raise RefusedError(code, reason, str(error), metadata=metadata) from error

"""How a check says what it expects, with or without a test framework."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

_T = TypeVar("_T")

LONG_S = 120.0
"""A wait that a check expects to be cut short."""


class ContractError(AssertionError):
    """A driver does not keep the contract. Raised by a check, shown by a test framework or a command."""


class NotTriedError(Exception):
    """Nothing of this camera can put the promise to the test; the text says why. Raised by a check."""


class LossError(Exception):
    """Pictures were lost on their way, and the driver told of it: a fault of the link. Raised by a check.

    Neither broken nor kept: what was to be looked at did not come.
    """


def expect(holds: bool, otherwise: str) -> None:
    """Raise ContractError with `otherwise` where it does not hold."""
    if not holds:
        raise ContractError(otherwise)


def expect_some(given: _T | None, otherwise: str) -> _T:
    """Return what was given. Raises ContractError with `otherwise` for None."""
    if given is None:
        raise ContractError(otherwise)
    return given


def expect_equal(seen: object, wanted: object, what: str) -> None:
    """Raise ContractError that shows both where they differ."""
    expect(seen == wanted, f"{what}: {seen!r}, expected {wanted!r}")


def expect_refusal(call: Callable[[], object], kind: type[Exception], text: str, what: str) -> None:
    """Raise ContractError unless the call raises `kind` with `text` in its message."""
    try:
        given = call()
    except kind as error:
        expect(text in str(error), f"{what} is refused with {str(error)!r}, where {text!r} is expected in the text")
        return
    raise ContractError(f"{what} gives {given!r}, where {kind.__name__} with {text!r} is expected")


def in_thread(call: Callable[[], object]) -> threading.Thread:
    """Begin a call in a thread of its own."""
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    return thread


def expect_end(thread: threading.Thread, bound_s: float, what: str) -> None:
    """Wait for a thread's end. Raises ContractError when it does not come."""
    thread.join(bound_s)
    expect(not thread.is_alive(), f"{what} did not return in {bound_s:g} s")


def open_files() -> int:
    """Return how many files this process has open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())

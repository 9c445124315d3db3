"""Asking for many things of which none may keep the others waiting."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Ask = Callable[[], "str | bytes"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What one question gave. trouble: why it gave nothing, '' where it did."""

    name: str
    content: bytes = b""
    trouble: str = ""


def gather(questions: Mapping[str, Ask], timeout_s: float) -> list[Answer]:
    """Ask everything at once, each on a thread of its own; what is not there in time is left out, with the reason."""
    answers: dict[str, Answer] = {}

    def ask(name: str, question: Ask) -> None:
        try:
            content = question()
        except Exception as error:  # noqa: BLE001 - whatever is broken is why somebody asks: it goes into the list
            answers[name] = Answer(name, trouble=f"{type(error).__name__}: {error}")
            return
        encoded = content if isinstance(content, bytes) else content.encode("utf-8", "backslashreplace")
        answers[name] = Answer(name, encoded)

    threads = {name: threading.Thread(target=ask, args=item, daemon=True) for name, item in _items(questions)}
    for thread in threads.values():
        thread.start()
    left_s = timeout_s
    for thread in threads.values():
        began_s = time.monotonic()
        thread.join(max(left_s, 0.0))
        left_s -= time.monotonic() - began_s
    late = {name: Answer(name, trouble=f"no answer within {timeout_s:g} s") for name in questions}
    return [dict(answers).get(name, late[name]) for name in questions]


def _items(questions: Mapping[str, Ask]) -> list[tuple[str, tuple[str, Ask]]]:
    return [(name, (name, question)) for name, question in questions.items()]

"""A recorder that takes every part and keeps none, for tests that look at the parts themselves."""

from __future__ import annotations

from inspection.part import PartResult
from inspection.tracking.part import PartInFlight


class ForgetfulMemory:
    """Takes everything and keeps nothing."""

    run = "run-1"

    def born(self, part: PartInFlight, due_host_ns: int, deadline_host_ns: int) -> None: ...

    def submit(self, result: PartResult) -> bool:
        return True

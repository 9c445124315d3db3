"""An ejector whose clock the test owns."""

from __future__ import annotations

from collections.abc import Callable

from camera.frame import Trigger
from inspection.ejector.interface import Ejector, EjectorHealth
from inspection.part import Actuation, EjectorAction, Verdict


class ManualEjector(Ejector):
    """A PASS releases, silence rejects, reports come on demand (`due`). Used from the test's thread alone."""

    lead_ns = 0

    def __init__(self) -> None:
        self.armed: dict[int, Verdict | None] = {}

    def open(
        self,
        on_actuation: Callable[[Actuation], None],
        on_health: Callable[[EjectorHealth], None],
        on_trigger: Callable[[Trigger], None] | None = None,
    ) -> None:
        self.report = on_actuation

    def expect(self, part: int, due: int) -> None:
        self.armed[part] = None

    def moved(self, host_ns: int, position: int) -> None: ...

    def decide(self, part: int, verdict: Verdict) -> None:
        if self.armed.get(part, Verdict.PASS) is None:
            self.armed[part] = verdict

    def due(self, part: int, action: EjectorAction | None = None) -> None:
        verdict = self.armed.pop(part)
        usual = EjectorAction.RELEASED if verdict is Verdict.PASS else EjectorAction.FIRED
        self.report(Actuation(part, action or usual, verdict is None, None, None))

    def alive(self) -> None: ...

    def health(self) -> EjectorHealth:
        return EjectorHealth(True, "", "manual", "", 0, 0, False, False)

    def close(self) -> None: ...

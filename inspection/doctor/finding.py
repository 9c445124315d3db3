"""What one look found, and how several looks are taken so that none disturbs the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. level: ok, note (works, could be better) or problem (a station will not work)."""

    what: str
    level: str
    found: str
    next_step: str = ""

    def as_json(self) -> dict[str, str]:
        """Return it with plain values."""
        return asdict(self)


Look = Callable[[], Iterator[Finding]]


def look_at(looks: Iterable[Look]) -> list[Finding]:
    """Take each look; one that fails itself is a problem of its own and never ends the others."""
    findings: list[Finding] = []
    for look in looks:
        try:
            findings.extend(look())
        except Exception as error:  # noqa: BLE001 - a broken library is a finding, not an end
            name = getattr(getattr(look, "func", look), "__name__", "check").strip("_")
            findings.append(Finding(name, "problem", f"{type(error).__name__}: {error}", "install Lineward again"))
    return findings

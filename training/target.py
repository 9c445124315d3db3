"""Where a training writes its bundle to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from models.bundle import read_card
from models.errors import ModelError
from training.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Target:
    """Where a run writes to, and what it may replace there: a plain value."""

    out: Path
    name: str
    overwrite: bool = False

    def refuse_taken(self) -> None:
        """Raise before hours of training what would be refused at its end: something that may not be replaced."""
        if not self.out.exists() or (self.out.is_dir() and not any(self.out.iterdir())):
            return
        try:
            there = read_card(self.out)
        except ModelError as error:
            raise SettingsError(
                f"--out {self.out}: exists and is no bundle, it is left alone — a bundle replaces only a bundle — "
                f"choose another path or remove it yourself ({error})"
            ) from error
        if not self.overwrite:
            raise SettingsError(
                f"--out {self.out}: bundle '{there.card.name}' is there already — it is replaced only on request — "
                "choose another path or add --overwrite"
            )

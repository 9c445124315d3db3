"""What `lineward train --from` is told: the bundle to start from, new photos, and guarded sets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from models.bundle import Bundle, load_bundle
from models.references import resolve_bundle
from training.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Retraining:
    """A released bundle that a training starts from: a plain value.

    add: folders of new photos. guard: folders on which the new bundle may be no worse.
    """

    bundle: Bundle
    add: tuple[Path, ...] = ()
    guard: tuple[Path, ...] = ()


def retraining_of(reference: str | None, add: Sequence[Path] | None, guard: Sequence[Path] | None) -> Retraining | None:
    """Open the bundle that was named, None without one. Raises ModelError, and SettingsError for options without it."""
    given = [name for name, folders in (("--add", add), ("--guard", guard)) if folders]
    if reference is None and given:
        raise SettingsError(
            f"{', '.join(given)}: need the bundle to start from, which new photos are added to and a new bundle is "
            "compared with — give it with --from BUNDLE"
        )
    if reference is None:
        return None
    return Retraining(load_bundle(resolve_bundle(reference)), tuple(add or ()), tuple(guard or ()))

"""Turning what a person writes for a bundle, `zoo:parts` or a path, into a path."""

from __future__ import annotations

from pathlib import Path

from models.errors import BundleNotFoundError

ZOO_PREFIX = "zoo:"
_ZOO = Path(__file__).resolve().parent / "zoo"


def resolve_bundle(reference: str) -> Path:
    """Give the folder or zip that `zoo:<name>` or a path names; raise BundleNotFoundError when nothing is there."""
    if reference.startswith(ZOO_PREFIX):
        return _zoo_bundle(reference)
    path = Path(reference).expanduser()
    if not path.exists():
        raise BundleNotFoundError(
            f"{reference}: no such bundle — a bundle is a folder, a .zip or {_known()} — check the path"
        )
    return path


def zoo_names() -> tuple[str, ...]:
    """Give the names of the bundles that come with Lineward."""
    return tuple(sorted(card.parent.name for card in _ZOO.glob("[!.]*/card.json")))


def _zoo_bundle(reference: str) -> Path:
    name = reference.removeprefix(ZOO_PREFIX)
    if name not in zoo_names():
        raise BundleNotFoundError(
            f"{reference}: no such model comes with Lineward — there is {_known()} — check the name"
        )
    return _ZOO / name


def _known() -> str:
    return ", ".join(ZOO_PREFIX + name for name in zoo_names()) or "no model in the zoo yet"

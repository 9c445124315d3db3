"""What people read, in every language: one catalogue file a language."""

from __future__ import annotations

from inspection.texts.catalogue import LANGUAGES, Catalogue, load_catalogue

__all__ = ["LANGUAGES", "Catalogue", "load_catalogue"]

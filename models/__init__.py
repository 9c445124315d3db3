"""The contract between training and the runtime: bundles, sessions and their checks, free of torch."""

from __future__ import annotations

from models.silence import keep_silent

keep_silent()  # before any module of this package imports a library that would report home

from models.references import resolve_bundle  # noqa: E402

__all__ = ["resolve_bundle"]

"""The contract between training and the runtime: bundles, sessions and their checks, free of torch."""

from __future__ import annotations

from models.references import resolve_bundle

__all__ = ["resolve_bundle"]

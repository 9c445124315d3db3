"""Synthetic machined parts on a belt, good and bad: what the simulated line shows and the demo model learns."""

from __future__ import annotations

from datasets.synthetic.renderer import KINDS, PartRenderer, RenderedPart

__all__ = ["KINDS", "PartRenderer", "RenderedPart"]

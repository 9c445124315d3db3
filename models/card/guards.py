"""The sets of images on which a model had to be no worse than the one before it."""

from __future__ import annotations

from pydantic import Field

from models.card.section import Count, Section, Sha256, Share


class GuardRow(Section):
    """A guarded set of images, judged by the bundle that was in use and by this one, each at its own threshold.

    p_escape, p_overkill: one-sided exact McNemar tests on pieces, that this one is no worse; None without such parts.
    """

    name: str = Field(min_length=1)
    digest: Sha256
    images: Count
    trained_on: Count = Field(description="of these images; they say little")
    defect_pieces: Count
    good_pieces: Count
    escapes_before: Count = Field(description="images of defects that passed")
    escapes: Count
    overkills_before: Count = Field(description="images of good parts that were rejected")
    overkills: Count
    found_before: Count = Field(description="defective pieces that the bundle in use finds")
    lost: Count = Field(description="of these, pieces that this one lets pass")
    p_escape: Share | None = None
    p_overkill: Share | None = None
    p_lost: Share | None = Field(default=None, description="that so many are lost at the escape rate that is promised")
    passed: bool

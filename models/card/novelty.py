"""How far a picture may be off those that the model was made from."""

from __future__ import annotations

from pydantic import Field

from models.card.figures import Rate
from models.card.section import Section, Share


class NoveltySpec(Section):
    """The output "novelty" of the graph, float32 (N,): how far each picture is off those of the training.

    Beyond the limit the scores mean nothing: the part is not decidable.
    """

    limit: float = Field(gt=0.0, allow_inf_nan=False, description="of the output; no number is beyond it, too")
    pieces: int = Field(ge=1, description="held-out parts, good and defective, that laid out the limit")
    bound: Share = Field(description="of further parts like these that are stopped at most, before it was widened")
    widened: float = Field(ge=1.0, description="the limit was put so many times as far off")
    good_beyond: Rate | None = Field(default=None, description="good test images that are beyond it")
    defects_beyond: Rate | None = Field(default=None, description="defective test images that are beyond it")

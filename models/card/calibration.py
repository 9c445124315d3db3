"""How far the defect probability can be read as a frequency."""

from __future__ import annotations

from pydantic import Field

from models.card.section import Section, Share


class CalibrationBin(Section):
    """Images whose defect probability lies in [low, high): what was predicted, what was true."""

    low: Share
    high: Share
    mean_probability: Share
    defect_share: Share
    count: int = Field(ge=1)


class Calibration(Section):
    """How far the defect probability can be read as a frequency."""

    split: str = Field(min_length=1)
    temperature: float = Field(gt=0.0, allow_inf_nan=False, description="divisor already applied inside the graph")
    expected_calibration_error: Share
    bins: tuple[CalibrationBin, ...]

"""What a station's configuration says about its records."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from inspection.records.retention import RetentionRule

BYTES_PER_MB = 1_000_000
InputChoice = Literal["none", "rejected", "all"]


class RecordsOptions(BaseModel):
    """The table `[records]` of the configuration; read once, frozen. 1 MB = 1,000,000 bytes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dir: Path = Field(default=Path("lineward-data"), description="folder of the store; made when absent")
    queue_capacity: int = Field(
        default=4096, gt=0, le=1_000_000, description="parts that may wait to be stored; beyond it they are refused"
    )
    commit_linger_ms: float = Field(
        default=10.0, ge=0, le=1000, description="how long a record may wait for others to share its disk flush"
    )
    image_format: Literal["jpeg", "png", "tiff"] = Field(
        default="jpeg", description="jpeg (quality 90), or lossless: png, tiff"
    )
    keep_inputs: InputChoice = Field(
        default="rejected",
        description="whose images also hold what the model got, so that they can be scored again: all, rejected, none",
    )
    ok_sample: int = Field(default=50, ge=0, le=1_000_000, description="keep the image of 1 of N passed parts; 0: none")
    image_budget_mb: int = Field(
        default=10_000,
        ge=0,
        le=100_000_000,
        description="disk space for images; the oldest go first, passed parts first",
    )
    retention: tuple[RetentionRule, ...] = Field(
        default=(), max_length=64, description="how long images are kept; the first rule that fits one counts"
    )
    image_queue_mb: int = Field(
        default=64, gt=0, le=100_000, description="pixels that may wait to be encoded; beyond it images are given up"
    )
    sign_every_hours: float = Field(
        default=24.0, ge=1 / 3600, le=24, description="the records are signed that often, and when the station ends"
    )
    min_free_mb: int = Field(
        default=500, ge=0, le=100_000_000, description="free disk space that images never use; kept for records"
    )

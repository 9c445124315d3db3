"""How the graph ran where the bundle was made: how near to its model, how fast, and how near is near enough."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from models.card.section import Count, Section


class Tolerance(Section):
    """How far two executions of the same image may lie apart."""

    score_abs: float = Field(gt=0.0, le=1.0, allow_inf_nan=False, description="largest |difference| of a raw score")


class Latency(Section):
    """What one call of the session took where the bundle was made; the station measures its own."""

    provider: str = Field(min_length=1)
    processor: str = Field(min_length=1)
    intra_op_threads: int = Field(ge=1)
    repeats: int = Field(ge=1)
    median_s: dict[int, Annotated[float, Field(gt=0.0, allow_inf_nan=False)]] = Field(description="batch -> seconds")


class ParityRow(Section):
    """How far one way to run the graph lies from the model that it was exported from, on the test images.

    engine: as it is chosen ('onnxruntime', 'openvino'), or another execution provider of ONNX Runtime. An engine with
    a row that is not usable is refused.
    """

    engine: str = Field(min_length=1)
    provider: str = Field(default="", description="what the engine says that it runs on")
    batch: int = Field(ge=1)
    threads: int = Field(ge=1, description="of one call in ONNX Runtime, calling at once elsewhere")
    images: Count = Field(
        description="compared; fewer than `test_images`: half next to the threshold, half evenly spread"
    )
    test_images: Count
    max_abs: float | None = Field(
        default=None, ge=0.0, allow_inf_nan=False, description="of a raw score; None: no number"
    )
    flips: Count = Field(default=0, description="verdicts that change at the card's threshold")
    map_max_abs: float | None = Field(default=None, ge=0.0, allow_inf_nan=False, description="of a place of the map")
    novelty_max_abs: float | None = Field(
        default=None,
        ge=0.0,
        allow_inf_nan=False,
        description="of the novelty in limits, or relative where that is less",
    )
    usable: bool
    why: str = Field(default="", description="why it is not usable")

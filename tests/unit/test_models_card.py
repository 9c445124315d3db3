"""The card: bounded, frozen, consistent in itself."""

from __future__ import annotations

import pytest
from pydantic import ValidationError
from tiny_bundle import tiny_draft

from models.card import CardDraft, Estimate, InputSpec, Metrics, Rate


def test_card_cannot_change_after_it_was_read() -> None:
    """A frozen document: thresholds are not edited in place."""
    draft = tiny_draft(("good", "bad"), 8, 8, 3)
    with pytest.raises(ValidationError, match="frozen"):
        draft.threshold.value = 0.1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("classes", "good", "part"),
    [
        (("good", "bad"), "fine", "not one of"),
        (("good", "good"), "good", "named twice"),
        (("good",), "good", "at least 2"),
    ],
)
def test_classes_must_fit_together(classes: tuple[str, ...], good: str, part: str) -> None:
    """The good class is one of at least two different classes."""
    content = tiny_draft(("good", "bad"), 8, 8, 3).model_dump() | {"classes": classes, "good_class": good}
    with pytest.raises(ValidationError, match=part):
        CardDraft.model_validate(content)


def test_good_index_follows_the_order_of_the_classes() -> None:
    """The good class need not be the first column."""
    content = tiny_draft(("good", "bad"), 8, 8, 3).model_dump() | {"classes": ("chip", "good", "stain")}
    assert CardDraft.model_validate(content).good_index == 1


@pytest.mark.parametrize(
    ("value", "low", "high", "numerator", "denominator"),
    [(0.5, 0.1, 0.9, 1, 3), (0.5, 0.6, 0.9, 1, 2), (1.5, 0.0, 1.0, 3, 2), (0.0, 0.0, 1.0, 0, 0)],
)
def test_rate_must_be_the_share_of_its_counts(
    value: float, low: float, high: float, numerator: int, denominator: int
) -> None:
    """A rate that contradicts its counts or its interval, or that counts nothing, is refused."""
    with pytest.raises(ValidationError):
        Rate(value=value, low=low, high=high, numerator=numerator, denominator=denominator)


def test_estimate_lies_in_its_interval_and_is_finite() -> None:
    """NaN is not a figure, and an interval holds its value."""
    for value in (float("nan"), 0.2):
        with pytest.raises(ValidationError):
            Estimate(value=value, low=0.5, high=0.9, method="bootstrap 1000")


def test_metrics_must_name_known_classes() -> None:
    """Figures of a class that the model does not know, or a confusion matrix of another size, are refused."""
    rate = Rate(value=0.5, low=0.1, high=0.9, numerator=1, denominator=2)
    content = tiny_draft(("good", "bad"), 8, 8, 3).model_dump()
    for metrics in (Metrics(per_class={"chip": rate}), Metrics(confusion=((1, 2), (3,)))):
        with pytest.raises(ValidationError, match=r"metrics\."):
            CardDraft.model_validate(content | {"metrics": metrics})


def test_resize_of_another_version_is_refused() -> None:
    """A model that was trained with another resizing is not run with this one."""
    with pytest.raises(ValidationError, match="area-halving-1"):
        InputSpec.model_validate(
            {"height": 8, "width": 8, "channels": 1, "pixel_format": "Mono8", "resize": "bilinear-1"}
        )

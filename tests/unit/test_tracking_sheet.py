"""The sheet: several views of a part are stored and shown as one picture."""

from __future__ import annotations

import numpy as np
import pytest

from inspection.records.images import encode_image
from inspection.tracking.sheet import Sheet, places


def test_each_view_is_found_again_at_its_place() -> None:
    """Grey and coloured views of different sizes stand side by side, unchanged, at the places that the record names."""
    generator = np.random.default_rng(1)
    views = tuple(generator.integers(0, 256, shape, np.uint8) for shape in ((40, 30), (20, 50, 3), (60, 10)))
    sheet = np.asarray(Sheet(views))
    assert sheet.shape == (60, 90, 3)
    for view, (x, y, width, height) in zip(views, places([view.shape for view in views]), strict=True):
        found = sheet[y : y + height, x : x + width]
        assert np.array_equal(found, view if view.ndim == 3 else np.repeat(view[..., None], 3, axis=2))


@pytest.mark.parametrize("count", [1, 2, 8])
def test_a_sheet_is_stored_as_any_picture(count: int) -> None:
    """Grey views make a grey sheet, which the recorder encodes; its size counts against the recorder's queue."""
    views = tuple(np.full((16, 16), number, np.uint8) for number in range(count))
    sheet = Sheet(views)
    assert np.asarray(sheet).shape == (16, 16 * count)
    assert sheet.nbytes == 256 * count
    assert encode_image(np.asarray(sheet), "png")

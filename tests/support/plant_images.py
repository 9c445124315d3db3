"""A store with images that a plant wants copied, and a disk budget without room that takes them."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
from searched_store import a_part

from inspection.records.budget import ImageBudget
from inspection.records.images import keep_image
from inspection.records.options import RecordsOptions
from inspection.records.reader import RecordReader
from inspection.records.record import Run
from inspection.records.store import RecordStore, make_row

IMAGES = 40


def fill(folder: Path, run: str, parts: range, grey: int = 0) -> Path:
    store = RecordStore(folder)
    begun = store.begin_run(Run(run, "line-3", "m", "", "", 1, 0))
    chance = random.Random(run)
    for part in parts:
        pixels = np.full((8, 8), (part + grey) % 256, np.uint8)
        image = keep_image(folder, run, part, pixels, "png") if part % 2 else None
        store.append([make_row(a_part(0, part, chance), begun, image)])
    store.close()
    return folder


def remove_images(folder: Path, files: int = IMAGES, done_to: Callable[[], int | None] = lambda: None) -> list[int]:
    """Have a budget without room take so many files; return the records that keep theirs."""
    store = RecordStore(folder)
    budget = ImageBudget(store, RecordsOptions(dir=folder, image_budget_mb=0, min_free_mb=0))
    budget.done_to = done_to
    while budget.removed < files and budget.step():
        budget._limit_bytes = 0
    store.close()
    reader = RecordReader(folder)
    kept = [record.sequence for record in reader.after(0, 10_000) if record.has_image]
    reader.close()
    return kept

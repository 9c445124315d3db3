"""What a person is told of the photos that a training found, before it begins."""

from __future__ import annotations

from collections.abc import Iterator

from datasets.parts import has_places
from training.images import Source


def tell_source(source: Source) -> Iterator[str]:
    """Give the lines: what was found, how it is split, and which labels the test images cannot prove."""
    dataset = source.dataset
    kind = "grey" if source.channels == 1 else "colour"
    images = len({sample.path for sample in dataset.samples})
    places = f" with {len(dataset.samples) // images} places each" if has_places(dataset.samples) else ""
    yield (
        f"{dataset.root.name}: {images} {kind} images{places} of {source.group_count()} groups; '{dataset.good}' passes"
    )
    for part, counts in source.counts().items():
        yield f"  {part}: " + ", ".join(f"{label} {count}" for label, count in counts.items())
    for label, parts in source.unproved().items():
        yield (
            f"  '{label}' ({dataset.counts()[label]} image(s)) has none for {' and '.join(parts)}: how well it is told "
            "is not proved — photos of three pieces are the least"
        )

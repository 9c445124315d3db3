"""At which size a model sees its images, and what that leaves of the smallest defect that somebody outlined."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from datasets.files import in_threads
from datasets.marks import defects_of
from datasets.parts import Size, has_places, sizes_of
from datasets.sample import Sample
from training.cut import MAX_BOXES, cut_tiles
from training.errors import SettingsError
from training.images import Source
from training.inputtold import ENOUGH_PX, tell_defect, tell_sizes
from training.settings import TrainSettings

DEFAULT_SIDE = 224
AUTO_SIDE = 320  # an input of this side costs twice what the default costs
AUTO_TILE = 256
AUTO_BOXES = 64
_STEP = 32
_MOST_WHOLE = 2048
_MOST_COMPARED = 1024
_PLACE_SIDES = (224, 192, 160, 128, 96, 64)
_PLACES_AT_FULL_SIDE = 8

_Choice = tuple[int, int, int | None]  # height and width of the input, side of its tiles or of each place


@dataclass(frozen=True, slots=True)
class InputPlan:
    """The input of a run: a plain value. told: lines for the person who trains."""

    height: int
    width: int
    tile: int | None
    smallest_defect_px: float | None
    told: tuple[str, ...]

    def settings(self) -> dict[str, object]:
        """Give the values of the settings that are decided now."""
        return {"height": self.height, "width": self.width, "tile": self.tile, "size": "stated"}


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is known of the images: sizes, and areas of defects as shares of their image (or place).

    smallest: of all outlined defects. telling: the smallest among the largest defect of each image, by which an image
    can be told to be bad; slips of less than 4 pixels in the image as it was taken do not count.
    """

    sizes: Counter[Size]
    smallest: float | None
    telling: float | None

    @property
    def native(self) -> Size:
        """Give the size that most images have, of equals the larger one."""
        return max(self.sizes, key=lambda size: (self.sizes[size], size))

    @property
    def native_px(self) -> float | None:
        """Give the area of the smallest defect in an image of the size that most have."""
        return None if self.smallest is None else self.smallest * self.native[0] * self.native[1]


def plan_input(source: Source, settings: TrainSettings) -> InputPlan:
    """Decide the input size and the tiles of a run, and say what is left of native size and of the smallest defect.

    'auto' takes 224, or the smallest multiple of 32 at which each defective image's largest outlined defect keeps 4
    pixels, up to 320 and the native size; where that does not suffice, 'classify' cuts native images into tiles.
    'template' compares native images, up to 1,024 pixels a side. Of images with places, it takes the size at which no
    place has to be enlarged. Raises SettingsError, DatasetError.
    """
    samples = source.dataset.samples
    placed = has_places(samples) and source.task == "classify"
    if settings.tile is not None and source.task != "classify":
        raise SettingsError(
            f"--tile {settings.tile}: '{source.task}' looks at its input as a whole — tiles are for 'classify' — add "
            "--task classify, or leave --tile out"
        )
    seen = _look(samples)
    decided = _for_places(samples, seen, settings) if placed else _for_images(seen, settings, source)
    height, width, tile = decided
    if tile is not None and not placed:
        cut_tiles(height, width, tile)
    if tile is None and max(height, width) > _MOST_WHOLE:
        raise SettingsError(
            f"--size: an input of {width}×{height} pixels is too large for one network — at most {_MOST_WHOLE} a side "
            "are seen as a whole — cut it with --task classify --tile 256, or give a smaller --size"
        )
    pixels = tile * tile if placed and tile is not None else height * width
    smallest = None if seen.smallest is None else seen.smallest * pixels
    told = tell_sizes(seen.sizes, seen.native, height, width, None if placed else tile)
    if placed:
        told.append(f"each place is brought to {tile}×{tile} pixels")
    told += tell_defect(smallest, None if placed else seen.native_px, whole=tile is None and source.task == "classify")
    return InputPlan(height, width, tile, smallest, tuple(told))


def _look(samples: Sequence[Sample]) -> _Seen:
    paths = list(dict.fromkeys(sample.path for sample in samples))
    sizes = sizes_of(paths)
    outlined = [sample for sample in samples if sample.marks or sample.mask is not None]

    def areas(sample: Sample) -> tuple[float, float, float] | None:
        """Give the shares of the smallest and of the largest defect, and the latter's pixels as it was taken."""
        width, height = sizes[sample.path]
        found = [defect.area_px for defect in defects_of(sample, height, width, size=(width, height))]
        place = sample.place
        taken = (place.width * place.height if place is not None else width * height) / (width * height)
        return (min(found) / width / height, max(found) / width / height, max(found) * taken) if found else None

    found = [area for area in in_threads(areas, outlined) if area is not None]
    smallest = min((area[0] for area in found), default=None)
    # No size helps where even the image as it was taken shows less: most often a slip of the pen.
    telling = [area[1] for area in found if area[2] >= ENOUGH_PX] or [area[1] for area in found]
    return _Seen(Counter(sizes.values()), smallest, min(telling, default=None))


def _for_places(samples: Sequence[Sample], seen: _Seen, settings: TrainSettings) -> _Choice:
    places = {sample.place.name: sample.place for sample in samples if sample.place is not None}
    side = settings.tile or _place_side(len(places))
    width, height = seen.native
    if settings.size == "stated":
        return settings.height, settings.width, side
    if settings.size == "auto":
        least = min(min(place.width, place.height) for place in places.values())
        scale = min(1.0, side / least)
        width, height = max(32, round(width * scale)), max(32, round(height * scale))
    return height, width, side


def _place_side(places: int) -> int:
    """Give the largest side at which all places together cost no more than eight images of 224 pixels."""
    budget = _PLACES_AT_FULL_SIDE * DEFAULT_SIDE**2
    return next((side for side in _PLACE_SIDES if places * side * side <= budget), _PLACE_SIDES[-1])


def _for_images(seen: _Seen, settings: TrainSettings, source: Source) -> _Choice:
    width, height = seen.native
    cuttable = source.task == "classify" and height * width >= 4 * AUTO_TILE**2
    if settings.size == "stated":
        return settings.height, settings.width, settings.tile
    if settings.tile is not None:
        return height, width, settings.tile
    if settings.size == "native":
        return height, width, _tile(height, width) if cuttable and _every_class_outlined(source) else None
    if source.task == "template":
        return _compared(height, width)
    side = _whole_side(seen)
    lost = seen.telling is not None and seen.telling * side * side < ENOUGH_PX
    if cuttable and lost and _every_class_outlined(source):
        height, width = _within_budget(height, width)
        return height, width, _tile(height, width)
    return side, side, None


def _compared(height: int, width: int) -> _Choice:
    """Give the native size, which is compared pixel by pixel with a golden image, or the largest one up to 1,024."""
    scale = min(1.0, _MOST_COMPARED / max(height, width))
    return max(32, round(height * scale)), max(32, round(width * scale)), None


def _every_class_outlined(source: Source) -> bool:
    """Tell whether of every defect type a training image is outlined, as tiles need it."""
    outlined = {sample.label for sample in source.split.train if sample.marks or sample.mask is not None}
    return outlined >= set(source.classes) - {source.dataset.good}


def _whole_side(seen: _Seen) -> int:
    """Give the smallest side at which the defects that tell have enough pixels, or the largest that is allowed."""
    largest = max(DEFAULT_SIDE, min(AUTO_SIDE, max(seen.native) // _STEP * _STEP))
    sides = range(DEFAULT_SIDE, largest + 1, _STEP)
    if seen.telling is None:
        return DEFAULT_SIDE
    return next((side for side in sides if seen.telling * side * side >= ENOUGH_PX), largest)


def _tile(height: int, width: int) -> int:
    """Give the side of tiles for an input: 256, more where that would be too many, less where it would not fit."""
    fitting = min(height, width) // _STEP * _STEP
    for side in range(min(AUTO_TILE, fitting), min(1024, fitting) + 1, _STEP):
        if _count(height, width, side) <= MAX_BOXES:
            return side
    return min(1024, fitting)


def _within_budget(height: int, width: int) -> tuple[int, int]:
    """Give the native size, or the largest one of its shape that makes no more than 64 tiles."""
    scale = 1.0
    while _count(max(AUTO_TILE, round(height * scale)), max(AUTO_TILE, round(width * scale)), AUTO_TILE) > AUTO_BOXES:
        scale *= 0.97
    return round(height * scale), round(width * scale)


def _count(height: int, width: int, side: int) -> int:
    step = side - side // 8
    return (1 + -(-(height - side) // step)) * (1 + -(-(width - side) // step))

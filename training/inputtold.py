"""What a person is told of the input of a run: native size, scale, shape, and what is left of the smallest defect."""

from __future__ import annotations

from collections.abc import Iterable

from datasets.parts import Size
from training.cut import cut_tiles

ENOUGH_PX = 4.0
_ODD_SHAPE = 1.25


def tell_sizes(sizes: Iterable[Size], native: Size, height: int, width: int, tile: int | None) -> list[str]:
    """Say which sizes the images have, most of them `native`, and how they come to the input; tile: side of tiles."""
    known = sorted(set(sizes))
    widths, heights = [size[0] for size in known], [size[1] for size in known]
    ranges = f"{min(widths)}…{max(widths)} wide, {min(heights)}…{max(heights)} high, most"
    seen = f"{native[0]}×{native[1]}" if len(known) == 1 else f"{len(known)} sizes, {ranges} {native[0]}×{native[1]}"
    across, down = width / native[0], height / native[1]
    scale = "native size" if across == down == 1.0 else f"scaled to {across:.2f} in width, {down:.2f} in height"
    told = [f"images: {seen} pixels; input {width}×{height}, {scale}"]
    if tile is not None:
        count = len(cut_tiles(height, width, tile).boxes)
        told.append(f"the input is cut into {count} tiles of {tile}×{tile} pixels; the worst one decides")
    shapes = [w / h * height / width for w, h in known]
    stretched = max(max(shape, 1.0 / shape) for shape in shapes)
    if stretched > _ODD_SHAPE:
        told.append(
            f"images differ in shape from the input by up to {stretched:.1f} times: each is stretched to it, nothing "
            "is cut off; --size WIDTHxHEIGHT keeps a shape"
        )
    return told


def tell_defect(smallest_px: float | None, native_px: float | None, *, whole: bool) -> list[str]:
    """Say how many pixels the smallest outlined defect has where the network sees it, and warn where these are few.

    native_px: its area in the image as it was taken, where that is known. whole: tiles would show it larger.
    """
    if smallest_px is None:
        return ["no defect is outlined: how many pixels the smallest one has at the input is not known"]
    native = "" if native_px is None else f" ({native_px:.0f} in the image as it was taken)"
    told = [f"smallest outlined defect: {smallest_px:.1f} pixels where the network sees it{native}"]
    if smallest_px < ENOUGH_PX:
        larger = "give a larger --size, or cut the images with --tile 256"
        advice = larger if whole else "give a larger --size, or mend the outline if it is a slip"
        told.append(
            f"warning: {smallest_px:.1f} pixels can hardly be seen; a defect should have {ENOUGH_PX:.0f} — {advice}"
        )
    return told

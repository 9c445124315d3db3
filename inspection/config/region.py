"""What the file may say about where the model looks: one rectangle for all views, or each view its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field

from inspection.config.section import Section
from inspection.pipeline.prepare import Region

if TYPE_CHECKING:
    from inspection.config.sections import StationConfig


class RegionSection(Section):
    """[region], or region = {…} of a camera: the rectangle of the frame that the model looks at, in pixels."""

    x: int = Field(0, ge=0, le=65_536)
    y: int = Field(0, ge=0, le=65_536)
    width: int = Field(gt=0, le=65_536)
    height: int = Field(gt=0, le=65_536)

    def region(self) -> Region:
        """Return it as the pipeline uses it."""
        return Region(self.x, self.y, self.width, self.height)


def listed(regions: Any) -> Any:
    """Take a single region = {…} for a list of one. Raises ValueError for what is neither."""
    if isinstance(regions, Mapping | RegionSection):
        return [regions]
    if not isinstance(regions, list | tuple):
        text = f"is {regions!r} — a table is needed — write {{x = 0, y = 0, width = 640, height = 480}}"
        raise ValueError(text)  # noqa: TRY004 - pydantic takes no TypeError
    return regions


def view_regions(config: StationConfig) -> list[Region | None]:
    """Return where the model looks in the frames of each view; None: all of the frame."""
    default = None if config.region is None else config.region.region()
    regions: list[Region | None] = []
    for camera in config.cameras:
        own: list[Region | None] = [section.region() for section in camera.region]
        regions += own if len(own) == camera.frames else (own or [default]) * camera.frames
    return regions


def beyond_picture(config: StationConfig, place: int, size: tuple[int, int] | None) -> list[str]:
    """Return one sentence for each region of a camera that its pictures do not hold. place: which camera, from 0.

    size: width and height of its pictures, None where nobody knows before the first frame.
    """
    if size is None or config.free_run is not None:  # there the region lies in what is cut out of the picture
        return []
    camera, (width, height) = config.cameras[place], size
    first = sum(before.frames for before in config.cameras[:place])
    regions = dict.fromkeys(view_regions(config)[first : first + camera.frames])
    return [
        f"camera '{camera.name}': region x={region.x} y={region.y} width={region.width} height={region.height} reaches "
        f"to {region.x + region.width}×{region.y + region.height}, but its pictures are {width}×{height} — a region "
        f"lies inside the picture — mend {'region of that camera' if camera.region else '[region]'}"
        for region in regions
        if region is not None and (region.x + region.width > width or region.y + region.height > height)
    ]

"""What the file may say about serial numbers: where they come from, and what becomes of parts without a sound one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from inspection.config.region import RegionSection
from inspection.config.section import Name, Section
from inspection.identity.words import Policy, Source

if TYPE_CHECKING:
    from inspection.config.sections import StationConfig

CodeFormat = Literal[
    "DataMatrix", "QRCode", "Aztec", "PDF417", "Code128", "Code39", "Code93", "Codabar", "ITF", "EANUPC", "DataBar"
]


class IdentitySection(Section):
    """[identity]: docs/identity.md."""

    source: Source = Field(Source.NONE, description="none, code, mes or counted")
    camera: Name | None = Field(None, description="the camera that sees the code; absent: the first")
    frame: int = Field(1, ge=1, le=8, description="which of that camera's frames of a part, where it makes several")
    region: RegionSection | None = Field(None, description="where the code is looked for; absent: all of the frame")
    formats: Annotated[tuple[CodeFormat, ...], Field(min_length=1, max_length=11)] = ("DataMatrix", "QRCode", "Code128")
    match: str = Field("*", min_length=1, max_length=128, description="codes that do not fit are passed over: LW-*")
    thorough: bool = Field(True, description="look for inverted and for large blurred codes, too: twice the time")
    max_length: int = Field(64, ge=1, le=256, description="characters; a longer code counts as unreadable")
    unreadable: Policy = Field(Policy.REJECT, description="reject, ask or count")
    duplicate: Policy = Field(Policy.REJECT, description="reject, ask or count")
    scope: Literal["lot", "all"] = Field("lot", description="among which parts a serial number is there once")
    remember: int = Field(100_000, ge=1, le=1_000_000, description="… among the last so many of those")
    prefix: str = Field("P", pattern=r"^[A-Za-z0-9_.-]{0,16}$", description="of counted numbers")
    digits: int = Field(8, ge=4, le=12, description="of counted numbers")
    workers: int = Field(1, ge=1, le=8, description="threads that read codes")
    queue_capacity: int = Field(16, ge=1, le=1000, description="parts that may wait for them; one more is LATE")

    @property
    def counts(self) -> bool:
        """Whether the station gives numbers of its own."""
        return self.source is Source.COUNTED or (self.source is not Source.NONE and self.unreadable is Policy.COUNT)


def code_view(config: StationConfig) -> int | None:
    """Return the view of a part whose picture shows its code; None where no code is read."""
    identity = config.identity
    if identity.source is not Source.CODE:
        return None
    view = 0
    for camera in config.cameras:
        if identity.camera in (None, camera.name):
            return view + identity.frame - 1
        view += camera.frames
    return None


def contradictions_of_identity(config: StationConfig) -> list[str]:
    """Find what [identity] says that no camera can do, and a section that does nothing at all."""
    identity = config.identity
    if identity.model_fields_set and "source" not in identity.model_fields_set:
        said = " and ".join(key for key in IdentitySection.model_fields if key in identity.model_fields_set)
        return [f'[identity] {said} has no effect without a source; write source = "code", "mes" or "counted"']
    if identity.source is not Source.CODE:
        return []
    camera = next((one for one in config.cameras if identity.camera in (None, one.name)), None)
    if camera is None:
        names = ", ".join(one.name for one in config.cameras)
        return [f"[identity] camera is '{identity.camera}', but the cameras are {names}; name one of them"]
    if identity.frame > camera.frames:
        frames = f"camera '{camera.name}' makes {camera.frames} of each part"
        return [f"[identity] frame is {identity.frame}, but {frames}; choose one of them"]
    return []


def beyond_code_picture(config: StationConfig, place: int, size: tuple[int, int] | None) -> list[str]:
    """Return a sentence where a camera's pictures do not hold the region of the code; as `beyond_picture`."""
    identity, camera = config.identity, config.cameras[place]
    if identity.source is not Source.CODE or identity.region is None or config.free_run is not None or size is None:
        return []
    if camera.name != (identity.camera or config.camera.name):
        return []
    region, (width, height) = identity.region, size
    if region.x + region.width <= width and region.y + region.height <= height:
        return []
    told = (
        f"[identity] region x={region.x} y={region.y} width={region.width} height={region.height} reaches to "
        f"{region.x + region.width}×{region.y + region.height}, but the pictures of camera '{camera.name}' are "
        f"{width}×{height} — a region lies inside the picture — mend it"
    )
    return [told]

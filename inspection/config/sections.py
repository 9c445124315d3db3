"""What one configuration file may say: every key with its unit, its bounds and its default."""

from __future__ import annotations

import os
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from inspection.ejector.options import EjectorOptions
from inspection.pipeline.prepare import Region
from inspection.pipeline.tracker import Geometry
from inspection.records.options import RecordsOptions

_Name = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[\w.-]+$")]


class Section(BaseModel):
    """A table of the file: unknown keys are refused, values never change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class StationSection(Section):
    """[station]"""

    name: _Name = Field("station-1", description="names the station in records, on the page and in the API")


class CameraSection(Section):
    """[camera]: the backend, and whatever options this backend has."""

    model_config = ConfigDict(extra="allow", frozen=True)

    backend: str = Field(description="simulated or replay; `lineward cameras list` shows them")
    name: _Name = Field("top", description="names the camera in records")

    @property
    def options(self) -> dict[str, Any]:
        """The backend's options as written in the file."""
        return dict(self.model_extra or {})


class ModelSection(Section):
    """[model]"""

    bundle: str = Field("zoo:parts", description="a bundle folder or zip, or zoo:NAME")
    threshold: float | None = Field(
        None, ge=0, le=1, description="defect probability from which a part is rejected; absent: what the card proposes"
    )


class RegionSection(Section):
    """[region]: the rectangle of the frame that the model looks at, in pixels."""

    x: int = Field(0, ge=0)
    y: int = Field(0, ge=0)
    width: int = Field(gt=0, le=65_536)
    height: int = Field(gt=0, le=65_536)

    def region(self) -> Region:
        """Return it as the pipeline uses it."""
        return Region(self.x, self.y, self.width, self.height)


class GeometrySection(Section):
    """[geometry]: how a part gets from the camera to the ejector."""

    camera_to_ejector_mm: float | None = Field(None, gt=0, le=100_000)
    belt_speed_mm_s: float | None = Field(None, gt=0, le=20_000)
    travel_time_s: float | None = Field(None, gt=0, le=600, description="instead of distance and speed")
    margin_ms: float = Field(5.0, ge=0, le=10_000, description="kept free between the deadline and the reject command")

    @model_validator(mode="after")
    def _one_way_to_say_it(self) -> Self:
        by_distance = self.camera_to_ejector_mm is not None and self.belt_speed_mm_s is not None
        some_distance = self.camera_to_ejector_mm is not None or self.belt_speed_mm_s is not None
        if by_distance == (self.travel_time_s is not None) or (some_distance and not by_distance):
            raise ValueError("give camera_to_ejector_mm and belt_speed_mm_s, or travel_time_s, and not both")
        return self

    @property
    def travel_s(self) -> float:
        """Seconds from the photo-eye to the ejector."""
        if self.travel_time_s is not None:
            return self.travel_time_s
        assert self.camera_to_ejector_mm is not None
        assert self.belt_speed_mm_s is not None
        return self.camera_to_ejector_mm / self.belt_speed_mm_s

    def geometry(self, ejector_lead_ns: int) -> Geometry:
        """Return travel and lead in nanoseconds. Raises ValueError when no time is left to decide."""
        lead_ms = ejector_lead_ns * 1e-6 + self.margin_ms
        if self.travel_s * 1e3 <= lead_ms:
            raise ValueError(
                f"a part is at the ejector after {self.travel_s * 1e3:.0f} ms, but the ejector needs its verdict "
                f"{lead_ms:.0f} ms earlier; move the ejector away from the camera, or slow the belt down"
            )
        return Geometry(round(self.travel_s * 1e9), round(lead_ms * 1e6))


class InferenceSection(Section):
    """[inference]"""

    workers: int = Field(
        default_factory=lambda: max(1, min(4, os.cpu_count() or 1)),
        ge=1,
        le=64,
        description="inference threads, each with a single-threaded session; default: one per core, at most 4",
    )
    engine: Literal["auto", "onnxruntime", "openvino"] = Field(
        "auto", description="auto: what `lineward model optimise` chose for the bundle on this machine, or onnxruntime"
    )
    max_batch: int = Field(4, ge=1, le=64)
    queue_capacity: int = Field(64, ge=1, le=10_000, description="parts that may wait; one more is rejected as LATE")


class ApiSection(Section):
    """[api]"""

    enabled: bool = True
    address: str = Field("127.0.0.1:50051", pattern=r"^[^\s]+:\d{1,5}$", description="loopback only, host:port")
    max_message_mb: int = Field(32, ge=1, le=512)


class PageSection(Section):
    """[page]"""

    enabled: bool = True
    port: int = Field(8080, ge=0, le=65_535, description="0: any free port")
    language: str = Field("en", pattern="^(en|ko)$")


class SimulationSection(Section):
    """[simulation]: what lies on the belt of the simulated camera; other cameras leave it alone."""

    seed: int = Field(10_000, ge=0, lt=2**31, description="another seed, other parts")
    defect_rate: float = Field(0.1, ge=0, le=1, description="share of parts with a defect")


class StationConfig(Section):
    """One station: everything that it needs to know."""

    station: StationSection = StationSection()
    camera: CameraSection
    model: ModelSection = ModelSection()
    region: RegionSection | None = None
    geometry: GeometrySection
    inference: InferenceSection = Field(default_factory=InferenceSection)
    ejector: EjectorOptions
    records: RecordsOptions = Field(default_factory=RecordsOptions)
    api: ApiSection = ApiSection()
    page: PageSection = PageSection()
    simulation: SimulationSection = SimulationSection()

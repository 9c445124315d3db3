"""What one configuration file may say: every key with its unit, its bounds and its default."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from inspection.alarms import Reaction
from inspection.api.options import ApiSection
from inspection.challenge.options import ChallengeOptions
from inspection.config.cameras import CameraSection, FreeRunSection, FusionSection
from inspection.config.geometry import GeometrySection
from inspection.config.identity import IdentitySection
from inspection.config.region import RegionSection
from inspection.config.section import Name, Section
from inspection.config.together import TOGETHER, contradictions
from inspection.ejector.options import EjectorOptions
from inspection.faults import Wiring, problems, reactions_of_alarms
from inspection.observability.options import LogOptions, MetricsOptions, TelemetryOptions
from inspection.plant.options import PlantOptions
from inspection.plc.options import PlcOptions
from inspection.process_priority import Priority
from inspection.quality.options import QualitySection
from inspection.records.options import RecordsOptions
from inspection.remote_model.options import RemoteOptions


class StationSection(Section):
    """[station]"""

    name: Name = Field("station-1", description="names the station in records, on the page and in the API")


class ModelSection(Section):
    """[model]"""

    bundle: str = Field("zoo:parts", description="a bundle folder or zip, or zoo:NAME")
    threshold: float | None = Field(
        None, ge=0, le=1, description="defect probability from which a part is rejected; absent: what the card proposes"
    )
    novelty_limit: float | None = Field(
        None, gt=0, le=1000, description="how far a picture may be off those of the training; absent: as the card says"
    )


class InferenceSection(Section):
    """[inference]"""

    workers: int = Field(
        default_factory=lambda: max(1, min(4, os.cpu_count() or 1)),
        ge=1,
        le=64,
        description="inference threads, each with a single-threaded session; default: one per core, at most 4",
    )
    engine: Literal["auto", "onnxruntime", "openvino", "kserve"] = Field(
        "auto",
        description="auto: what `lineward model optimise` chose for the bundle on this machine, or onnxruntime; "
        "kserve: the server of [inference.remote]",
    )
    remote: RemoteOptions | None = Field(None, description="a server that has the bundle's model")
    priority: Priority = Field(
        "normal", description="of the whole process, where several stations share the machine: high goes first"
    )
    max_batch: int = Field(4, ge=1, le=64)
    queue_capacity: int = Field(64, ge=1, le=10_000, description="parts that may wait; one more is rejected as LATE")

    @model_validator(mode="after")
    def _a_server_is_named_where_one_is_used(self) -> Self:
        if (self.engine == "kserve") != (self.remote is not None):
            raise ValueError('engine = "kserve" and [inference.remote] belong together: write both, or leave both out')
        return self


class PageSection(Section):
    """[page]"""

    enabled: bool = True
    port: int = Field(8080, ge=0, le=65_535, description="0: any free port")
    language: Literal["en", "ko"] | None = Field(
        None, description="in which the page begins; absent: what the browser asks for, else English"
    )


class SimulationSection(Section):
    """[simulation]: what lies on the belt of the simulated camera; other cameras leave it alone."""

    seed: int = Field(10_000, ge=0, lt=2**31, description="another seed, other parts")
    defect_rate: float = Field(0.1, ge=0, le=1, description="share of parts with a defect")
    shift_px: float = Field(0.0, ge=0, le=300, description="parts lie up to so far off their place, each way")
    turn_deg: float = Field(0.0, ge=0, le=180, description="parts are turned by up to so much, either way")
    codes: bool = Field(False, description="a strip of 160 px with a DataMatrix lies to the right of each part")
    code_trouble_rate: float = Field(0.0, ge=0, le=1, description="share of codes that are missing, or there twice")


_MOST_CAMERAS = 8


def _listed(cameras: Any) -> Any:
    """Take a single [camera] table for a list of one. Raises ValueError for no table, none, or more than eight."""
    if isinstance(cameras, Mapping | CameraSection):
        return [cameras]
    if not isinstance(cameras, list | tuple):
        text = f"is {cameras!r} — a table is needed — write [camera], or [[camera]] for each of several"
        raise ValueError(text)  # noqa: TRY004 - pydantic takes no TypeError
    if not 1 <= len(cameras) <= _MOST_CAMERAS:
        raise ValueError(
            f"there are {len(cameras)} cameras — 1 to {_MOST_CAMERAS} are allowed — leave some out, or run a second "
            "station for them"
        )
    return cameras


class ReactionsSection(Section):
    """[reactions]: what the station does at each fault of `docs/fail-safe.md`, and from when on it is one."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, Reaction]

    rejects_in_a_row_limit: int = Field(20, ge=2, le=100_000, description="parts in a row that were not OK")
    run_out_s: float = Field(
        2.0, ge=0, le=60, description="how long the belt may take to stand; parts that trigger until then are rejected"
    )

    @model_validator(mode="after")
    def _the_table_allows_it(self) -> Self:
        found = problems(self.chosen)
        if found:
            text = f"{'; '.join(found)} (docs/fail-safe.md)".replace("{", "(").replace("}", ")")
            raise PydanticCustomError("reactions", f"{text}")
        return self

    @property
    def chosen(self) -> dict[str, Reaction]:
        """The reactions that the file names, by fault."""
        return dict(self.__pydantic_extra__ or {})


class StationConfig(Section):
    """One station: everything that it needs to know."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_by_name=True, validate_by_alias=True)

    station: StationSection = StationSection()
    cameras: Annotated[tuple[CameraSection, ...], BeforeValidator(_listed)] = Field(alias="camera")
    free_run: FreeRunSection | None = None
    fusion: FusionSection = FusionSection()
    model: ModelSection = ModelSection()
    region: RegionSection | None = None
    quality: QualitySection = QualitySection()
    identity: IdentitySection = IdentitySection()
    geometry: GeometrySection
    inference: InferenceSection = Field(default_factory=InferenceSection)
    ejector: EjectorOptions
    records: RecordsOptions = Field(default_factory=RecordsOptions)
    plant: PlantOptions = PlantOptions()
    plc: PlcOptions = Field(default_factory=PlcOptions)
    api: ApiSection = ApiSection()
    page: PageSection = PageSection()
    metrics: MetricsOptions = Field(default_factory=MetricsOptions)
    telemetry: TelemetryOptions = Field(default_factory=TelemetryOptions)
    log: LogOptions = Field(default_factory=LogOptions)
    simulation: SimulationSection = SimulationSection()
    challenge: ChallengeOptions = ChallengeOptions()

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        problems = contradictions(self)
        if problems:
            raise PydanticCustomError(TOGETHER, "{told}", {"told": "; ".join(problems), "problems": problems})
        return self

    @property
    def camera(self) -> CameraSection:
        """The first camera: the one that sees each part first."""
        return self.cameras[0]

    reactions: ReactionsSection = ReactionsSection()

    @property
    def belt_can_be_stopped(self) -> bool:
        """True where somebody stops the belt when the heartbeat is withdrawn."""
        return self.ejector.heartbeat_channel is not None or self.ejector.is_controller

    @property
    def wiring(self) -> Wiring:
        """What the ejector's side does when nobody tells it anything."""
        if self.ejector.mode == "positive_release":
            return Wiring.POSITIVE
        if self.ejector.is_controller:
            return Wiring.CONTROLLER
        return Wiring.BARE if self.ejector.heartbeat_channel is None else Wiring.WATCHDOG

    @property
    def reactions_of_alarms(self) -> dict[str, Reaction]:
        """What the station does while each alarm stands."""
        return reactions_of_alarms(self.reactions.chosen, self.wiring, belt_can_be_stopped=self.belt_can_be_stopped)

    @model_validator(mode="after")
    def _stopping_needs_a_way(self) -> Self:
        stopping = [name for name, reaction in self.reactions.chosen.items() if reaction is Reaction.STOP_LINE]
        if stopping and not self.belt_can_be_stopped:
            raise PydanticCustomError(
                "reactions",
                f"reactions: {', '.join(stopping)} cannot stop the line: nothing tells the belt — wire a watchdog "
                "relay and set ejector.heartbeat_channel, or choose hold",
            )
        return self

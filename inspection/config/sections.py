"""What one configuration file may say: every key with its unit, its bounds and its default."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from camera.backends import options_model
from inspection.alarms import Reaction
from inspection.challenge.options import ChallengeOptions
from inspection.ejector.options import Course, EjectorOptions
from inspection.faults import problems, reactions_of_alarms
from inspection.motion import ClockMotion, EncoderMotion, Motion
from inspection.pipeline.prepare import Region
from inspection.plc.options import PlcOptions
from inspection.records.options import RecordsOptions
from inspection.tracking.detection import Direction, FreeRunSettings
from inspection.tracking.fusion import FusionRule
from inspection.tracking.geometry import Geometry
from inspection.tracking.match_settings import MatchSettings, Numbering

_Name = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[\w.-]+$")]


class Section(BaseModel):
    """A table of the file: unknown keys are refused, values never change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class StationSection(Section):
    """[station]"""

    name: _Name = Field("station-1", description="names the station in records, on the page and in the API")


class CameraSection(Section):
    """[camera], or [[camera]] for each of several: the backend, whatever options it has, and where it looks.

    The first camera sees each part first, and gives the triggers unless [trigger] says otherwise.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    backend: str = Field(description="simulated, conveyor or replay; `lineward cameras list` shows them")
    name: _Name = Field("top", description="names the camera in records")
    frames: int = Field(1, ge=1, le=8, description="frames of each part, one after the other: each is a view")
    position_mm: float = Field(0.0, ge=0, le=100_000, description="from the photo-eye to where this camera looks")
    threshold: float | None = Field(None, ge=0, le=1, description="of this camera's views; absent: [model].threshold")
    weight: float = Field(1.0, gt=0, le=1000, description="of this camera's views, where [fusion] is weighted")
    window_ms: float = Field(10.0, gt=0, le=1000, description="how far from its place a part's exposure may be")
    arrival_ms: float = Field(200.0, gt=0, le=10_000, description="how long after its exposure a frame may come")

    @property
    def options(self) -> dict[str, Any]:
        """The backend's options as written in the file, and what else of the section it wants to know."""
        known = options_model(self.backend).model_fields
        place = {"position_mm": self.position_mm} if self.position_mm and "position_mm" in known else {}
        return {**(self.model_extra or {}), **place}


class FreeRunSection(Section):
    """[free_run]: the first camera runs free over the belt, and parts are found in its pictures. Absent: triggers."""

    part_length_px: int = Field(gt=0, le=65_536, description="length of one part along the belt, in pixels")
    direction: Direction = Field("right", description="which way parts go through the picture: right, left, down, up")
    line: float = Field(0.5, gt=0, lt=1, description="where a part triggers, as a share of the picture's length")
    band_from: float = Field(0.0, ge=0, lt=1, description="share of the belt's width from which on it is looked at")
    band_to: float = Field(1.0, gt=0, le=1, description="… and up to which")
    cell_px: int = Field(4, ge=1, le=64, description="pixels that are averaged to one")

    def settings(self) -> FreeRunSettings:
        """Return it as the detection takes it."""
        return FreeRunSettings(
            part_length=self.part_length_px,
            direction=self.direction,
            line=self.line,
            band=(self.band_from, self.band_to),
            cell=self.cell_px,
        )


class FusionSection(Section):
    """[fusion]: how several views become one verdict. A view that is missing rejects the part in any case."""

    rule: FusionRule = Field(FusionRule.ANY, description="any view that is NOT_OK rejects, or weighted mean of scores")
    threshold: float = Field(0.5, ge=0, le=1, description="of the weighted mean")


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
    belt_speed_mm_s: float | None = Field(
        None, gt=0, le=20_000, description="speed of the belt; where an encoder follows it, its highest"
    )
    travel_time_s: float | None = Field(None, gt=0, le=600, description="instead of distance and speed")
    encoder_counts_per_mm: float | None = Field(
        None, gt=0, le=100_000, description="the belt is followed by an encoder; absent: its speed is constant"
    )
    margin_ms: float = Field(5.0, ge=0, le=10_000, description="kept free between the deadline and the reject command")
    separation_ms: float | None = Field(
        None,
        ge=0,
        le=10_000,
        description="parts closer than this share one fate, as a reject takes both; absent: pulse and window; 0: never",
    )

    closest_ms: float | None = Field(
        None, gt=0, le=60_000, description="smallest time between two parts that the photo-eye tells apart"
    )

    @model_validator(mode="after")
    def _one_way_to_say_it(self) -> Self:
        by_distance = self.camera_to_ejector_mm is not None and self.belt_speed_mm_s is not None
        some_distance = self.camera_to_ejector_mm is not None or self.belt_speed_mm_s is not None
        if by_distance == (self.travel_time_s is not None) or (some_distance and not by_distance):
            raise ValueError("give camera_to_ejector_mm and belt_speed_mm_s, or travel_time_s, and not both")
        if self.encoder_counts_per_mm is not None and not by_distance:
            raise ValueError("encoder_counts_per_mm needs camera_to_ejector_mm and belt_speed_mm_s, its highest speed")
        return self

    @property
    def travel_s(self) -> float:
        """Seconds from the photo-eye to the ejector; where an encoder follows the belt, the shortest."""
        if self.travel_time_s is not None:
            return self.travel_time_s
        assert self.camera_to_ejector_mm is not None
        assert self.belt_speed_mm_s is not None
        return self.camera_to_ejector_mm / self.belt_speed_mm_s

    def match_settings(self, camera: CameraSection, closest: int) -> MatchSettings:
        """Return where the exposures of a camera that does not give the triggers can be, as lengths of the motion.

        closest: the smallest distance of two parts. Raises ValueError where no frame could be matched for sure.
        """
        speed_mm_s = self.belt_speed_mm_s
        if camera.position_mm and speed_mm_s is None:
            raise ValueError(f"camera '{camera.name}' has a position_mm; [geometry] needs belt_speed_mm_s then")
        place = self.length(camera.position_mm / speed_mm_s) if speed_mm_s is not None else 0
        window = self.length(camera.window_ms * 1e-3)
        return MatchSettings(
            Numbering.EXPOSURES,
            earliest=max(0, place - window),
            latest=place + window,
            arrival=self.length(camera.arrival_ms * 1e-3),
            closest=closest,
        )

    def course(self) -> Course:
        """Return how an ejector that times by itself is told of the way."""
        if self.encoder_counts_per_mm is None:
            return Course(f"{self.travel_s * 1e3:.3f} ms", self.belt_speed_mm_s)
        counts = self.length(self.travel_s)
        return Course(f"{counts} counts", self.belt_speed_mm_s, self.encoder_counts_per_mm)

    @property
    def followed_by(self) -> Literal["clock", "encoder"]:
        """What tells where the belt is."""
        return "clock" if self.encoder_counts_per_mm is None else "encoder"

    def motion(self) -> Motion:
        """Return a belt that the clock follows, or one that an encoder does."""
        return ClockMotion() if self.followed_by == "clock" else EncoderMotion()

    def length(self, seconds: float) -> int:
        """Return what the belt moves in a time at its (highest) speed, as a length of its motion: ns or counts."""
        if self.encoder_counts_per_mm is None:
            return round(seconds * 1e9)
        assert self.belt_speed_mm_s is not None
        return round(seconds * self.belt_speed_mm_s * self.encoder_counts_per_mm)

    def closest(self, separation: int) -> int:
        """Return the smallest distance of two parts that the photo-eye tells apart, as a length of the motion."""
        return separation if self.closest_ms is None else self.length(self.closest_ms * 1e-3)

    def geometry(self, ejector: EjectorOptions, ejector_lead_ns: int) -> Geometry:
        """Return the lengths that the tracker goes by. Raises ValueError when no time is left to decide."""
        lead_ms = ejector_lead_ns * 1e-6 + self.margin_ms
        if self.travel_s * 1e3 <= lead_ms:
            raise ValueError(
                f"a part is at the ejector after {self.travel_s * 1e3:.0f} ms, but the ejector needs its verdict "
                f"{lead_ms:.0f} ms earlier; move the ejector away from the camera, or slow the belt down"
            )
        behind_ms = ejector.pulse_ms + ejector.window_ms if self.separation_ms is None else self.separation_ms
        ahead_ms = min(ejector.window_ms, behind_ms)
        return Geometry(
            travel=self.length(self.travel_s),
            lead_ns=round(lead_ms * 1e6),
            takes_behind=self.length(behind_ms * 1e-3),
            takes_ahead=self.length(ahead_ms * 1e-3),
        )


class InferenceSection(Section):
    """[inference]"""

    workers: int = Field(
        default_factory=lambda: max(1, min(4, os.cpu_count() or 1)),
        ge=1,
        le=64,
        description="inference threads, each with a single-threaded session; default: one per core, at most 4",
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


def _listed(cameras: Any) -> Any:
    """Take a single [camera] table for a list of one."""
    return [cameras] if isinstance(cameras, Mapping | CameraSection) else cameras


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
    cameras: Annotated[tuple[CameraSection, ...], BeforeValidator(_listed)] = Field(
        alias="camera", min_length=1, max_length=8
    )
    free_run: FreeRunSection | None = None
    fusion: FusionSection = FusionSection()
    model: ModelSection = ModelSection()
    region: RegionSection | None = None
    geometry: GeometrySection
    inference: InferenceSection = Field(default_factory=InferenceSection)
    ejector: EjectorOptions
    records: RecordsOptions = Field(default_factory=RecordsOptions)
    plc: PlcOptions = Field(default_factory=PlcOptions)
    api: ApiSection = ApiSection()
    page: PageSection = PageSection()
    simulation: SimulationSection = SimulationSection()
    challenge: ChallengeOptions = ChallengeOptions()

    @model_validator(mode="after")
    def _controller_fits(self) -> Self:
        problems = []
        if self.ejector.is_controller and self.camera.frames > 1:
            problems.append(
                f"camera.frames is {self.camera.frames}: beside a controller a camera makes one frame a part"
            )
        if self.ejector.is_controller and self.free_run is not None:
            problems.append("[free_run] finds parts in pictures, a controller by its photo-eye: leave one of them out")
        if self.geometry.encoder_counts_per_mm is not None and not self.ejector.is_controller:
            problems.append("encoder_counts_per_mm needs an ejector that reads the encoder: driver controller")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @model_validator(mode="after")
    def _frames_of_the_first(self) -> Self:
        if self.free_run is not None and self.camera.frames > 1:
            raise ValueError(
                f"[free_run] takes the best picture of a part; leave out camera.frames = {self.camera.frames}"
            )
        for camera in self.cameras[1:]:
            if camera.frames > 1:
                raise ValueError(
                    f"camera '{camera.name}' makes {camera.frames} frames of a part; only the first camera may make "
                    "more than one; give the others one entry each"
                )
        return self

    @model_validator(mode="after")
    def _cameras_have_names(self) -> Self:
        names = [camera.name for camera in self.cameras]
        if len(set(names)) < len(names):
            raise ValueError(f"cameras are named {', '.join(names)}; give each a name of its own")
        return self

    @property
    def camera(self) -> CameraSection:
        """The first camera: the one that sees each part first."""
        return self.cameras[0]

    reactions: ReactionsSection = ReactionsSection()

    @property
    def belt_can_be_stopped(self) -> bool:
        """True where somebody stops the belt when the heartbeat is withdrawn."""
        return self.ejector.heartbeat_channel is not None

    @property
    def reactions_of_alarms(self) -> dict[str, Reaction]:
        """What the station does while each alarm stands."""
        return reactions_of_alarms(self.reactions.chosen, belt_can_be_stopped=self.belt_can_be_stopped)

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

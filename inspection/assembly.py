"""What a station consists of: each part opened in the order in which it is needed, and wired to the others."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from camera.frame import Trigger
from camera.scene import Scene
from inspection.admission import Admission
from inspection.alarm_board import AlarmBoard
from inspection.camera_loop import CameraLoop
from inspection.camera_presence import CameraEvents
from inspection.camera_settings import EXTRA_KEY as SETTINGS_KEY
from inspection.camera_settings import CameraSettings
from inspection.challenge import EXTRA_KEY
from inspection.challenge.due import Production
from inspection.challenge.errors import ChallengeStateError
from inspection.challenge.interlock import Interlock
from inspection.config import StationConfig
from inspection.config.identity import code_view
from inspection.control import LineControl, State
from inspection.ejector.controller.simulated import SimulatedControllerEjector
from inspection.ejector.interface import Ejector
from inspection.ejector.options import make_ejector
from inspection.engine import Engine
from inspection.errors import ConfigError
from inspection.faults.watch import EjectorWatch, RejectWatch
from inspection.flow import PartFlow
from inspection.free_run_line import FreeRunEvents
from inspection.identity.identification import Identification, Naming
from inspection.identity.watch import IdentityWatch
from inspection.lines import LineEvents, make_lines, misfit_of
from inspection.lost_cameras import LostCameras
from inspection.memory import Memory
from inspection.plant.copy import PlantCopy
from inspection.plc.commands import LineCommands
from inspection.plc.plc import PlcPort
from inspection.preview import PreviewSlot
from inspection.quality.location import LocationWatch
from inspection.quality.watch import QualityWatch
from inspection.recipe import flow_settings, matched_views
from inspection.recipes.content import RecipeRef
from inspection.records.record import StoredRecord
from inspection.run_counters import RunCounters
from inspection.tracking.geometry import Geometry
from inspection.tracking.part import PartInFlight


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a station has before anything is opened, and what its parts ask it."""

    digest: str  # of the configuration
    alarms: AlarmBoard
    counters: RunCounters
    previews: PreviewSlot
    line: LineControl  # what the PLC commands
    state: Callable[[], State]
    scene: Scene | None  # what lies on the belt of a simulated camera
    admission: Admission  # what each new part belongs to


class Assembly:
    """The parts of one open station. Made by the station's `open` and closed once, by its owner.

    Making it raises the error of whatever cannot come up; then nothing stays open.
    """

    _DRAIN_S = 30.0
    _FLUSH_S = 5.0
    _CLOSING_ORDER = ("plc", "ejector", "engine", "interlock", "memory", "plant")
    """What gives commands and parts goes first, what keeps their records behind it, what copies these last."""

    def __init__(self, config: StationConfig, around: Surroundings) -> None:
        self._config = config
        self._around = around
        self._alarms = around.alarms
        self._lost_cameras = LostCameras(self._alarms)
        self.motion = config.geometry.motion()
        self.rejects = RejectWatch(self._alarms, config.reactions.rejects_in_a_row_limit)
        self.ejector_watch = EjectorWatch(self._alarms, self.motion)
        self.settings = CameraSettings(config.records.dir)
        self.plc: PlcPort | None = None
        self.lines: list[CameraLoop] = []
        self.ejector = self._make_ejector()
        self._geometry = self._lay_out()
        self.engine = self.load(config)
        self.pictures = QualityWatch(self._alarms, self.engine.quality)
        views = [camera.name for camera in config.cameras for _ in range(camera.frames)]
        self.locations = LocationWatch(self._alarms, views)
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        self.memory = self._make_memory()
        self.plant = self._make_plant()
        self.interlock = self._make_interlock()
        self.identification = Identification(self.memory.reader, lambda: self.memory.flush(self._FLUSH_S))
        self.identification.change(self._naming(self._config))
        self._around.admission.before_lot = self.identification.before_lot
        self.codes = IdentityWatch(self._alarms, self.memory.reader, self.identification)
        self.memory.subscribe_entries(self.codes.on_entry)
        self.flow = self._make_flow()
        self.ejector.open(self.flow.on_actuation, self.flow.on_ejector_health, self._on_controller_trigger)
        if self._config.plc.enabled:
            self.plc = self._make_plc()
            self.plc.open()
        self.lines = self._make_lines()
        self._note_settings()

    def close(self) -> None:
        """Release everything that is there. Bounded."""
        for line in self.lines:
            line.camera.close()
        for name in self._CLOSING_ORDER:
            part = vars(self).get(name)
            if part is not None:
                part.close()

    # ---------------------------------------------------------------- making

    def _make_ejector(self) -> Ejector:
        geometry = self._config.geometry
        return make_ejector(
            self._config.ejector,
            margin_ms=geometry.margin_ms,
            motion=geometry.followed_by,
            course=geometry.course(),
            on_motion=lambda host_ns, position: self.flow.on_motion(host_ns, position),
            on_event=lambda event: self.ejector_watch.hear(event, self.ejector.health()),
        )

    def _lay_out(self) -> Geometry:
        """Return the lengths of a part's way. Raises ConfigError where they leave no time, or no frame its part."""
        try:
            matched_views(self._config, self.motion)
            return self._config.geometry.geometry(self._config.ejector, self.ejector.lead_ns)
        except ValueError as error:
            raise ConfigError(f"geometry: {error}") from None

    def _make_memory(self) -> Memory:
        return Memory(
            self._config,
            self._around.digest,
            self.engine,
            self._on_durable,
            on_trouble=partial(self._alarms.tell, "RECORDS_TROUBLE"),
            on_image_trouble=partial(self._alarms.tell, "IMAGES_GIVEN_UP"),
        )

    def _make_plant(self) -> PlantCopy:
        config = self._config
        plant = PlantCopy(config.plant, config.station.name, config.records.dir, self.memory.reader, self._alarms.tell)
        self.memory.spare_images(plant.images_done_to)
        self.memory.feed.images = plant.images.image
        return plant

    def _make_interlock(self) -> Interlock:
        interlock = Interlock(
            self._config.challenge,
            Production(self.memory.run, self.engine.bundle.digest, self._around.digest),
            self.memory,
            self._alarms,
            self._around.state,
            on_failure=self._on_failure,
            drain_s=self._config.geometry.travel_s + self._DRAIN_S,
        )
        self.memory.subscribe(interlock.on_durable)
        return interlock

    def _make_flow(self) -> PartFlow:
        return PartFlow(
            flow_settings(self._config, self._geometry, self.engine.judge),
            now=time.monotonic_ns,
            motion=self.motion,
            ejector=self.ejector,
            submit=self.engine.submit,
            memory=self.memory,
            alarms=self._alarms,
            counters=self._around.counters,
            offer=self._around.previews.offer,
            mark=self._mark,
            tell_birth=self._on_birth,
            admit=self._around.admission.admit,
            matched_views=matched_views(self._config, self.motion),
            identity=self.identification,
            read_code=self.engine.read_code,
        )

    def _naming(self, config: StationConfig) -> Naming:
        return self.identification.prepared(config.identity, code_view(config), self._around.admission.lot)

    def _make_plc(self) -> PlcPort:
        return PlcPort(
            self._config.plc,
            LineCommands(self._around.line, self._alarms),
            travel_s=self._config.geometry.travel_s,
            classes=self.engine.judge.classes,
            bundle_digest=self.engine.bundle.digest,
            on_silence=partial(self._alarms.tell, "PLC_SILENT" if self._config.plc.silence == "block" else "PLC_QUIET"),
            on_failure=self._on_failure,
        )

    def _make_lines(self) -> list[CameraLoop]:
        events = LineEvents(
            camera=self._camera_events,
            free_run=FreeRunEvents(blind=partial(self._alarms.tell, "BELT_UNKNOWN"), unseen=self._on_parts_unseen),
            wait_for_room=lambda timeout_s: self.engine.queue.wait_for_room(timeout_s),
            config=lambda: self._config,
            photo_eye=self.ejector.board.trigger if isinstance(self.ejector, SimulatedControllerEjector) else None,
        )
        return make_lines(self._config, self.flow, self._around.scene, events)

    def _camera_events(self, camera: str) -> CameraEvents:
        return CameraEvents(
            lost=partial(self._lost_cameras.lost, camera),
            recovered=partial(self._on_camera_back, camera),
            failed=self._on_failure,
        )

    # -------------------------------------------------------------- recipes

    def load(self, config: StationConfig) -> Engine:
        """Load, check and warm the model of a configuration beside the present one. Raises what `Engine` raises."""
        return Engine(
            config, partial(self._alarms.tell, "MODEL_FAILED"), partial(self._alarms.tell, "MODEL_REMOTE_LOST")
        )

    def exchange(self, config: StationConfig, digest: str, engine: Engine, recipe: RecipeRef) -> None:
        """Go by another recipe in a new run, while the line stands; the engine before is closed.

        Cameras, ejector, records and PLC stay open. Raises ConfigError, ChallengeStateError or RecordsError; then all
        is as before.
        """
        for place, line in enumerate(self.lines):
            if not line.lost and (misfit := misfit_of(config, place, line.camera)):
                raise ConfigError(misfit)
        naming = self._naming(config)
        run_before, before = self.memory.run, self.engine
        self.memory.begin_run(config, digest, engine, recipe)
        try:
            self.interlock.change(Production(self.memory.run, engine.bundle.digest, digest))
        except ChallengeStateError:
            self.memory.run = run_before
            raise
        self._config, self.engine = config, engine
        self._around.counters.reset(self.memory.run)
        self.pictures = QualityWatch(self._alarms, engine.quality)
        self.identification.change(naming)
        self.flow.change(flow_settings(config, self._geometry, engine.judge), engine.submit, engine.read_code)
        if self.plc is not None:
            self.plc.on_recipe(engine.judge.classes, engine.bundle.digest)
        if engine is not before:
            before.close()

    # ---------------------------------------------------------------- wiring

    def _on_failure(self, text: str) -> None:
        self._alarms.tell("STATION_FAILED", text)

    def _on_camera_back(self, camera: str) -> None:
        self._note_settings()
        self._lost_cameras.back(camera)

    def _note_settings(self) -> None:
        self.settings.note(line.camera for line in self.lines)

    def _on_parts_unseen(self, detail: str) -> None:
        self._alarms.raise_alarm("PARTS_UNSEEN", for_s=PartFlow.TRANSIENT_S, detail=detail)

    def _on_controller_trigger(self, trigger: Trigger) -> None:
        """A device-timed controller tells of each part itself; a simulated belt knows what it is."""
        self.flow.on_trigger(trigger, self.lines[0].camera.truth(trigger.number) if self.lines else "")

    def _on_birth(self, part: PartInFlight) -> None:
        if self.plc is not None:
            self.plc.on_trigger(part.number, part.stages.trigger_host_ns)

    def _mark(self, part: int) -> dict[str, str]:
        challenge = self.interlock.mark(part)
        settings = {SETTINGS_KEY: self.settings.digest} if self.settings.digest else {}
        return {**settings, EXTRA_KEY: challenge} if challenge else settings

    def _on_durable(self, records: list[StoredRecord]) -> None:
        self.flow.on_durable(records)
        self.rejects.add(records)
        self.pictures.add(records)
        self.locations.add(records)
        self.codes.add(records)
        self._around.previews.durable(records)
        if self.plc is not None:
            self.plc.on_results(records)

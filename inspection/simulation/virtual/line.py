"""The physical line around the station: feeder, belt, photo-eye, cameras, ejector, watchdog and operator."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

from camera.frame import Trigger
from inspection.simulation.virtual.agenda import Agenda
from inspection.simulation.virtual.belt import Belt, Piece, Place
from inspection.simulation.virtual.cameras import Device, PhotoEye
from inspection.simulation.virtual.controller import VirtualController
from inspection.simulation.virtual.controller_side import ControllerSide
from inspection.simulation.virtual.disk import Disk
from inspection.simulation.virtual.drive import Drive
from inspection.simulation.virtual.ejecting import Scheduler
from inspection.simulation.virtual.feeder import Feeder
from inspection.simulation.virtual.ledger import GOOD_BIN, REJECT_BIN, TAKEN, Account, Ledger
from inspection.simulation.virtual.nozzle import Nozzle
from inspection.simulation.virtual.operator import Operator
from inspection.simulation.virtual.plan import MS, SECOND, Plan, Wiring
from inspection.simulation.virtual.relay_side import RelaySide
from inspection.simulation.virtual.station import VirtualStation
from inspection.simulation.virtual.story import Story


class VirtualLine:
    """One simulation: `run` lets all parts go by and returns the account. One seed, one story, to the last pulse."""

    STATION: type[VirtualStation] = VirtualStation
    SCHEDULER: type[Scheduler] = Scheduler
    CONTROLLER: type[VirtualController] = VirtualController
    LAST_RECORDS_NS = 60 * SECOND

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.agenda = Agenda()
        self.ledger = Ledger(plan)
        self.disk = Disk(self.agenda, self.ledger)
        self.random = {name: Random(f"{plan.seed} {name}") for name in ("parts", "model", "link", "cameras", "faults")}
        self.belt = Belt(self.agenda)
        self.nozzle = Nozzle()
        self.eye = PhotoEye(self.agenda, self.random["cameras"])
        self.devices: list[Device] = [self.eye]
        if plan.is_timed_by_controller:  # the photo-eye is wired to the controller, and this camera has its trigger
            self.devices = [Device(self.agenda, self.random["cameras"], 0)]
        self.devices += [Device(self.agenda, self.random["cameras"], view) for view in range(1, plan.cameras)]
        self.eye_mishaps: list[str] = []
        self.encoder_silent_until_ns = 0
        self.on_piece: Callable[[], None] = lambda: None
        self.story = None if plan.trace is None else Story(self.agenda, plan.trace)
        self.ledger.story = self.story
        self._lives = 0
        self._busy_ns = 0
        self.all_views = (1 << plan.cameras) - 1
        self._set_up_places()
        self.operator = Operator(self)
        self.drive = Drive(plan, self.agenda, self.belt, self.nozzle, self.operator.tripped)
        self.side = ControllerSide(self) if plan.is_timed_by_controller else RelaySide(self)
        self.station = self._start_station()
        self._sample()
        self.station.wants_to_run = True
        self.feeder = Feeder(plan, self.random["parts"], self.belt, self._at_eye)
        self.feeder.begin()

    # -- building ------------------------------------------------------------------------------------------------

    def _set_up_places(self) -> None:
        plan, belt = self.plan, self.belt
        reach, at = plan.counts(plan.window_ns), plan.counts(plan.TRAVEL_NS)
        self._at_eye = belt.place(0, self._came_to_the_eye)
        self._at_cameras = [
            belt.place(plan.counts(plan.camera_at_ns(view)), partial(self._came_to_camera, view))
            for view in range(1, plan.cameras)
        ]
        self._at_nozzle = belt.place(at - reach, self._came_to_the_nozzle)
        self._behind_nozzle = belt.place(at + reach, self._left_the_nozzle)
        self._at_bin = belt.place(at + plan.counts(plan.RUN_OUT_NS), partial(self.went, GOOD_BIN))
        self._all_places = [self._at_eye, *self._at_cameras, self._at_nozzle, self._behind_nozzle, self._at_bin]

    def _start_station(self) -> VirtualStation:
        """Start a station, its end of the ejector, and what lies behind that."""
        self._lives += 1
        run, ejector = f"run-{self._lives}", self.side.make_ejector()
        station = self.STATION(self.plan, run, self.agenda, self.random["model"], self.disk, self.ledger, ejector)
        self._connect_devices(station)
        self.side.start(station)
        return station

    def _connect_devices(self, station: VirtualStation) -> None:
        self.eye.triggered = partial(self._triggered, station)
        for device in self.devices:
            view = device.view
            device.framed = partial(self._framed, station, view)
            device.lost = partial(station.post, partial(station.camera_lost, view))
            device.back = partial(station.post, partial(station.camera_back, view))
            station.watch_clock(view, device.read_clock)

    @staticmethod
    def _triggered(station: VirtualStation, trigger: Trigger, piece: Piece | None, place: int) -> None:
        station.post(partial(station.triggered, trigger, piece, place))

    def _framed(self, station: VirtualStation, view: int, frame: Any) -> None:
        if self.story is not None and frame.pixels.piece is not None:
            self.story.part(frame.pixels.piece.index, f"is on the frame {frame.counter} of camera {view}, now there")
        self.ledger.account.frames += 1
        station.post(partial(station.framed, view, frame))

    # -- running -------------------------------------------------------------------------------------------------

    def run(self, progress: Callable[[int], None] = lambda _parts: None) -> Account:
        """Let every part go by."""
        told, step = 0, max(1, min(1000, self.plan.parts // 40))
        while not self._is_over():
            self.agenda.steps(500)
            if self.feeder.fed - told >= step:
                told = self.feeder.fed
                progress(told)
        self.ledger.run_is_over(self.station.run)
        self.disk.recover()
        self.ledger.run_is_over(self.station.run)
        self.ledger.account.parts = self.feeder.fed
        return self.ledger.close(self.agenda.now_ns)

    def _is_over(self) -> bool:
        if not self.feeder.is_empty or self.belt.waiting:
            self._busy_ns = self.agenda.now_ns
            return False
        since_ns = self.agenda.now_ns - self._busy_ns
        return since_ns > (2 * SECOND if self.ledger.is_settled else self.LAST_RECORDS_NS)

    def note(self, text: str) -> None:
        """Write down what happens to the whole line, where a story is wanted."""
        if self.story is not None:
            self.story.line(text)

    # -- parts ---------------------------------------------------------------------------------------------------

    def _came_to_the_eye(self, piece: Piece) -> None:
        self.feeder.fed += 1
        self._trace(piece, "at the photo-eye")
        mishap = self.eye_mishaps.pop() if self.eye_mishaps else ""
        if mishap != "missed" and not piece.touches:
            self.side.edge(piece, piece.position, piece)
        if mishap == "doubled":
            self.agenda.after(self.random["faults"].randrange(1, 12) * MS, partial(self.spurious, piece))
        self._next_place(0).expect(piece)
        self.feeder.feed()
        self.on_piece()

    def spurious(self, picture_of: Piece | None) -> None:
        """Have the photo-eye tell of a part that is not there, or of one that is there anyway."""
        if self.belt.speed:
            near = self.plan.counts(self.plan.pitch_ns // 4)
            there = [*list(self._next_place(0).waiting)[-1:], *list(self._at_eye.waiting)[:1]]
            piece = next((piece for piece in there if abs(piece.position - self.belt.position) < near), None)
            shown = picture_of if piece is None else piece
            self.side.edge(piece, self.belt.position, shown)

    def _next_place(self, view: int) -> Place:
        return self._at_cameras[view] if view < len(self._at_cameras) else self._at_nozzle

    def _came_to_camera(self, view: int, piece: Piece) -> None:
        if not (piece.fate or piece.touches):
            self.devices[view].expose(piece)
        self._next_place(view).expect(piece)

    def _came_to_the_nozzle(self, piece: Piece) -> None:
        if not piece.fate:
            self._trace(piece, "in front of the ejector")
            self.nozzle.enter(piece)
        self._behind_nozzle.expect(piece)

    def _left_the_nozzle(self, piece: Piece) -> None:
        if piece.fate:
            return
        self.nozzle.inside.remove(piece)
        if self.plan.wiring is Wiring.RELEASE:
            if not self.nozzle.on:
                self.went(REJECT_BIN, piece)
                return
        elif piece.hit_by is not None:
            if self.plan.confirms:
                self.agenda.after(self.plan.SENSOR_NS, self.side.seen_behind)
            self.agenda.after(SECOND, partial(self.went, REJECT_BIN, piece))  # by then it is known how its pulse ended
            return
        self._at_bin.expect(piece)

    def went(self, fate: str, piece: Piece) -> None:
        """Take note of where a part has gone, for good."""
        if not piece.fate:
            if self.story is not None:
                self.story.part(piece.index, f"is now: {fate}", ends=True)
            if piece in self.nozzle.inside:
                self.nozzle.inside.remove(piece)
            self.ledger.went(piece, fate)

    def _trace(self, piece: Piece, text: str) -> None:
        if self.story is not None:
            self.story.part(piece.index, text)

    def take_one_off(self, which: float) -> None:
        """Have somebody take one of the parts on the belt off."""
        pieces = [piece for place in self._all_places for piece in place.waiting if place is not self._at_eye]
        if pieces:
            self.went(TAKEN, pieces[int(which * len(pieces))])

    # -- belt and encoder ----------------------------------------------------------------------------------------

    def eject(self, on: bool) -> None:
        """Take the level of a controller's output at the ejector."""
        self.nozzle.switch(on, self.agenda.now_ns)

    def drive_may_run(self, on: bool) -> None:
        """Take the level of a controller's run output."""
        self.drive.may_run(on)

    def _sample(self) -> None:
        """Read the encoder, as the station does."""
        if self.plan.encoder and not self.plan.is_timed_by_controller:
            self.agenda.after(self.plan.sample_ns, self._sample)
            if self.agenda.now_ns >= self.encoder_silent_until_ns:
                station = self.station
                station.post(partial(station.flow.on_motion, self.agenda.now_ns, self.belt.position))

    # -- ends and beginnings of stations -------------------------------------------------------------------------

    def kill_station(self, back_after_ns: int) -> None:
        """Kill the station; its ejector ends what it has begun, and another station is started after a while."""
        if self.station.dead:
            return
        self.note("the station is killed")
        self.station.kill()
        self.side.orphan()
        self.agenda.after(back_after_ns, self._restart_station)

    def _restart_station(self) -> None:
        if not self.side.is_free or self.disk.full:
            self.agenda.after(SECOND, self._restart_station)
            return
        self.ledger.run_is_over(self.station.run)
        self.disk.recover()
        self.ledger.run_is_over(self.station.run)
        self.station = self._start_station()
        self.note("another station has started")
        if not self.plan.belt_is_wired:
            self.station.wants_to_run = True

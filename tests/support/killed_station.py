"""A real `lineward run` that is killed again and again while an MES runs lots on it and results are watched."""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from real_run import TIMEOUT_S, RealRun
from station_runs import GOES_ON

from inspection.api import v1 as pb
from inspection.api import v1_grpc as pb_grpc
from inspection.api.call_error import call_error
from inspection.api.client import StationClient
from inspection.api.errors import CallError
from inspection.records.verify import verify

STRICT = "[model]\nthreshold = 0.0\n"  # every part is a defect
GENEROUS = "[model]\nthreshold = 1.0\n"
_GONE = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
_MOST_EVENTS = 60


def station_values(folder: Path, bundle: Path) -> dict[str, Any]:
    """A simulated line of twenty parts a second with its API and records, and no page."""
    return {
        "camera": {"backend": "simulated", "pitch_mm": 25, "jitter_mm": 1},
        "model": {"bundle": bundle},
        "geometry": {"travel_time_s": 0.3},
        "inference": {"workers": 1, "max_batch": 4},
        "ejector": {"driver": "simulated", "pulse_ms": 5},
        "records": {"dir": folder / "records", "min_free_mb": 0},
        "api": {"address": "127.0.0.1:0"},
        "page": {"enabled": False, "port": 0},
        "reactions": {**GOES_ON, "run_out_s": 0.1},
    }


class Events:
    """What client and MES have seen in one life of the station: results and answers, counted. Any thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.count = 0
        self.is_over = False

    def one_more(self) -> None:
        """Count one."""
        with self._changed:
            self.count += 1
            self._changed.notify_all()

    def over(self) -> None:
        """Say that the station has gone."""
        with self._changed:
            self.is_over = True
            self._changed.notify_all()

    def wait(self, count: int) -> bool:
        """Wait until so many were counted; False when the station has gone before."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.is_over or self.count >= count, TIMEOUT_S), self.count
            return not self.is_over


@dataclass(slots=True)
class Sent:
    """One command of the MES. answer: None while there is none."""

    method: str
    request: Any
    answer: Any = None


@dataclass(slots=True)
class Mes:
    """The MES over all lives of the station. lots: the ids that it made up, oldest first."""

    random: random.Random
    lots: list[str] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)  # in this life

    def work(self, client: StationClient, events: Events) -> None:
        """Run lots until the station has gone: resume the one that was cut off, or start a new one, and stop it."""
        with grpc.insecure_channel(client.address) as channel:
            try:
                while True:
                    self._one_lot(channel, events)
            except CallError as error:
                if error.code not in _GONE:
                    raise

    def _one_lot(self, channel: grpc.Channel, events: Events) -> None:
        lots = {lot.state: lot.order.lot for lot in lots_of(channel)}
        if pb.LOT_STATE_RUNNING in lots:  # started by a command that was repeated after the kill
            name = lots[pb.LOT_STATE_RUNNING]
        elif pb.LOT_STATE_INTERRUPTED in lots:
            name = lots[pb.LOT_STATE_INTERRUPTED]
            self.send(channel, events, "ResumeLot", pb.ResumeLotRequest(lot=name))
        else:
            _ask(lambda: pb_grpc.StationServiceStub(channel).Stop(pb.StopRequest(), timeout=TIMEOUT_S), channel)
            name = f"L-{len(self.lots) + 1}"
            self.lots.append(name)
            order = pb.LotOrder(lot=name, recipe=self.random.choice(["strict", "generous"]), planned=10)
            self.send(channel, events, "StoreAndStartLot", pb.StoreAndStartLotRequest(order=order))
        if events.wait(events.count + self.random.randint(1, 12)):
            self.send(channel, events, "StopLot", pb.StopLotRequest(lot=name))

    def send(self, channel: grpc.Channel, events: Events, method: str, request: Any) -> None:
        """Send a command with an id of its own, and keep both with the answer. Raises CallError."""
        request.request_id = str(uuid.UUID(int=self.random.getrandbits(128), version=4))
        command = Sent(method, request)
        self.sent.append(command)
        command.answer = call_lots(channel, method, request)
        events.one_more()

    def repeat(self, channel: grpc.Channel) -> None:
        """Send the last life's commands again, word for word: what was carried out is answered as it was then."""
        for command in self.sent:
            try:
                again = call_lots(channel, command.method, command.request)
            except CallError:
                if command.answer is not None:
                    raise
            else:
                assert command.answer in (None, again), command.method
        self.sent.clear()


@dataclass(slots=True)
class Watching:
    """Somebody who watches results over all lives, and comes back with his last token. seen: hashes by sequence."""

    token: str = ""
    seen: dict[int, str] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def watch(self, client: StationClient, events: Events) -> None:
        """Watch until the station has gone; every record must follow the one before."""
        try:
            for response in client.watch_results(self.token, reconnect=False):
                sequence = response.result.sequence
                if sequence != len(self.seen) + 1:
                    self.failures.append(f"record {sequence} came after {len(self.seen)}")
                self.seen[sequence], self.token = response.result.record_hash, response.resume_token
                events.one_more()
        except CallError as error:
            if error.code not in _GONE:
                self.failures.append(str(error))


@dataclass(slots=True)
class Story:
    """What came of it. restarts_s: from the start of the process until it was as before and had answered."""

    watching: Watching = field(default_factory=Watching)
    restarts_s: list[float] = field(default_factory=list)
    cut_off: int = 0  # kills under a running lot
    stood_idle: int = 0  # kills without one
    unanswered: int = 0  # commands that the kill left without an answer
    lots: dict[str, int] = field(default_factory=dict)  # counted parts of each lot, as the station told at the end


def kill_again_and_again(folder: Path, bundle: Path, kills: int, seed: int) -> Story:
    """Start the station, kill it at a random one of its results and answers, `kills` times; then end it in order."""
    moments, story = random.Random(seed), Story()
    mes, values = Mes(random.Random(seed + 1)), station_values(folder, bundle)
    running: list[str] = []
    for life in range(kills + 1):
        began = time.monotonic()
        with RealRun(folder, values) as run, run.client() as client, grpc.insecure_channel(client.address) as channel:
            if life:
                _restored(client, channel, running, story)
                story.restarts_s.append(time.monotonic() - began)
                mes.repeat(channel)
            else:
                for name, text in (("strict", STRICT), ("generous", GENEROUS)):
                    recipe = pb.CreateRecipeRequest(name=name, text=text)
                    pb_grpc.RecipeServiceStub(channel).CreateRecipe(recipe, timeout=TIMEOUT_S)
            if life == kills:
                story.lots = {lot.order.lot: lot.counters.triggered for lot in lots_of(channel)}
                assert run.end() == 0, run.said
                break
            _kill_at(run, client, moments.randint(1, _MOST_EVENTS), mes, story.watching)
        story.unanswered += sum(one.answer is None for one in mes.sent)
        running = _certainly_running(mes.sent)
        assert verify(folder / "records").problems == []
    return story


def _kill_at(run: RealRun, client: StationClient, count: int, mes: Mes, watching: Watching) -> None:
    """Have MES, watcher and somebody with images to judge at work, and kill the station at an event."""
    events = Events()
    work: list[Callable[[], None]] = [
        lambda: mes.work(client, events),
        lambda: watching.watch(client, events),
        lambda: _inspect(client),
    ]
    failures: list[BaseException] = []

    def guarded(one: Callable[[], None]) -> None:
        try:
            one()
        except BaseException as error:  # noqa: BLE001 - the edge of a thread: the test is told
            failures.append(error)
            events.over()

    threads = [threading.Thread(target=guarded, args=(one,)) for one in work]
    for thread in threads:
        thread.start()
    events.wait(count)
    run.process.kill()
    events.over()
    for thread in threads:
        thread.join(TIMEOUT_S)
        assert not thread.is_alive()
    for failure in failures:
        raise failure
    assert watching.failures == []


def _inspect(client: StationClient) -> None:
    image = np.zeros((480, 640), np.uint8)
    while True:
        try:
            client.inspect(image)
        except CallError as error:
            if error.code in _GONE:
                return
            if error.reason not in ("BUSY", "STATE"):
                raise


def _certainly_running(sent: list[Sent]) -> list[str]:
    """Return the lot that ran at the kill, where the answers say so for sure."""
    if not sent or sent[-1].answer is None or sent[-1].method == "StopLot":
        return []
    return [sent[-1].answer.lot.order.lot]


def _restored(client: StationClient, channel: grpc.Channel, running: list[str], story: Story) -> None:
    """Hold that a started station is as it was before: recipe, lots, and the line as far as it may run by itself."""
    lots = lots_of(channel)
    assert [lot.order.lot for lot in lots if lot.state == pb.LOT_STATE_RUNNING] == []
    cut_off = [lot.order.lot for lot in lots if lot.state == pb.LOT_STATE_INTERRUPTED]
    assert set(running) <= set(cut_off)
    for name in running:
        lot = call_lots(channel, "GetLot", pb.GetLotRequest(lot=name)).lot
        assert lot.steps[-1].detail == "the station ended while it ran"
        assert client.status().recipe.name == lot.order.recipe
    wanted = pb.STATE_READY if cut_off else pb.STATE_CONTINUOUS_EXECUTION
    states = pb_grpc.StationServiceStub(channel).WatchState(pb.WatchStateRequest(), timeout=TIMEOUT_S)
    assert any(response.state == wanted for response in states)
    states.cancel()
    story.cut_off += bool(cut_off)
    story.stood_idle += not cut_off


def lots_of(channel: grpc.Channel) -> list[pb.Lot]:
    """Return every lot. Raises CallError."""
    return list(call_lots(channel, "ListLots", pb.ListLotsRequest(page_size=1000)).lots)


def call_lots(channel: grpc.Channel, method: str, request: Any) -> Any:
    """Call the LotService. Raises CallError."""
    return _ask(lambda: getattr(pb_grpc.LotServiceStub(channel), method)(request, timeout=TIMEOUT_S), channel)


def _ask(call: Callable[[], Any], channel: grpc.Channel) -> Any:
    try:
        return call()
    except grpc.RpcError as error:
        raise call_error(error, str(channel)) from error

"""A camera whose driver lives in a process of its own, so that nothing that it does takes the station down."""

from __future__ import annotations

import contextlib
import pickle
import threading
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from camera.backend_row import Backend
from camera.errors import CameraError, CameraLostError, CameraOpenError, Cause, NodeError
from camera.frame import BrokenFrame, ClockReading, Frame, Pixels, Trigger
from camera.genicam.nodes import Nodes
from camera.interface import Camera
from camera.own_process.driver_side import CameraFacts
from camera.own_process.intake import Intake
from camera.own_process.lane import LaneTimeoutError
from camera.own_process.nodes import RemoteNodes
from camera.own_process.process import DriverProcess

_OPEN_S = 30.0  # loading an SDK from a slow disk, and a device that answers slowly, come to many seconds
_START_S = 10.0
_STOP_S = 5.0  # a call into a GigE camera that has gone blocks for 2.5 s
_AFTER_GRAB_S = 1.0  # a stop may have to wait for a grab, which may take as long as the watchdog allows, and then stop
_CLOSE_S = 5.0
_EXIT_S = 1.0
_COUNTERS_S = 0.5
_CLOCK_S = 1.0
_NODES_S = 10.0


class IsolatedCamera(Camera):
    """Any backend's camera as a child process; begun at `open`, ended at `close`, and at once when it hangs.

    Frames are read-only views of memory that the driver filled, no copy lies between; the memory is used again when
    nobody looks at a frame any more. A driver that crashed or hung is lost as a device is that was unplugged:
    `close` and `open` begin it anew.
    """

    def __init__(self, name: str, row: Backend, options: BaseModel, watchdog_s: float) -> None:
        super().__init__(name)
        self._row = row
        self._options = pickle.dumps(options)
        self._watchdog_s = watchdog_s
        self._driver: DriverProcess | None = None
        self._intake: Intake | None = None
        self._facts = CameraFacts(False, False, None, False)
        self._loss: CameraLostError | None = None
        self._losing = threading.Lock()
        self._restarts = 0
        self._counted: dict[str, int] = {}

    @property
    def reports_triggers(self) -> bool:  # type: ignore[override]
        """As the driver's own class says, once it is open."""
        return self._facts.reports_triggers

    @property
    def takes_software_trigger(self) -> bool:
        """As the driver says, once it is open."""
        return self._facts.takes_software_trigger

    @property
    def frame_s(self) -> float:
        """As the driver said at start."""
        return self._facts.frame_s

    @property
    def picture_size(self) -> tuple[int, int] | None:
        """As the driver said at open or start."""
        return self._facts.picture_size

    @property
    def lends_frames(self) -> bool:
        """True: frames are views of shared memory."""
        return True

    @property
    def exhausted(self) -> bool:
        """True once a finite source has given everything and it was taken."""
        return self._intake is not None and self._intake.exhausted

    @property
    def process_id(self) -> int | None:
        """The number of the driver's process, None while there is none."""
        return None if self._driver is None else self._driver.pid

    @property
    def nodes(self) -> Nodes | None:
        """The features of the device, over a lane of their own."""
        return RemoteNodes(self._node_call) if self._facts.has_nodes else None

    def counters(self) -> Mapping[str, int]:
        """Return the driver's counters, the newest that it gave, and how often its process had to be ended.

        copied_bytes: pixels that our code copied on either side, since the driver's process began.
        """
        driver = self._driver
        if driver is not None and self._loss is None:
            # the grabbing thread says what is wrong; these are the newest that there are
            with contextlib.suppress(LaneTimeoutError, EOFError, CameraError):
                self._counted = driver.call("look", "counters", timeout_s=_COUNTERS_S)
        copied = self._counted.get("copied_bytes", 0) + (0 if self._intake is None else self._intake.copied_bytes)
        return {**self._counted, "copied_bytes": copied, "driver_restarts": self._restarts}

    def read_clock(self) -> ClockReading | None:
        """Have the driver ask its device, between two moments of the clock that both processes share.

        None also where the device takes long to answer: whether it is lost is for the grabbing thread to find.
        """
        self._require_open("read_clock")
        driver = self._driver
        if not self._is_started or driver is None or self._loss is not None:
            return None
        try:
            reading: ClockReading | None = driver.call("look", "read_clock", timeout_s=_CLOCK_S)
        except (LaneTimeoutError, EOFError):
            return None
        return reading

    def check_settings(self) -> list[str]:
        """Have the driver ask its device, over the lane of the features: no frame waits for it."""
        self._require_open("check_settings")
        changed: list[str] = self._node_call("check_settings")
        return changed

    def ptp_status(self) -> str | None:
        """Have the driver ask its device."""
        self._require_open("ptp_status")
        status: str | None = self._node_call("ptp_status")
        return status

    def _open(self) -> None:
        self._loss, self._counted = None, {}
        try:
            self._driver = DriverProcess()
        except OSError as error:
            raise CameraOpenError(f"camera '{self.name}': no process can be begun for its driver: {error}") from error
        self._intake = Intake(self.name, self._driver, self._watchdog_s)
        try:
            self._facts = self._call("life", "open", self._row, self.name, self._options, timeout_s=_OPEN_S)
            self.applied = self._facts.applied
        except CameraLostError as error:
            self._give_back()
            raise CameraOpenError(str(error), error.cause) from error
        except BaseException:
            self._give_back()
            raise

    def _start(self) -> None:
        if self._intake is not None:
            self._intake.begin()
        self._facts = self._call("life", "start", timeout_s=_START_S)

    def _grab(self, into: Pixels | None, timeout_s: float) -> Frame | BrokenFrame | None:
        driver, intake = self._driver, self._intake
        if driver is None or intake is None or self._loss is not None:
            raise self._loss or CameraLostError(f"camera '{self.name}': it is closed")
        try:
            return intake.take(into, timeout_s)
        except EOFError:
            raise self._crashed(driver) from None
        except TimeoutError:
            raise self._hung(driver, f"gave no sign of life for {self._watchdog_s:g} s") from None

    def _wait_trigger(self, timeout_s: float) -> Trigger | None:
        trigger: Trigger | None = self._call(
            "events", "wait_trigger", timeout_s, timeout_s=timeout_s + self._watchdog_s
        )
        return trigger

    def _trigger(self) -> Trigger | None:
        trigger: Trigger | None = self._call("trigger", "trigger", timeout_s=self._watchdog_s)
        return trigger

    def _cease(self) -> bool:
        """Ask the driver; one that waits for software knows without."""
        if self.takes_software_trigger:
            return True
        ceased: bool = self._call("trigger", "cease", timeout_s=max(_STOP_S, self._watchdog_s + _AFTER_GRAB_S))
        return ceased

    def _stop(self) -> None:
        driver, intake = self._driver, self._intake
        if driver is None or intake is None:
            return
        intake.interrupt()
        try:
            self._call("life", "stop", timeout_s=max(_STOP_S, self._watchdog_s + _AFTER_GRAB_S))
        except CameraError as error:  # a stop succeeds; who asks for the next frame is told
            self._lose(driver, CameraLostError(str(error), error.cause))
        intake.discard()

    def _close(self) -> None:
        driver = self._driver
        if driver is not None and self._loss is None:
            try:
                driver.call("life", "close", timeout_s=_CLOSE_S)
            except LaneTimeoutError:
                self._restarts += 1
                driver.kill()
            except EOFError:
                self._restarts += 1
            except CameraError:
                pass  # it is released with its process
        self._give_back()

    def _give_back(self) -> None:
        driver, intake = self._driver, self._intake
        self._driver = None
        if driver is None or intake is None:
            return
        driver.hang_up()
        if not driver.wait_dead(_EXIT_S):
            driver.kill()
        intake.close()
        driver.end()

    def _call(self, lane: str, method: str, *arguments: object, timeout_s: float) -> Any:
        """Call into the driver; one that does not answer in time is ended. Raises CameraError."""
        driver = self._driver
        if driver is None or self._loss is not None:
            raise self._loss or CameraLostError(f"camera '{self.name}': it is closed")
        try:
            return driver.call(lane, method, *arguments, timeout_s=timeout_s)
        except LaneTimeoutError:
            raise self._hung(driver, f"did not return from {method}() within {timeout_s:g} s") from None
        except EOFError:
            raise self._crashed(driver) from None

    def _node_call(self, method: str, *arguments: object) -> Any:
        """Call into the features; one that hangs is given up, and the pictures go on."""
        driver = self._driver
        if driver is None or self._loss is not None:
            raise self._loss or CameraLostError(f"camera '{self.name}': it is closed")
        try:
            return driver.call("nodes", method, *arguments, timeout_s=_NODES_S)
        except LaneTimeoutError:
            what = f"{method}({', '.join(map(repr, arguments))})"
            raise NodeError(
                f"camera '{self.name}': {what} did not return within {_NODES_S:g} s; stop and start the line to begin "
                "the driver anew",
                Cause.HUNG,
            ) from None
        except EOFError:
            raise self._crashed(driver) from None

    def _hung(self, driver: DriverProcess, what: str) -> CameraLostError:
        return self._lose(
            driver,
            CameraLostError(
                f"camera '{self.name}': its driver ({self._row.name}) {what}; its process was ended and is begun "
                "anew; if it happens again, check the cable and the driver's version",
                Cause.HUNG,
            ),
        )

    def _crashed(self, driver: DriverProcess) -> CameraLostError:
        driver.wait_dead(_EXIT_S)
        return self._lose(
            driver,
            CameraLostError(
                f"camera '{self.name}': the process of its driver ({self._row.name}) {driver.obituary()}; it is begun "
                "anew; if it happens again, check the driver's version",
                Cause.CRASHED,
            ),
        )

    def _lose(self, driver: DriverProcess, error: CameraLostError) -> CameraLostError:
        """End the driver and remember why; the first reason stays, whichever thread found it.

        One that was closed meanwhile has no say: the camera may be open again, with another process.
        """
        with self._losing:
            if driver is not self._driver:
                return error
            if self._loss is None:
                self._loss = error
                self._restarts += 1
                driver.kill()
            return self._loss

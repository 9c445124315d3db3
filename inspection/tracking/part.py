"""A part between its trigger and the ejector, with one place for each view of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from camera.frame import Frame
from camera.geometry.pose import Pose
from inspection.part import Decision, EjectorAction, Reason, Stages, Verdict
from inspection.quality.gate import Finding
from inspection.tracking.identity import PartIdentity


@dataclass(slots=True)
class View:
    """What is known of one view of a part: its frame, and what was found on it. Changed under the tracker's lock."""

    camera: str
    frame: Frame | None = None
    decision: Decision | None = None
    missing: Reason | None = None  # why there will never be a frame, once that is known
    located: bool = True  # False where the part was looked for in its picture and not found
    quality: Finding | None = None  # what its picture measured, where limits are held
    batch: tuple[int, int] | None = None  # images in the model's call that scored it, and which one it was
    pose: Pose | None = None  # how the part lay in it, where that is looked for
    input: Any = None  # what the model got of it, uint8 (height, width, channels), where that is to be kept


@dataclass(slots=True)
class PartInFlight:
    """A part on its way. Owned by the tracker, changed only under its lock.

    position: where the belt was at its trigger. due: the belt position at which it is at the ejector.
    """

    number: int
    position: int
    due: int
    stages: Stages
    views: tuple[View, ...]
    truth: str = ""
    note: str = ""  # why it could not be judged, where that has a reason
    judged: Decision | None = None  # what all its views say, before it was held against its neighbours
    decision: Decision | None = None  # what becomes of it
    is_armed: bool = False  # the ejector knows of it
    told: Verdict | None = None  # what the ejector was told: PASS, too, for a part that another's pulse takes along
    shown: int = 0  # the view that decided
    ended: bool = False
    action: EjectorAction | None = None  # what the ejector reported
    behind: list[PartInFlight] = field(default_factory=list)  # parts that its pulse would take along
    ahead: list[PartInFlight] = field(default_factory=list)  # parts whose pulse would take it along
    extra: dict[str, Any] = field(default_factory=dict)
    lot: str = ""  # the lot that ran at its trigger
    serial: str = ""  # its own number, once that is known
    identity: PartIdentity | None = None  # what is known of that number; None where parts have none
    held: bool = False  # nobody asked for its inspection: it is rejected, however good it is

    @property
    def awaits_code(self) -> bool:
        """True while its code is still to be read; nothing is decided before."""
        return self.identity is not None and self.identity.is_awaited

    @property
    def awaits_frame(self) -> bool:
        """True while a frame of it may still come."""
        return not self.ended and any(view.frame is None and view.missing is None for view in self.views)

    def give_up_code(self, view: int, why: str) -> None:
        """Wait no longer for a code in the picture of a view that says nothing, nor go by what was read in it."""
        identity = self.identity
        if identity is not None and identity.view == view:
            identity.is_awaited, identity.has_failed = False, True
            identity.story["why"] = why
            if not identity.has_claimed:
                self.serial = ""

    @property
    def is_taken_along(self) -> bool:
        """True for a part that was decided to be rejected by the pulse of another one."""
        return self.told is Verdict.PASS and self.decision is not None and self.decision.verdict is Verdict.REJECT


@dataclass(slots=True)
class TrackerCounters:
    """What the tracker counted since the station started; nothing that happens to a part is silent."""

    triggers: int = 0
    frames: int = 0
    lost_frames: int = 0
    late_frames: int = 0
    spurious_frames: int = 0
    doubled_triggers: int = 0
    unknown_actuations: int = 0
    system_rejects: int = 0
    taken_along: int = 0
    doubted_late: int = 0

"""A picture that nothing may be decided by: why, and what was found out about it before."""

from __future__ import annotations

from camera.geometry.pose import Pose
from inspection.part import Reason


class UnfitError(ValueError):
    """A frame that can be read, but must not be judged; its part is rejected for `reason`.

    pose: where the part may lie. located: False where it was looked for and not found.
    """

    def __init__(
        self,
        text: str,
        reason: Reason = Reason.IMAGE_QUALITY,
        pose: Pose | None = None,
        *,
        located: bool = True,
    ) -> None:
        super().__init__(text)
        self.reason = reason
        self.pose = pose
        self.located = located

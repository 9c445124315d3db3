"""What a simulated camera looks at: pictures of parts, injected so that the drivers import no renderer."""

from __future__ import annotations

from typing import Protocol

from camera.frame import Pixels


class Scene(Protocol):
    """The parts that lie on a simulated belt; both methods depend on the part number alone.

    How many parts are defective, and how, is the scene's business: it alone knows the truth.
    """

    def render(self, part: int) -> Pixels:
        """Paint part `part` (counted from 1): uint8, (H, W) mono or (H, W, 3) RGB; called in the grabbing thread."""
        ...

    def truth(self, part: int) -> str:
        """Tell what part `part` really is (`good` or a kind of defect) without painting it; called from any thread."""
        ...

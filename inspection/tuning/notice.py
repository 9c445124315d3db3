"""What the page last refused or did, in a place of its own that hides no field and no picture."""

from __future__ import annotations

import time

from nicegui import ui

from inspection.texts import Catalogue

_REFUSED_S, _DONE_S = 12.0, 4.0


class Notice:
    """One notice of one browser, the newest; lives on the event loop. There is room for it only while it is shown."""

    def __init__(self, texts: Catalogue) -> None:
        self._texts = texts
        self._until_s = 0.0
        self._label = ui.label("").classes("lw-notice lw-tune-notice").props("role=status")
        self._label.set_visibility(False)

    def refuse(self, text: str, key: str = "action.refused") -> None:
        """Show why something was not done. key: of the text around it."""
        self._tell("refused", self._texts.text(key, detail=text), _REFUSED_S)

    def done(self, text: str) -> None:
        """Show that something was done."""
        self._tell("done", text, _DONE_S)

    def show(self) -> None:
        """Take it away when its time is over."""
        if self._label.visible and time.monotonic() >= self._until_s:
            self._label.set_visibility(False)

    def _tell(self, kind: str, text: str, lasts_s: float) -> None:
        self._label.set_text(text)
        self._label.props(f"data-kind={kind}")
        self._label.set_visibility(True)
        self._until_s = time.monotonic() + lasts_s

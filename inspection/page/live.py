"""The newest part: its picture in a thick frame of the verdict's colour, the verdict as a big word, the cameras."""

from __future__ import annotations

from nicegui import ui

from inspection.api import v1 as pb
from inspection.page import words
from inspection.page.cameras import CameraTiles
from inspection.page.feed import SeenPreview
from inspection.texts import Catalogue


class LivePart:
    """Live image and verdict of one browser; lives on the event loop."""

    def __init__(self, texts: Catalogue) -> None:
        self._texts = texts
        with ui.element("section").classes("lw-live").props("data-kind=none") as self._box:
            with ui.element("div").classes("lw-verdict"):
                self._icon = ui.icon("radio_button_unchecked").classes("lw-verdict-icon")
                self._word = ui.label("").classes("lw-verdict-word")
                with ui.element("div").classes("lw-verdict-texts"):
                    self._detail = ui.label("").classes("lw-verdict-detail")
                    self._part = ui.label("").classes("lw-verdict-part")
            with ui.element("div").classes("lw-picture"):
                self._picture = ui.element("img").props("alt=''")
                self._picture.set_visibility(False)
            self._cameras = CameraTiles()

    def show(self, status: pb.GetStatusResponse, preview: SeenPreview | None) -> None:
        """Bring picture, verdict and cameras up to date."""
        self._cameras.show(words.cameras(status, self._texts))
        said = words.verdict(status, preview, self._texts)
        self._box.props(f"data-kind={said.kind}")
        self._icon.set_name(said.icon)
        self._word.set_text(said.word)
        self._detail.set_text(said.detail)
        self._part.set_text(said.part)
        self._picture.set_visibility(preview is not None)
        if preview is not None:
            self._picture.props(f"src=/preview/{preview.number}.jpg data-part={preview.message.part}")

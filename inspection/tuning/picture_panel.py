"""The live picture: a region is chosen by dragging over it or by numbers; a loss is shown in its place."""

from __future__ import annotations

import json

from nicegui import events, ui

from inspection.camera_history import CameraReport
from inspection.texts import Catalogue
from inspection.tuning import words
from inspection.tuning.commands import Commands
from inspection.tuning.notice import Notice
from inspection.tuning.numbers import whole_numbers


class PicturePanel:
    """Picture of one browser; lives on the event loop."""

    def __init__(self, commands: Commands, texts: Catalogue, notice: Notice) -> None:
        self._commands, self._texts, self._notice = commands, texts, notice
        self._marks = True
        self._editing = False
        with ui.element("section").classes("lw-tune-picture"):
            with ui.element("div").classes("lw-stage"):
                self._picture = ui.element("img").props("alt='' draggable=false").classes("lw-live-picture")
                ui.element("div").classes("lw-drag")
                with ui.element("div").classes("lw-loss").props("data-shown=false") as self._loss:
                    ui.icon("videocam_off").classes("lw-loss-icon")
                    self._word = ui.label("").classes("lw-loss-word")
                    self._detail = ui.label("").classes("lw-loss-detail")
                    self._remedy = ui.label("").classes("lw-loss-remedy")
            with ui.element("div").classes("lw-stage-foot"):
                ui.label(texts.text("tuning.region")).classes("lw-tune-name")
                self._numbers = ui.input(placeholder=texts.text("tuning.whole")).props("dense outlined dark")
                self._numbers.classes("lw-region-numbers").on("keydown.enter", self._typed)
                self._numbers.on("focus", lambda: self._edit(True)).on("blur", lambda: self._edit(False))
                ui.button(texts.text("tuning.whole"), on_click=self._all).props("flat no-caps").classes(
                    "lw-tune-button lw-region-all"
                )
                ui.label(texts.text("tuning.drag")).classes("lw-tune-hint")
                ui.checkbox(texts.text("tuning.marks"), value=True, on_change=self._mark).classes("lw-marks")
        ui.on("lineward_region", self._dragged)

    def show(self, report: CameraReport) -> None:
        """Bring the picture up to date."""
        looking = self._commands.looking
        look = looking.newest
        trouble = self._commands.loop.trouble or looking.trouble
        loss = words.loss(report, trouble, self._texts)
        self._loss.props(f"data-shown={json.dumps(loss is not None and (looking.live is None or bool(trouble)))}")
        for label, text in zip((self._word, self._detail, self._remedy), loss or ("", "", ""), strict=True):
            label.set_text(text)
        self._picture.set_visibility(look is not None)
        if look is not None:
            marks = json.dumps(self._marks)
            self._picture.props(f"src=/picture/{look.number}.jpg?marks={marks} data-number={look.number}")
            self._picture.props(f"data-columns={look.size[0]} data-rows={look.size[1]}")
        if not self._editing:
            region = None if look is None else look.region
            self._numbers.set_value("" if region is None else ", ".join(map(str, region)))

    def _dragged(self, event: events.GenericEventArguments) -> None:
        look, shares = self._commands.looking.newest, event.args
        if look is None or not isinstance(shares, list) or len(shares) != 4:
            return
        columns, rows = look.size
        x, y, width, height = (float(share) for share in shares)
        self._commands.choose((round(x * columns), round(y * rows), round(width * columns), round(height * rows)))

    def _typed(self) -> None:
        text = str(self._numbers.value or "").strip()
        region = whole_numbers(text) if text else None
        if text and (region is None or min(region[2:]) < 1):
            self._notice.refuse(self._texts.text("tuning.four_numbers", text=text))
            return
        self._commands.choose(region)

    def _all(self) -> None:
        self._commands.choose(None)

    def _edit(self, editing: bool) -> None:
        self._editing = editing

    def _mark(self, event: events.ValueChangeEventArguments[bool | None]) -> None:
        self._marks = bool(event.value)

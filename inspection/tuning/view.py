"""The tuning page as a browser gets it: its panels, and the tick that brings them up to date."""

from __future__ import annotations

import json

from nicegui import ui

from inspection.camera_history import CameraReport
from inspection.page.header import show_languages
from inspection.texts import Catalogue
from inspection.tuning import words
from inspection.tuning.commands import Commands
from inspection.tuning.figures_panel import FiguresPanel
from inspection.tuning.notice import Notice
from inspection.tuning.picture_panel import PicturePanel
from inspection.tuning.saving_panel import SavingPanel
from inspection.tuning.settings_panel import SettingsPanel
from inspection.tuning.sharpness_panel import SharpnessPanel

TICK_S = 0.125
_BEAT_EVERY_TICKS = 4


def show_tuning(commands: Commands, texts: Catalogue) -> None:
    """Build the page for one browser and keep it up to date as long as that browser stays."""
    ui.add_head_html(
        '<link rel="stylesheet" href="/look/page.css"><link rel="stylesheet" href="/look/tuning.css">'
        '<script defer src="/look/contact.js"></script><script defer src="/look/region.js"></script>'
    )
    with ui.element("main").classes("lw-page lw-tune").props(f"lang={texts.language}"):
        header = _Header(commands, texts)
        with ui.element("div").classes("lw-tune-body"):
            with ui.element("div").classes("lw-tune-left"):
                with ui.element("div").classes("lw-tune-top"):
                    sharpness = SharpnessPanel(commands, texts)
                    notice = Notice(texts)
                picture = PicturePanel(commands, texts, notice)
            with ui.element("div").classes("lw-tune-right"):
                figures = FiguresPanel(commands, texts)
                settings = SettingsPanel(commands, texts, notice)
                saving = SavingPanel(commands, texts, notice)
            _page_lost(texts)
    beat = ui.element("span").classes("lw-beat")
    ticks = 0

    def tick() -> None:
        nonlocal ticks
        ticks += 1
        report = commands.loop.report(commands.loop.choice.backend)
        picture.show(report)
        if ticks % _BEAT_EVERY_TICKS == 1:
            beat.props(f"data-beat={ticks}")
            header.show(report)
            notice.show()
            for panel in (figures, settings, saving):
                panel.show()
        if ticks % 2:
            sharpness.show()

    tick()
    ui.timer(TICK_S, tick)


class _Header:
    """Which camera this is, how it does, and what it lost; of one browser."""

    def __init__(self, commands: Commands, texts: Catalogue) -> None:
        self._commands, self._texts = commands, texts
        choice = commands.loop.choice
        self._counts: dict[str, ui.label] = {}
        with ui.element("header").classes("lw-header"):
            with ui.element("div").classes("lw-station"):
                ui.label(choice.name).classes("lw-station-name")
                self._picture = ui.label(choice.backend).classes("lw-station-model")
            with ui.element("div").classes("lw-lights"):
                with ui.element("div").classes("lw-light").props("data-kind=idle data-light=camera") as self._light:
                    self._icon = ui.icon("radio_button_unchecked")
                    with ui.element("div"):
                        ui.label(texts.text("light.camera")).classes("lw-light-name")
                        self._word = ui.label("").classes("lw-light-word")
                for name in ("rate", "lost", "broken", "latency"):
                    with ui.element("div").classes("lw-light lw-tune-count"), ui.element("div"):
                        ui.label(texts.text(f"tuning.{'lost_frames' if name == 'lost' else name}")).classes(
                            "lw-light-name"
                        )
                        self._counts[name] = ui.label("–").classes("lw-light-word").props(f"data-count={name}")
            show_languages(texts)

    def show(self, report: CameraReport) -> None:
        """Bring the line up to date."""
        loop, look = self._commands.loop, self._commands.looking.live
        said = words.light(report, self._texts)
        self._light.props(f"data-kind={said.kind}")
        self._icon.set_name(said.icon)
        self._word.set_text(said.word)
        self._picture.set_text(" · ".join(part for part in (loop.choice.backend, words.picture(look)) if part))
        latency_ms = None if look is None else loop.latency_ms(look.frame)
        self._counts["rate"].set_text(f"{loop.frames_per_s:.1f}")
        self._counts["lost"].set_text(str(report.counters["lost_frames"]))
        self._counts["broken"].set_text(str(report.counters["broken_frames"]))
        self._counts["latency"].set_text("–" if latency_ms is None else f"{latency_ms:.1f} ms")
        for name in ("lost", "broken"):
            is_bad = report.counters[f"{name}_frames"] > 0
            self._counts[name].props(f"data-bad={json.dumps(is_bad)}")


def _page_lost(texts: Catalogue) -> None:
    """Build the sheet that the browser shows when this program has ended."""
    with ui.element("section").classes("lw-no-contact"):
        ui.icon("link_off").classes("lw-no-contact-icon")
        ui.label(texts.text("state.NO_CONTACT")).classes("lw-no-contact-word")
        ui.label(texts.text("tuning.ended")).classes("lw-no-contact-remedy")

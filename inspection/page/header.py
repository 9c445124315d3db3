"""The line above everything: which station this is, what is connected, which language is spoken."""

from __future__ import annotations

from nicegui import ui

from inspection.api.pb import inspection_pb2 as pb
from inspection.page import words
from inspection.page.feed import SeenPreview
from inspection.texts import LANGUAGES, Catalogue


class Header:
    """Station name, connection lights and the language switch of one browser; lives on the event loop."""

    def __init__(self, texts: Catalogue) -> None:
        self._texts = texts
        self._lights: dict[str, tuple[ui.element, ui.icon, ui.label]] = {}
        with ui.element("header").classes("lw-header"):
            with ui.element("div").classes("lw-station"):
                self._station = ui.label("Lineward").classes("lw-station-name")
                self._model = ui.label("").classes("lw-station-model")
            with ui.element("div").classes("lw-lights"):
                for name in ("camera", "ejector", "heartbeat"):
                    self._lights[name] = self._light(name)
            with ui.element("nav").classes("lw-languages"):
                for code, own_name in LANGUAGES.items():
                    link = ui.link(own_name, f"/language/{code}").classes("lw-language").props(f"lang={code}")
                    if code == texts.language:
                        link.props("aria-current=true")

    def _light(self, name: str) -> tuple[ui.element, ui.icon, ui.label]:
        with ui.element("div").classes("lw-light").props(f"data-kind=idle data-light={name}") as light:
            icon = ui.icon("radio_button_unchecked")
            with ui.element("div"):
                ui.label(self._texts.text(f"light.{name}")).classes("lw-light-name")
                word = ui.label(self._texts.text("light.unknown")).classes("lw-light-word")
        return light, icon, word

    def show(self, status: pb.GetStatusResponse, _preview: SeenPreview | None) -> None:
        """Bring the header up to date."""
        self._station.set_text(status.station)
        self._model.set_text(status.model)
        for name, light in words.lights(status, self._texts).items():
            self._set(name, light)

    def forget(self) -> None:
        """Show that nothing is known about the connections."""
        unknown = words.Light("idle", "radio_button_unchecked", self._texts.text("light.unknown"))
        for name in self._lights:
            self._set(name, unknown)

    def _set(self, name: str, light: words.Light) -> None:
        box, icon, word = self._lights[name]
        box.props(f"data-kind={light.kind}")
        icon.set_name(light.icon)
        word.set_text(light.word)

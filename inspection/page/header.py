"""The line above everything: which station this is, what is connected, which language is spoken."""

from __future__ import annotations

from collections.abc import Callable

from nicegui import ui

from inspection.api import v1 as pb
from inspection.page import challenge_words, words
from inspection.page.feed import SeenPreview, StationFeed
from inspection.texts import LANGUAGES, Catalogue


def show_languages(texts: Catalogue) -> None:
    """Show the language switch."""
    with ui.element("nav").classes("lw-languages"):
        for code, own_name in LANGUAGES.items():
            link = ui.link(own_name, f"/language/{code}").classes("lw-language").props(f"lang={code}")
            if code == texts.language:
                link.props("aria-current=true")


class Header:
    """Station name, connection lights, challenge and language switch of one browser; lives on the event loop."""

    def __init__(self, feed: StationFeed, texts: Catalogue, open_challenge: Callable[[], None]) -> None:
        self._feed = feed
        self._texts = texts
        self._lights: dict[str, tuple[ui.element, ui.icon, ui.label]] = {}
        with ui.element("header").classes("lw-header"):
            with ui.element("div").classes("lw-station"):
                self._station = ui.label("Lineward").classes("lw-station-name")
                self._model = ui.label("").classes("lw-station-model")
            with ui.element("div").classes("lw-lights"):
                for name in ("camera", "ejector", "heartbeat"):
                    self._lights[name] = self._light(name)
            with ui.element("button").classes("lw-to-challenge").props("type=button data-kind=idle") as self._challenge:
                self._challenge_icon = ui.icon("radio_button_unchecked")
                with ui.element("div"):
                    ui.label(texts.text("challenge.title")).classes("lw-light-name")
                    self._challenge_word = ui.label("").classes("lw-light-word")
            self._challenge.on("click", open_challenge)
            show_languages(texts)

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
        self._show_what_runs(words.what_runs(status, self._texts))
        for name, light in words.lights(status, self._texts).items():
            self._set(name, light)
        self._show_challenge()

    def _show_what_runs(self, said: str) -> None:
        """Show it as far as there is room; the whole of it to whoever points at it."""
        if said != self._model.text:
            self._model.props["title"] = said
            self._model.set_text(said)
            self._model.update()

    def _show_challenge(self) -> None:
        known = self._feed.challenge
        self._challenge.set_visibility(known is not None)
        if known is not None:
            said = challenge_words.button(known, self._texts)
            self._challenge.props(f"data-kind={said.kind}")
            self._challenge_icon.set_name(said.icon)
            self._challenge_word.set_text(said.word)

    def forget(self) -> None:
        """Show that nothing is known about the connections."""
        unknown = words.Light("idle", "radio_button_unchecked", self._texts.text("light.unknown"))
        for name in self._lights:
            self._set(name, unknown)
        self._challenge.set_visibility(False)

    def _set(self, name: str, light: words.Light) -> None:
        box, icon, word = self._lights[name]
        box.props(f"data-kind={light.kind}")
        icon.set_name(light.icon)
        word.set_text(light.word)

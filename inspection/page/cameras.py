"""Several cameras, a tile for each: its name, and in a shape, a colour and a word what it does."""

from __future__ import annotations

from collections.abc import Mapping

from nicegui import ui

from inspection.page.words import Light


class CameraTiles:
    """The cameras of one browser, below the picture; nothing where the station has one. Lives on the event loop."""

    def __init__(self) -> None:
        self._tiles: dict[str, tuple[ui.element, ui.icon, ui.label]] = {}
        self._row = ui.element("div").classes("lw-cameras")
        self._row.set_visibility(False)

    def show(self, lights: Mapping[str, Light]) -> None:
        """Bring the tiles up to date; a station that was started anew may have other cameras."""
        self._row.set_visibility(bool(lights))
        if list(lights) != list(self._tiles):
            self._row.clear()
            with self._row:
                self._tiles = {name: self._tile(name) for name in lights}
        for name, light in lights.items():
            tile, icon, word = self._tiles[name]
            tile.props(f"data-kind={light.kind}")
            icon.set_name(light.icon)
            word.set_text(light.word)

    def _tile(self, name: str) -> tuple[ui.element, ui.icon, ui.label]:
        with ui.element("div").classes("lw-camera lw-light") as tile:
            icon = ui.icon("radio_button_unchecked")
            ui.label(name).classes("lw-camera-name")
            word = ui.label("").classes("lw-camera-word")
        return tile, icon, word

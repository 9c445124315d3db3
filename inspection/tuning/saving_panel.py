"""Keeping what was tuned: the lines for the station's file, a user set of the device, a file of all its settings."""

from __future__ import annotations

from nicegui import ui

from inspection.texts import Catalogue
from inspection.tuning.commands import Commands
from inspection.tuning.notice import Notice


class SavingPanel:
    """What one browser may keep; lives on the event loop."""

    def __init__(self, commands: Commands, texts: Catalogue, notice: Notice) -> None:
        self._commands, self._texts, self._notice = commands, texts, notice
        self._sets: tuple[str, ...] | None = None
        with ui.element("section").classes("lw-tune-saving"):
            ui.label(texts.text("tuning.save")).classes("lw-tune-title")
            self._lines = ui.label("").classes("lw-toml")
            with ui.element("div").classes("lw-saving-buttons"):
                self._button("tuning.copy", self._copy).classes("lw-copy")
                if commands.station is not None:
                    text = texts.text("tuning.write", file=commands.station.name)
                    ui.button(text, on_click=self._write).props("flat no-caps").classes("lw-tune-button lw-write")
            with ui.element("div").classes("lw-saving-buttons") as self._device:
                self._user_set = ui.select([]).props("dense outlined dark options-dark").classes("lw-setting-format")
                self._keep = self._button("tuning.keep", self._keep_user_set).classes("lw-keep")
                self._button("tuning.settings_file", self._write_settings).classes("lw-settings-file")

    def show(self) -> None:
        """Bring the lines up to date."""
        lines = "\n".join(self._commands.lines())
        self._lines.set_text(lines or self._texts.text("tuning.nothing_changed"))
        self._device.set_visibility(bool(self._commands.loop.settings.numbers))
        sets = self._commands.loop.settings.user_sets
        if sets != self._sets:
            self._sets = sets
            self._user_set.set_options(list(sets), value=sets[0] if sets else None)
            self._user_set.set_visibility(bool(sets))
            self._keep.set_visibility(bool(sets))

    def _button(self, text: str, clicked: object) -> ui.button:
        button = ui.button(self._texts.text(text), on_click=clicked)  # type: ignore[arg-type]
        return button.props("flat no-caps").classes("lw-tune-button")

    def _copy(self) -> None:
        ui.clipboard.write("\n".join(self._commands.lines()) + "\n")
        self._say(None, self._texts.text("tuning.copied"))

    async def _write(self) -> None:
        file = self._commands.station
        self._say(await self._commands.write_station(), self._texts.text("tuning.written", file=file))

    async def _keep_user_set(self) -> None:
        name = str(self._user_set.value)
        self._say(await self._commands.save_user_set(name), self._texts.text("tuning.kept", name=name))

    async def _write_settings(self) -> None:
        file = self._commands.settings
        self._say(await self._commands.save_settings(), self._texts.text("tuning.written", file=file))

    def _say(self, refused: str | None, done: str) -> None:
        if refused is not None:
            self._notice.refuse(refused)
        else:
            self._notice.done(done)

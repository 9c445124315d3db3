"""The settings of the device: each as it stands, between its limits, written and read back at once."""

from __future__ import annotations

import json
from collections.abc import Awaitable

from nicegui import ui

from inspection.texts import Catalogue
from inspection.tuning import settings, words
from inspection.tuning.commands import Commands
from inspection.tuning.notice import Notice
from inspection.tuning.numbers import real_number, whole_numbers


class SettingsPanel:
    """Settings of one browser; lives on the event loop. It is built anew when the device offers others."""

    def __init__(self, commands: Commands, texts: Catalogue, notice: Notice) -> None:
        self._commands, self._texts, self._notice = commands, texts, notice
        self._offered: tuple[object, ...] | None = None
        self._fields: dict[str, ui.input] = {}
        self._limits: dict[str, ui.label] = {}
        self._editing = ""
        self._left: str | None = None  # what nobody has changed since it was entered into that field, or brought there
        self._box = ui.element("section").classes("lw-tune-settings")

    def show(self) -> None:
        """Bring the settings up to date; what somebody is typing into is left alone."""
        now = self._commands.loop.settings
        offered = (tuple(one.key for one in now.numbers), now.once, now.balance is None, now.pixel_formats)
        if offered != self._offered:
            self._offered = offered
            self._build(now)
        for one in now.numbers:
            self._bring(one.key, words.number(one.value))
            self._limits[one.key].set_text(words.limits(one))
        if now.roi is not None:
            self._bring("roi", ", ".join(map(str, now.roi)))
        if now.balance is not None:
            self._limits["balance"].set_text(" · ".join(f"{ratio:.3f}" for ratio in now.balance))
        for name in now.once:
            self._once[name].props(f"data-runs={json.dumps(self._commands.loop.running_once == name)}")
        if self._format is not None and self._format.value != now.pixel_format:
            self._format.set_value(now.pixel_format)

    def _build(self, now: settings.Settings) -> None:
        self._box.clear()
        self._fields, self._limits, self._once = {}, {}, dict[str, ui.button]()
        self._format: ui.select | None = None
        with self._box:
            ui.label(self._texts.text("tuning.settings")).classes("lw-tune-title")
            if not now.numbers and not now.pixel_formats:
                ui.label(self._texts.text("tuning.no_settings")).classes("lw-tune-hint lw-no-settings")
            for one in now.numbers:
                self._number(one.key)
            if now.balance is not None:
                self._balance()
            if now.once:
                self._onces(now.once)
            if len(now.pixel_formats) > 1:
                self._formats(now)
            if now.roi is not None:
                self._roi()

    def _number(self, key: str) -> None:
        with ui.element("div").classes("lw-setting").props(f"data-setting={key}"):
            with ui.element("div"):
                ui.label(self._texts.text(f"tuning.{key}")).classes("lw-tune-name")
                self._limits[key] = ui.label("").classes("lw-tune-hint")
            self._button("−", lambda: self._step(key, up=False)).classes("lw-step")
            self._field(key, lambda: self._typed(key))
            self._button("+", lambda: self._step(key, up=True)).classes("lw-step")

    def _field(self, key: str, entered: object) -> None:
        field = ui.input().props("dense outlined dark").classes("lw-setting-field")
        field.on("keydown.enter", entered)  # type: ignore[arg-type]
        field.on("focus", lambda: self._edit(key)).on("blur", lambda: self._edit(""))
        self._fields[key] = field

    def _balance(self) -> None:
        with ui.element("div").classes("lw-setting lw-setting-wide").props("data-setting=white_balance"):
            ui.label(self._texts.text("tuning.white_balance")).classes("lw-tune-name")
            self._button(self._texts.text("tuning.grey_card"), self._measure_white)
            self._limits["balance"] = ui.label("").classes("lw-tune-hint")

    def _onces(self, names: tuple[str, ...]) -> None:
        with ui.element("div").classes("lw-setting lw-setting-wide").props("data-setting=once"):
            ui.label(self._texts.text("tuning.once")).classes("lw-tune-name")
            for name in names:
                text = self._texts.text(f"tuning.once_{name}")
                self._once[name] = self._button(text, lambda name=name: self._run_once(name))

    def _formats(self, now: settings.Settings) -> None:
        with ui.element("div").classes("lw-setting lw-setting-wide").props("data-setting=pixel_format"):
            ui.label(self._texts.text("tuning.pixel_format")).classes("lw-tune-name")
            entries = list(dict.fromkeys((*now.pixel_formats, now.pixel_format)))
            self._format = ui.select(entries, value=now.pixel_format, on_change=self._choose_format)
            self._format.props("dense outlined dark options-dark").classes("lw-setting-format")

    def _roi(self) -> None:
        with ui.element("div").classes("lw-setting lw-setting-wide").props("data-setting=roi"):
            ui.label(self._texts.text("tuning.roi")).classes("lw-tune-name")
            self._field("roi", self._typed_roi)
            self._button(self._texts.text("tuning.full"), self._full)

    def _button(self, text: str, clicked: object) -> ui.button:
        return ui.button(text, on_click=clicked).props("flat no-caps").classes("lw-tune-button")  # type: ignore[arg-type]

    def _bring(self, key: str, text: str) -> None:
        field = self._fields[key]
        if field.value == text or (self._editing == key and field.value != self._left):
            return
        field.set_value(text)
        self._left = text if self._editing == key else self._left

    def _edit(self, key: str) -> None:
        self._editing, self._left = key, None

    def _entered(self, key: str, text: str) -> None:
        """Note that a field, which keeps the cursor, may be brought up to date until somebody types again."""
        if self._editing == key:
            self._left = text

    async def _step(self, key: str, *, up: bool) -> None:
        now = next((one for one in self._commands.loop.settings.numbers if one.key == key), None)
        if now is not None:
            await self._say(self._commands.set({key: settings.stepped(now, up)}))

    async def _typed(self, key: str) -> None:
        text = str(self._fields[key].value)
        wanted = real_number(text)
        if wanted is None:
            self._notice.refuse(self._texts.text("tuning.no_number", text=text))
            return
        await self._say(self._commands.set({key: wanted}))
        self._entered(key, text)

    async def _typed_roi(self) -> None:
        text = str(self._fields["roi"].value)
        wanted = whole_numbers(text)
        if wanted is None:
            self._notice.refuse(self._texts.text("tuning.four_numbers", text=text))
            return
        await self._say(self._commands.open_with({"roi": wanted}))
        self._entered("roi", text)

    async def _full(self) -> None:
        sensor = self._commands.loop.settings.sensor
        if sensor is not None:
            await self._say(self._commands.open_with({"roi": (0, 0, *sensor)}))

    async def _choose_format(self) -> None:
        chosen = self._format.value if self._format is not None else None
        if chosen is not None and chosen != self._commands.loop.settings.pixel_format:
            await self._say(self._commands.open_with({"pixel_format": chosen}))

    async def _measure_white(self) -> None:
        await self._say(self._commands.balance())

    async def _run_once(self, name: str) -> None:
        await self._say(self._commands.run_once(name))

    async def _say(self, command: Awaitable[str | None]) -> None:
        refused = await command
        if refused is not None:
            self._notice.refuse(refused, "tuning.not_done")

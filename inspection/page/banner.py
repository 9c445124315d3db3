"""The big state line: what the line does, what is wrong and what to do, Start and Stop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from nicegui import ui

from inspection.alarms import Severity
from inspection.api import v1 as pb
from inspection.page import words
from inspection.page.feed import SeenPreview, StationFeed
from inspection.page.notice import show_refusal
from inspection.texts import Catalogue

_QUESTION_OPEN_S = 15.0
_ROOM = 80  # characters of a text that are sure to be seen wholly; the list behind the button has all of it


class StateLine:
    """State, gravest message and the commands of one browser; lives on the event loop.

    Confirm stands in the place of Start while an alarm is held: the line cannot be started then. Challenge stands there
    while the interlock holds the running line: it is what to do now.

    Start works at one touch. Stop asks once more, in the middle of the screen and so away from the Stop button: two
    quick touches of the same place never stop a line, and the question goes away by itself.
    """

    def __init__(self, feed: StationFeed, texts: Catalogue, open_challenge: Callable[[], None]) -> None:
        self._feed = feed
        self._texts = texts
        self._messages: list[words.Message] = []
        self._busy = False
        with ui.element("section").classes("lw-state").props("data-kind=preoperational") as self._box:
            self._icon = ui.icon("hourglass_top").classes("lw-state-icon")
            self._word = ui.label("").classes("lw-state-word")
            with ui.element("div").classes("lw-message").props("data-severity=none") as self._message:
                self._message_icon = ui.icon("").classes("lw-message-icon")
                with ui.element("div").classes("lw-message-texts"):
                    self._text = ui.label("").classes("lw-message-text")
                    self._remedy = ui.label("").classes("lw-message-remedy")
                self._more = ui.button("", on_click=self._open_messages, color=None).classes("lw-more")
                self._more.props("flat no-caps")
            self._confirm = self._button("confirm", "task_alt", self._do_confirm)
            self._challenge = self._button("challenge", "fact_check", open_challenge)
            self._start = self._button("start", "play_arrow", self._do_start)
            self._stop = self._button("stop", "stop", self._ask_stop)
        self._question = self._build_question()
        with ui.dialog() as self._all, ui.card().classes("lw-dialog lw-all-messages"):
            ui.label(texts.text("alarms.title")).classes("lw-dialog-title")
            self._list = ui.element("div").classes("lw-message-list")
            close = ui.button(texts.text("rejects.close"), icon="close", on_click=self._all.close, color=None)
            close.classes("lw-button lw-plain").props("unelevated no-caps")

    def _button(self, name: str, icon: str, action: Callable[[], object]) -> ui.button:
        button = ui.button(self._texts.text(f"action.{name}"), icon=icon, on_click=action, color=None)
        return button.classes(f"lw-button lw-{name}").props("unelevated no-caps")

    def _build_question(self) -> ui.dialog:
        with ui.dialog() as question, ui.card().classes("lw-dialog lw-question"):
            ui.label(self._texts.text("stop_question.title")).classes("lw-dialog-title")
            ui.label(self._texts.text("stop_question.detail")).classes("lw-dialog-text")
            with ui.element("div").classes("lw-dialog-buttons"):
                no = ui.button(self._texts.text("stop_question.no"), on_click=question.close, color=None)
                no.classes("lw-button lw-plain").props("unelevated no-caps")
                yes = ui.button(self._texts.text("stop_question.yes"), icon="stop", on_click=self._do_stop, color=None)
                yes.classes("lw-button lw-stop lw-stop-yes").props("unelevated no-caps")
        return question

    # ------------------------------------------------------------------- showing

    def show(self, status: pb.GetStatusResponse, _preview: SeenPreview | None) -> None:
        """Bring state, message and buttons up to date."""
        said = words.banner(status, self._texts)
        self._box.props(f"data-kind={said.kind}")
        self._icon.set_name(said.icon)
        self._word.set_text(said.word)
        self._messages = words.messages(status, self._texts)
        self._show_message(said)
        state = words.state_name(status)
        held = words.held(status)
        self._confirm.set_visibility(held)
        self._confirm.set_enabled(not self._busy)
        challenged = not held and said.kind in ("challenge", "challenge_due") and self._feed.challenge is not None
        self._challenge.set_visibility(challenged)
        self._start.set_visibility(not held and not challenged)
        self._start.set_enabled(state == "READY" and not self._busy)
        self._stop.set_enabled(state in (*words.RUNNING, "ERROR") and not self._busy)

    def _show_message(self, said: words.Banner) -> None:
        """Show the gravest message; one that is only good to know waits behind the button."""
        first = next((message for message in self._messages if message.severity > Severity.INFO), None)
        self._message.props(f"data-severity={first.severity.name.lower() if first else 'none'}")
        self._message_icon.set_name(first.icon if first else "")
        self._text.set_text(first.text if first else said.detail)
        self._remedy.set_text(first.remedy if first else "")
        others = len(self._messages) - (first is not None)
        self._more.set_text(self._texts.text("alarms.open", count=len(self._messages)))
        self._more.set_visibility(others > 0 or (first is not None and len(first.text) > _ROOM))

    def _open_messages(self) -> None:
        self._list.clear()
        with self._list:
            for message in self._messages:
                with ui.element("div").classes("lw-message").props(f"data-severity={message.severity.name.lower()}"):
                    ui.icon(message.icon).classes("lw-message-icon")
                    with ui.element("div").classes("lw-message-texts"):
                        ui.label(message.text).classes("lw-message-text")
                        ui.label(message.remedy).classes("lw-message-remedy")
        self._all.open()

    # ------------------------------------------------------------------ commands

    def _ask_stop(self) -> None:
        self._question.open()
        ui.timer(_QUESTION_OPEN_S, self._question.close, once=True)

    async def _do_confirm(self) -> None:
        await self._command(self._feed.confirm_alarms)

    async def _do_start(self) -> None:
        await self._command(self._feed.start_line)

    async def _do_stop(self) -> None:
        self._question.close()
        await self._command(self._feed.stop_line)

    async def _command(self, command: Callable[[], Awaitable[str | None]]) -> None:
        self._busy = True
        self._confirm.disable()
        self._start.disable()
        self._stop.disable()
        try:
            refusal = await command()
        finally:
            self._busy = False
        if refusal is not None:
            show_refusal(refusal, self._texts)

"""The challenge on the page: begin it, see which part is to be laid now, and what came of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from nicegui import ui

from inspection.api import v1 as pb
from inspection.page import challenge_words, words
from inspection.page.feed import SeenPreview, StationFeed
from inspection.page.notice import show_refusal
from inspection.texts import Catalogue

_LONGEST_NAME = 64


class ChallengeDialog:
    """The sheet for a challenge of one browser; lives on the event loop. What it shows is the station's own account.

    A challenge begins with a name: the records keep who laid the parts.
    """

    def __init__(self, feed: StationFeed, texts: Catalogue) -> None:
        self._feed = feed
        self._texts = texts
        self._busy = False
        self._steps: list[tuple[ui.element, ui.label, ui.icon, ui.label]] = []
        with ui.dialog() as self._dialog, ui.card().classes("lw-dialog lw-challenge-sheet"):
            ui.label(texts.text("challenge.title")).classes("lw-dialog-title")
            with ui.element("div").classes("lw-challenge-body"):
                self._standing = ui.label("").classes("lw-challenge-standing")
                with ui.element("div").classes("lw-challenge-outcome") as self._outcome:
                    self._outcome_icon = ui.icon("")
                    self._outcome_text = ui.label("")
                self._list = ui.element("ol").classes("lw-challenge-steps")
                self._hint = ui.label("").classes("lw-challenge-hint")
            with ui.element("div").classes("lw-challenge-foot"):
                self._operator = ui.input(texts.text("challenge.operator")).classes("lw-challenge-operator")
                self._operator.props(f"outlined dark maxlength={_LONGEST_NAME} autocomplete=off")
                self._begin = self._button("begin", "fact_check", self._do_begin, "lw-begin")
                self._give_up = self._button("give_up", "cancel", self._do_give_up, "lw-give-up")
                self._button("close", "close", self._dialog.close, "lw-plain lw-challenge-close")

    def _button(self, name: str, icon: str, action: Callable[[], object], look: str) -> ui.button:
        button = ui.button(self._texts.text(f"challenge.{name}"), icon=icon, on_click=action, color=None)
        return button.classes(f"lw-button {look}").props("unelevated no-caps")

    def open(self) -> None:
        """Open the sheet."""
        self._dialog.open()

    # ------------------------------------------------------------------- showing

    def show(self, status: pb.GetStatusResponse, _preview: SeenPreview | None) -> None:
        """Bring the sheet up to date."""
        known = self._feed.challenge
        if known is None:
            self._dialog.close()
            return
        texts, runs = self._texts, challenge_words.is_running(known)
        self._standing.set_text(" ".join(challenge_words.standing(known, texts)))
        self._show_outcome(known)
        self._show_steps(challenge_words.steps(known, texts))
        line_runs = words.state_name(status) == "CONTINUOUS_EXECUTION"
        self._hint.set_text(texts.text("challenge.line_stands") if not (line_runs or runs) else "")
        named = bool((self._operator.value or "").strip())
        self._operator.set_visibility(not runs)
        self._begin.set_visibility(not runs)
        self._begin.set_enabled(line_runs and named and not self._busy)
        self._give_up.set_visibility(runs)
        self._give_up.set_enabled(runs and challenge_words.is_open(known.challenge) and not self._busy)

    def _show_outcome(self, known: pb.GetChallengeStatusResponse) -> None:
        said = challenge_words.outcome(known, self._texts)
        self._outcome.set_visibility(said is not None)
        if said is not None:
            self._outcome.props(f"data-kind={said.kind}")
            self._outcome_icon.set_name(said.icon)
            self._outcome_text.set_text(said.text)

    def _show_steps(self, steps: list[challenge_words.Step]) -> None:
        if len(steps) != len(self._steps):
            self._list.clear()
            with self._list:
                self._steps = [self._row() for _ in steps]
        for (row, mark, icon, word), step in zip(self._steps, steps, strict=True):
            row.props(f"data-kind={step.kind}")
            mark.set_text(step.mark)
            icon.set_name(step.icon)
            word.set_text(step.word)

    def _row(self) -> tuple[ui.element, ui.label, ui.icon, ui.label]:
        with ui.element("li").classes("lw-challenge-step").props("data-kind=waiting") as row:
            icon = ui.icon("radio_button_unchecked")
            mark = ui.label("").classes("lw-challenge-mark")
            word = ui.label("").classes("lw-challenge-word")
        return row, mark, icon, word

    # ------------------------------------------------------------------ commands

    async def _do_begin(self) -> None:
        operator = " ".join((self._operator.value or "").split())
        if operator and await self._command(lambda: self._feed.begin_challenge(operator)):
            self._operator.set_value("")  # the next one has a name of its own

    async def _do_give_up(self) -> None:
        await self._command(self._feed.cancel_challenge)

    async def _command(self, command: Callable[[], Awaitable[str | None]]) -> bool:
        self._busy = True
        self._begin.disable()
        self._give_up.disable()
        try:
            refusal = await command()
        finally:
            self._busy = False
        if refusal is not None:
            show_refusal(refusal, self._texts)
        return refusal is None

"""The big bar: how sharp the picture is against the sharpest so far, read from two metres away."""

from __future__ import annotations

from nicegui import ui

from inspection.texts import Catalogue
from inspection.tuning import words
from inspection.tuning.commands import Commands

_GOOD, _NEAR = 0.97, 0.85


class SharpnessPanel:
    """Focus of one browser; lives on the event loop."""

    def __init__(self, commands: Commands, texts: Catalogue) -> None:
        self._commands, self._texts = commands, texts
        with ui.element("section").classes("lw-sharp").props("data-kind=none") as self._box:
            with ui.element("div").classes("lw-sharp-bar"):
                self._fill = ui.element("div").classes("lw-sharp-fill")
            self._share = ui.label("–").classes("lw-sharp-share")
            with ui.element("div").classes("lw-sharp-texts"):
                ui.label(texts.text("tuning.of_the_best")).classes("lw-sharp-word")
                self._figures = ui.label("").classes("lw-sharp-figures")
            again = ui.button(texts.text("tuning.anew"), on_click=commands.looking.forget_best)
            again.props("flat no-caps").classes("lw-tune-button lw-sharp-anew")

    def show(self) -> None:
        """Bring the bar up to date."""
        sharpness = self._commands.looking.sharpness
        is_live = self._commands.looking.live is not None
        now, share = (sharpness.now, sharpness.share) if is_live else (None, None)
        best = sharpness.best
        kind = "none" if share is None else "best" if share >= _GOOD else "near" if share >= _NEAR else "far"
        self._box.props(f"data-kind={kind}")
        self._share.set_text("–" if share is None else f"{share:.0%}".replace("%", " %"))
        self._fill.style(f"width: {100 * (share or 0.0):.1f}%")
        figures = self._texts.text(
            "tuning.now_and_best", now=words.value("focus", now), best=words.value("focus", best)
        )
        self._figures.set_text(figures)

"""A part of the picture pixel by pixel, the histogram, and the figures of the last minute as curves."""

from __future__ import annotations

from nicegui import ui

from inspection.texts import Catalogue
from inspection.tuning import curves, words
from inspection.tuning.commands import Commands
from inspection.tuning.looking import FIGURES

_LEAST_SPAN = {"focus": 0.005, "mean": 10.0, "saturated": 0.01, "dark": 0.01, "noise": 1.0, "uniformity": 0.1}
_HISTOGRAM = (256.0, 100.0)
_CURVES_EVERY = 2


class FiguresPanel:
    """Figures of one browser; lives on the event loop."""

    def __init__(self, commands: Commands, texts: Catalogue) -> None:
        self._commands, self._texts = commands, texts
        self._values: dict[str, ui.label] = {}
        self._curves: dict[str, ui.html] = {}
        self._shown = 0
        with ui.element("section").classes("lw-tune-figures"):
            with ui.element("div").classes("lw-tune-looks"):
                with ui.element("figure").classes("lw-detail"):
                    with ui.element("div").classes("lw-detail-view"):
                        self._detail = ui.element("img").props("alt=''")
                    ui.label(texts.text("tuning.detail")).classes("lw-tune-hint")
                with ui.element("figure").classes("lw-histogram"):
                    self._histogram = ui.html("", sanitize=False)
                    ui.label(texts.text("tuning.histogram")).classes("lw-tune-hint")
            for name in FIGURES:
                self._row(name)

    def _row(self, name: str) -> None:
        with ui.element("div").classes("lw-curve-row").props(f"data-row={name}"):
            ui.label(self._texts.text(f"tuning.figure_{name}")).classes("lw-tune-name")
            self._curves[name] = ui.html("", sanitize=False).classes("lw-curve")
            self._values[name] = ui.label("–").classes("lw-curve-value").props(f"data-figure={name}")

    def show(self) -> None:
        """Bring figures, histogram and detail up to date; the curves every second time."""
        looking = self._commands.looking
        look = looking.newest
        self._detail.set_visibility(looking.live is not None)
        if look is None:
            return
        self._detail.props(f"src=/detail/{look.number}.jpg")
        for name in FIGURES:
            self._values[name].set_text(words.value(name, None if looking.live is None else look.figures.get(name)))
        self._shown += 1
        if self._shown % _CURVES_EVERY:
            width, height = _HISTOGRAM
            path = curves.bars(look.histogram, width, height)
            self._histogram.set_content(_svg(width, height, f'<path class="lw-bars" d="{path}"/>'))
            history, now_s = list(looking.history), look.frame.received_host_ns * 1e-9
            for name in FIGURES:
                self._draw(name, [(at_s, seen[name]) for at_s, seen in history if name in seen], now_s)

    def _draw(self, name: str, points: list[tuple[float, float]], now_s: float) -> None:
        low, high = curves.range_of([value for _, value in points], _LEAST_SPAN[name])
        line = curves.path(points, now_s, low, high)
        self._curves[name].set_content(_svg(curves.WIDTH, curves.HEIGHT, f'<path class="lw-line" d="{line}"/>'))


def _svg(width: float, height: float, inner: str) -> str:
    return f'<svg viewBox="0 -1 {width:g} {height + 2:g}" preserveAspectRatio="none">{inner}</svg>'

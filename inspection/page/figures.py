"""The counters of the present run, as the station's durable records give them."""

from __future__ import annotations

from nicegui import ui

from inspection.api import v1 as pb
from inspection.page import words
from inspection.page.feed import SeenPreview
from inspection.texts import Catalogue


class Figures:
    """Counters of one browser; lives on the event loop."""

    def __init__(self, texts: Catalogue) -> None:
        self._texts = texts
        self._reasons: dict[str, tuple[ui.element, ui.label]] = {}
        with ui.element("section").classes("lw-figures"):
            with ui.element("div").classes("lw-big-figures"):
                self._inspected = self._figure("inspected")
                self._rate = self._figure("parts_per_minute")
                self._passed = self._figure("passed", "lw-good")
                self._rejected = self._figure("rejected", "lw-bad")
                self._share = self._figure("reject_rate")
            with ui.element("div").classes("lw-by-reason") as self._list:
                ui.label(texts.text("counter.by_reason")).classes("lw-small-title")
                for name in words.ALWAYS_SHOWN_REASONS:
                    self._reasons[name] = self._row(name, self._reason_text(name))
            with ui.element("div").classes("lw-faults"):
                self._late = self._row("late", texts.text("counter.late"))
                self._wrong = self._row("wrong_pulses", texts.text("counter.wrong_pulses"))

    def _figure(self, name: str, look: str = "") -> ui.label:
        with ui.element("div").classes(f"lw-figure lw-figure-{name} {look}"):
            ui.label(self._texts.text(f"counter.{name}")).classes("lw-figure-name")
            return ui.label("").classes("lw-figure-value").props(f"data-figure={name}")

    def _row(self, name: str, text: str) -> tuple[ui.element, ui.label]:
        with ui.element("div").classes("lw-row").props("data-zero=true") as row:
            ui.label(text)
            value = ui.label("0").classes("lw-row-value").props(f"data-figure={name}")
        return row, value

    def _reason_text(self, name: str) -> str:
        return self._texts.texts.get(f"reason.{name}", name)

    def show(self, status: pb.GetStatusResponse, _preview: SeenPreview | None) -> None:
        """Bring the counters up to date."""
        rejected = sum(status.rejected_by_reason.values())
        decided = status.passed + rejected
        self._inspected.set_text(words.number(status.records))
        self._rate.set_text(words.number(round(status.parts_per_minute)))
        self._passed.set_text(words.number(status.passed))
        self._rejected.set_text(words.number(rejected))
        self._share.set_text(f"{words.percent(rejected / decided)} %" if decided else "–")
        for name, count in words.reasons(status):
            if name not in self._reasons:
                with self._list:
                    self._reasons[name] = self._row(name, self._reason_text(name))
            self._set(self._reasons[name], count)
        self._set(self._late, status.late)
        self._set(self._wrong, status.wrong_pulses)

    def _set(self, row: tuple[ui.element, ui.label], count: int) -> None:
        box, value = row
        box.props(f"data-zero={'false' if count else 'true'}")
        value.set_text(words.number(count))

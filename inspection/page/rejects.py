"""The last rejects as a row of pictures, and the large view of one of them."""

from __future__ import annotations

from nicegui import ui

from inspection.api import v1 as pb
from inspection.page import words
from inspection.page.feed import SeenPreview, StationFeed
from inspection.texts import Catalogue

_DIGEST_LENGTH = 12


class LastRejects:
    """The last rejects of one browser; lives on the event loop."""

    def __init__(self, feed: StationFeed, texts: Catalogue) -> None:
        self._feed = feed
        self._texts = texts
        self._version = -1
        self._cards: dict[str, ui.element] = {}
        with ui.element("section").classes("lw-rejects"):
            ui.label(texts.text("rejects.title")).classes("lw-small-title")
            self._empty = ui.label(texts.text("rejects.empty")).classes("lw-no-rejects")
            self._row = ui.element("div").classes("lw-reject-row")
        with ui.dialog() as self._dialog, ui.card().classes("lw-dialog lw-large"):
            self._large = ui.element("div").classes("lw-large-body")
            close = ui.button(texts.text("rejects.close"), icon="close", on_click=self._dialog.close, color=None)
            close.classes("lw-button lw-plain").props("unelevated no-caps")

    def show(self, _status: pb.GetStatusResponse, _preview: SeenPreview | None) -> None:
        """Put the rejects that have come since the last time in front; cards that stay keep their place in the DOM."""
        if self._version == self._feed.rejects_version:
            return
        self._version = self._feed.rejects_version
        shown = list(self._feed.rejects)
        staying = {result.record_hash for result in shown}
        for gone in self._cards.keys() - staying:
            self._cards.pop(gone).delete()
        for result in reversed(shown):
            if result.record_hash not in self._cards:
                self._cards[result.record_hash] = self._card(result)
        self._empty.set_visibility(not shown)

    def _card(self, result: pb.Result) -> ui.element:
        with self._row, ui.element("button").classes("lw-reject") as card:
            card.props(f"type=button data-part={result.part}")
            self._picture(result, "thumbnail")
            ui.label(words.why_rejected(result, self._texts)).classes("lw-reject-reason")
            with ui.element("div").classes("lw-reject-foot"):
                ui.label(f"#{result.part}").classes("lw-reject-part")
                ui.label(words.clock(result.trigger_wall_ns)).classes("lw-reject-time")
        card.on("click", lambda: self._open(result))
        card.move(target_index=0)
        return card

    def _picture(self, result: pb.Result, size: str) -> None:
        with ui.element("div").classes("lw-reject-picture"):
            if result.has_image:
                address = f"/reject/{result.sequence}/{result.record_hash[:_DIGEST_LENGTH]}/{size}"
                ui.element("img").props(f"src={address} alt=''")
                ui.icon("image").classes("lw-awaited")  # shown by `pictures.js` until the picture is there
            else:
                ui.icon("no_photography")
                ui.label(self._texts.text("rejects.no_image"))

    def _open(self, result: pb.Result) -> None:
        self._large.clear()
        with self._large:
            self._picture(result, "image")
            with ui.element("div").classes("lw-large-figures"):
                ui.label(words.why_rejected(result, self._texts)).classes("lw-large-reason")
                ui.label(self._texts.text(f"reason_detail.{words.reason_name(result.reason)}"))
                for name, value in self._facts(result):
                    with ui.element("div").classes("lw-row"):
                        ui.label(self._texts.text(f"rejects.{name}"))
                        ui.label(value).classes("lw-row-value")
        self._dialog.open()

    def _facts(self, result: pb.Result) -> list[tuple[str, str]]:
        action = pb.EjectorAction.Name(result.ejector_action).removeprefix("EJECTOR_ACTION_")
        facts = [("part", str(result.part)), ("time", words.clock(result.trigger_wall_ns))]
        if result.serial:
            facts.append(("serial", result.serial))
        if result.HasField("score"):
            facts.append(("score", f"{words.percent(result.score)} %"))
        if result.HasField("threshold"):
            facts.append(("threshold", f"{words.percent(result.threshold)} %"))
        if result.HasField("latency_us"):
            facts.append(("latency", f"{result.latency_us / 1000:.1f} ms"))
        facts.append(("ejector", self._texts.texts.get(f"ejector_action.{action}", action)))
        facts.append(("record", str(result.sequence)))
        return facts

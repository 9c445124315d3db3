"""What the operator reads when the station did not do what was asked."""

from __future__ import annotations

from nicegui import ui

from inspection.texts import Catalogue


def show_refusal(refusal: str, texts: Catalogue, key: str = "action.refused") -> None:
    """Show the station's words in the middle of the screen; "" when it did not answer. key: of the text."""
    text = texts.text(key if refusal else "action.no_answer", detail=refusal)
    ui.notify(text, type="negative", position="center", timeout=8000, multi_line=True, classes="lw-notice")

"""The page as a browser gets it: its panels, and the tick that brings them up to date."""

from __future__ import annotations

import json

from nicegui import ui

from inspection.page.banner import StateLine
from inspection.page.challenge import ChallengeDialog
from inspection.page.feed import StationFeed
from inspection.page.figures import Figures
from inspection.page.header import Header
from inspection.page.live import LivePart
from inspection.page.rejects import LastRejects
from inspection.texts import Catalogue

TICK_S = 0.2
"""How often a browser is told what has changed: what has not changed is not sent."""

_BEAT_EVERY_TICKS = 3


def show_page(feed: StationFeed, texts: Catalogue) -> None:
    """Build the page for one browser and keep it up to date as long as that browser stays."""
    ui.add_head_html(
        '<link rel="stylesheet" href="/look/page.css"><script defer src="/look/contact.js"></script>'
        '<script defer src="/look/pictures.js"></script>'
    )
    with ui.element("main").classes("lw-page").props(f"lang={texts.language}"):
        challenge = ChallengeDialog(feed, texts)
        header = Header(feed, texts, challenge.open)
        with ui.element("div").classes("lw-body"):
            state = StateLine(feed, texts, challenge.open)
            panels = (header, state, LivePart(texts), Figures(texts), LastRejects(feed, texts), challenge)
            no_contact = _no_contact(feed, texts)
    beat = ui.element("span").classes("lw-beat")
    ticks = 0

    def tick() -> None:
        nonlocal ticks
        ticks += 1
        if ticks % _BEAT_EVERY_TICKS == 1:
            beat.props(f"data-beat={ticks}")
        no_contact.props(f"data-shown={json.dumps(not feed.in_contact)}")
        if feed.in_contact and feed.status is not None:
            for panel in panels:
                panel.show(feed.status, feed.preview)
        else:
            header.forget()

    tick()
    ui.timer(TICK_S, tick)


def _no_contact(feed: StationFeed, texts: Catalogue) -> ui.element:
    """Build the sheet that hides everything else while nothing fresh is known; `contact.js` may show it, too."""
    with ui.element("section").classes("lw-no-contact") as sheet:
        ui.icon("link_off").classes("lw-no-contact-icon")
        ui.label(texts.text("state.NO_CONTACT")).classes("lw-no-contact-word")
        ui.label(texts.text("state_detail.NO_CONTACT")).classes("lw-no-contact-detail lw-of-station")
        ui.label(texts.text("no_contact.page")).classes("lw-no-contact-detail lw-of-page")
        ui.label(texts.text("no_contact.remedy")).classes("lw-no-contact-remedy")
        ui.label(feed.api).classes("lw-no-contact-address lw-of-station")
    return sheet

"""The page's server from start to stop: its port, its one connection to the station, its browsers."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path

import uvicorn
from fastapi import APIRouter, FastAPI
from fastapi.responses import RedirectResponse
from fastapi.staticfiles import StaticFiles
from nicegui import ui
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request

from inspection.page.browser_language import browser_language
from inspection.page.errors import PageUsageError, PortTakenError
from inspection.page.feed import StationFeed
from inspection.page.pictures import Pictures
from inspection.page.view import show_page
from inspection.texts import LANGUAGES, Catalogue, load_catalogue

LOOK = Path(__file__).resolve().parent / "look"
LANGUAGE_COOKIE = "lineward_language"
_QUASAR_LANGUAGES = {"en": "en-US", "ko": "ko-KR"}
_FIRST_LANGUAGE = "en"  # where nobody says anything
_YEAR_S = 365 * 24 * 3600


async def serve(api: str, host: str, port: int, language: str | None, port_is: str = "--port") -> None:
    """Serve the page until a signal ends it; language: None for the browser's; port_is: where its port is written.

    Raises PageUsageError or PortTakenError before anything is started.
    """
    if language is not None:
        check_language(language)
    station_host, colon, station_port = api.rpartition(":")
    is_port = station_host and colon and station_port.isdecimal() and 0 < int(station_port) < 65536
    if not is_port and not api.startswith("unix:/"):
        raise PageUsageError(f"--api {api} is no address: give the station's host:port, for example 127.0.0.1:50051")
    listener = listen(host, port, port_is)
    feed = StationFeed(api)
    server = server_of(make_app(feed, language))
    url = f"http://{host}:{listener.getsockname()[1]}"
    print(load_catalogue(language or _FIRST_LANGUAGE).text("serving.address", url=url, api=api), flush=True)
    async with asyncio.TaskGroup() as tasks:
        following = tasks.create_task(feed.run())
        await server.serve(sockets=[listener])
        following.cancel()


def check_language(language: str) -> None:
    """Raise PageUsageError for a language without a catalogue."""
    if language not in LANGUAGES:
        raise PageUsageError(f"--language {language} has no catalogue: choose one of {', '.join(LANGUAGES)}")


def server_of(app: FastAPI, farewell: Callable[[], None] | None = None) -> uvicorn.Server:
    """Return a server that shares the running event loop and ends soon after it is told to; farewell: called first."""
    return _Server(
        uvicorn.Config(
            app,
            loop="none",  # this loop: grpc and the page share it
            log_level="warning",
            timeout_graceful_shutdown=2,
            server_header=False,
        ),
        farewell,
    )


class _Server(uvicorn.Server):
    """A server whose end may be announced: browsers that hold on, and what comes after it, take a moment."""

    def __init__(self, config: uvicorn.Config, farewell: Callable[[], None] | None) -> None:
        super().__init__(config)
        self._farewell = farewell

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End what is served."""
        if self._farewell is not None:
            self._farewell()
        await super().shutdown(sockets)


def listen(host: str, port: int, port_is: str = "--port") -> socket.socket:
    """Open the page's port; port_is: where it is written, for whom it is taken from.

    Raises PageUsageError for a host that is not this PC, PortTakenError for a taken port.
    """
    if host not in ("127.0.0.1", "localhost"):
        raise PageUsageError(
            f"--host {host} would show the page, Start and Stop included, to the network, and the page has no login "
            "yet; only 127.0.0.1 and localhost are allowed: open the page on this PC"
        )
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(64)
    except OSError as error:
        listener.close()
        raise PortTakenError(
            f"the page cannot listen on port {port} of {host}: {error.strerror}. Another program (perhaps another "
            f"page) holds it, or the number is reserved: end that program, or choose another number with {port_is}"
        ) from error
    return listener


def make_app(feed: StationFeed, language: str | None) -> FastAPI:
    """Put the page, its pictures and its look together."""
    return app_with(Pictures(feed).router, lambda texts: show_page(feed, texts), language)


def app_with(pictures: APIRouter, show: Callable[[Catalogue], None], language: str | None) -> FastAPI:
    """Return an app of one page, with its pictures, its look and nothing from outside.

    language: in which it begins, None for what the browser asks for; what was chosen in a browser counts there.
    """
    app = FastAPI(title="Lineward", docs_url=None, redoc_url=None, openapi_url=None)
    # A web site that the panel's browser visits must not reach the page under a name of its own (DNS rebinding).
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])
    app.include_router(pictures)
    app.mount("/look", StaticFiles(directory=LOOK))

    @app.get("/language/{code}")
    async def choose_language(code: str) -> RedirectResponse:
        answer = RedirectResponse("/", status_code=303)
        if code in LANGUAGES:
            answer.set_cookie(LANGUAGE_COOKIE, code, max_age=_YEAR_S, samesite="strict", httponly=True)
        return answer

    @ui.page("/")
    def index(request: Request) -> None:
        chosen = request.cookies.get(LANGUAGE_COOKIE, "")
        asked = request.headers.get("accept-language", "")
        first = language or browser_language(asked, LANGUAGES, _FIRST_LANGUAGE)
        show(load_catalogue(chosen if chosen in LANGUAGES else first))

    ui.run_with(
        app,
        title="Lineward",
        favicon=LOOK / "favicon.svg",
        dark=True,
        tailwind=False,
        binding_refresh_interval=None,
        language=_QUASAR_LANGUAGES[language or _FIRST_LANGUAGE],  # type: ignore[arg-type]
        show_welcome_message=False,
    )
    return app

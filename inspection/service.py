"""One running station with everything around it: the line, its API, and the operator page in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from types import TracebackType
from typing import Self

from inspection.api.server import ApiServer
from inspection.config import StationConfig
from inspection.errors import StationStartError
from inspection.station import Station


class Service:
    """Brings a station up and takes it down: line first, then API, then page, and back in reverse.

    Owned by the command that runs it. The page is a client of the API in its own process, so that nothing that it does
    can slow the line.
    """

    _PAGE_START_S = 30.0

    def __init__(self, config: StationConfig) -> None:
        self.config = config
        self.station = Station(config)
        self.api_address = ""
        self.page_url = ""
        self._api: ApiServer | None = None
        self._page: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        try:
            self.station.open()
            if self.config.api.enabled:
                self._start_api()
            if self.config.page.enabled and self.config.api.enabled:
                self._start_page()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _start_api(self) -> None:
        api = self.config.api
        self._api = ApiServer(
            self.station, self.station.memory.feed, address=api.address, max_message_mb=api.max_message_mb
        )
        self.api_address = self._api.start()

    def _start_page(self) -> None:
        """Start the page and wait until it says where it listens, or why it does not."""
        page = self.config.page
        command = [sys.executable, "-m", "inspection.page", "--api", self.api_address]
        command += ["--port", str(page.port), "--language", page.language]
        self._page = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        assert self._page.stdout is not None
        assert self._page.stderr is not None
        first = self._page.stdout.readline().strip()
        if not first.startswith("http"):
            raise StationStartError(self._page.stderr.read().strip() or f"the page did not start: {first}")
        self.page_url = first

    def close(self) -> None:
        """Take everything down. Idempotent and bounded."""
        if self._page is not None:
            self._page.terminate()
            try:
                self._page.wait(5.0)
            except subprocess.TimeoutExpired:
                self._page.kill()
                self._page.wait()
            self._page = None
        if self.station.is_open:
            self.station.stop_line()
        if self._api is not None:
            self._api.stop(1.0)
            self._api = None
        self.station.close()

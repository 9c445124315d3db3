"""One running station with everything around it: the line, its API, and the operator page in a process of its own."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from inspection.api.server import ApiServer
from inspection.config import StationConfig
from inspection.errors import StationStartError
from inspection.observability.logs import StationLog
from inspection.observability.observers import Observers
from inspection.page_process import PageProcess
from inspection.process_priority import take_priority
from inspection.station import Station
from models.memory import keep_freed_memory

_IMAGE_BYTES, _KEPT_BYTES = 32 << 20, 64 << 20  # of 32 MP and more few come, and their memory goes back


class Service:
    """Brings a station up and takes it down: line first, then API, then page, and back in reverse.

    Owned by the command that runs it. The page is a client of the API in its own process, so that nothing that it does
    can slow the line.
    """

    def __init__(self, config: StationConfig, log: StationLog | None = None) -> None:
        """log: where the process writes its lines, where it does; it takes the name of the run."""
        self.config = config
        self._log = log
        self.station = Station(config)
        self.api_address = ""
        self.page_url = ""
        self.metrics_url = ""
        self._observers: Observers | None = None
        self._api: ApiServer | None = None
        self._page: PageProcess | None = None

    def __enter__(self) -> Self:
        try:
            self.station.open()
            take_priority(self.config.inference.priority)
            keep_freed_memory(_IMAGE_BYTES, _KEPT_BYTES)
            self._observers = Observers(self.station, self._log)
            self.metrics_url = self._observers.metrics_url
            if self.config.api.enabled:
                self._start_api()
            if self.config.page.enabled and self.config.api.enabled:
                self._start_page(self.config.page.port)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _start_api(self) -> None:
        api = self.config.api
        self._api = ApiServer(
            self.station,
            self.station.memory.feed,
            address=api.address,
            max_message_mb=api.max_message_mb,
            challenges=self.station.interlock,
            security=api,
            entries=self.station.memory,
            model=self.station,
            recipes=self.station.recipes,
            lots=self.station.lots,
            calls=None if self._observers is None else self._observers.calls,
        )
        self.api_address = self._api.start()

    def _start_page(self, port: int) -> None:
        assert self._api is not None
        self._page = PageProcess(self._api.local_address or self.api_address, port, self.config.page.language)
        self.page_url = self._page.url

    def tend(self) -> None:
        """Watch certificates and access file, and begin a page anew that ended; call it about once a second."""
        if self._api is not None:
            self.station.alarms.tell("CERTIFICATE_EXPIRES", self._api.certificate_trouble())
            self.station.alarms.tell("ACCESS_UNREADABLE", self._api.access_trouble())
        if self._page is None or not self._page.ended:
            return
        self._page.close()
        self.station.alarms.raise_alarm("PAGE_RESTARTED", for_s=60.0)
        try:
            self._start_page(int(self.page_url.rpartition(":")[2]))
        except StationStartError:
            return  # it is tried again the next time; the alarm stands as long as it does not work

    def close(self) -> None:
        """Take everything down. Idempotent and bounded."""
        if self._page is not None:
            self._page.close()
            self._page = None
        if self.station.is_open:
            self.station.hurry()
            self.station.stop_line()
        if self._api is not None:
            self._api.stop(1.0)
            self._api = None
        if self._observers is not None:
            self._observers.stop_answering()
        self.station.close()
        if self._observers is not None:
            self._observers.close()
            self._observers = None

"""The plant's PostgreSQL as a station reaches it: no call takes longer than allowed, whatever the network does."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Engine, event, make_url

from inspection.records.postgresql import connect_postgresql, prepare_postgresql

_PREPARING_S = 600.0  # a new version may make an index over millions of rows
_LONGEST_CONNECT_S = 5
_SERVERS_SHARE = 0.8  # the server ends a statement before the connection is cut off, which it might not notice


class PlantDatabase:
    """One station's schema in the plant's database. Owned by who forwards or verifies; one thread.

    The server is told to end a statement that takes too long, so that none is left waiting there; a connection that
    does not answer at all is cut off at this end, and the call on it raises sqlalchemy.exc.OperationalError.
    """

    def __init__(self, url: str, schema: str, password: Callable[[], str | None], timeout_s: float) -> None:
        """Make no connection yet. Raises RecordStoreError for an address or a driver that cannot be used."""
        self.place = f"{make_url(url).render_as_string(hide_password=True)} {schema}"
        self._url, self._schema, self._password, self._timeout_s = url, schema, password, timeout_s
        self._sockets: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._is_over = False
        self.engine = self._engine(timeout_s)

    @contextlib.contextmanager
    def within(self, timeout_s: float | None = None) -> Iterator[Engine]:
        """Cut every connection off when the block takes longer than `timeout_s` (absent: as configured)."""
        self._is_over = False
        timer = threading.Timer(timeout_s or self._timeout_s, self._cut)
        timer.daemon = True
        timer.start()
        try:
            yield self.engine
        finally:
            timer.cancel()

    def prepare(self) -> None:
        """Make or upgrade the schema. Raises RecordStoreError when the database refuses, OperationalError."""
        engine = self._engine(_PREPARING_S)
        try:
            with self.within(_PREPARING_S if self._answers(engine) else None):
                prepare_postgresql(engine, self._schema)
        finally:
            engine.dispose()

    def close(self) -> None:
        """Close every connection; safe to repeat, and the next call opens one again."""
        self.engine.dispose()

    def _answers(self, engine: Engine) -> bool:
        with self.within(), engine.connect() as connection:
            connection.exec_driver_sql("SELECT 1")
        return True

    def _engine(self, timeout_s: float) -> Engine:
        engine = connect_postgresql(self._url, self._schema)

        def ask_for_password(_dialect: Any, _record: Any, _args: Any, given: dict[str, Any]) -> None:
            password = self._password()
            if password is not None:
                given["password"] = password
            given["options"] += f" -c statement_timeout={round(timeout_s * _SERVERS_SHARE * 1000)}"
            given["connect_timeout"] = max(2, min(_LONGEST_CONNECT_S, round(self._timeout_s)))
            given["application_name"] = "lineward"

        event.listen(engine, "do_connect", ask_for_password)
        event.listen(engine, "connect", self._hold)
        event.listen(engine, "close", self._let_go)
        return engine

    def _hold(self, connection: Any, record: Any) -> None:
        """Keep a second handle of the connection: the driver's own may be closed, and its number given anew."""
        copy = socket.socket(fileno=os.dup(connection.pgconn.socket))
        with self._lock:
            self._sockets.add(copy)
            record.info["socket"] = copy
        if self._is_over:
            self._cut()

    def _let_go(self, _connection: Any, record: Any) -> None:
        copy = record.info.pop("socket", None)
        if copy is not None:
            with self._lock:
                self._sockets.discard(copy)
                copy.close()

    def _cut(self) -> None:
        self._is_over = True
        with self._lock:
            for one in self._sockets:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

"""What stands at the far end of a simulated line, asked from our end: one process, one JSON object a line each way."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from abc import ABC, abstractmethod
from typing import Any, Self

from inspection.ejector.child import package_environment
from inspection.ejector.errors import EjectorLostError


class FarEndProcess(ABC):
    """A far end in a process of its own. Any thread may use it; it ends with `close` or its owner.

    name: what it is, for errors. `port` is the path to open; it stays the same from `unplug` to `replug`. What it has
    seen stays readable after `close`.
    """

    def __init__(self, name: str, module: str, *arguments: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=package_environment(),
            start_new_session=True,
            text=True,
        )
        self._open = True
        self.port: str = self._answer()["port"]

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def unplug(self) -> None:
        """Pull the cable: the path vanishes, the line hangs up."""
        self._request(do="unplug")

    def replug(self) -> None:
        """Plug the cable in again, under the same path."""
        self._request(do="replug")

    def close(self) -> None:
        """End it; what it has seen stays readable. Idempotent."""
        with self._lock:
            if not self._open:
                return
            self._fetch()
            self._open = False
            self._process.communicate(timeout=10.0)

    @abstractmethod
    def _fetch(self) -> None:
        """Take over what it has seen since the last time, by `_ask`. Called with the lock held, while it is open."""

    def _request(self, **request: object) -> Any:
        with self._lock:
            return self._ask(**request)

    def _ask(self, **request: object) -> Any:
        """Ask with the lock held. Raises EjectorLostError when the process has gone."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except (OSError, ValueError) as error:
            raise self._lost() from error
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise self._lost()
        return json.loads(line)

    def _lost(self) -> EjectorLostError:
        return EjectorLostError(f"the {self._name} has ended — start it again")

"""The operator page as a child process of the station: started, watched for its address, ended."""

from __future__ import annotations

import re
import select
import subprocess
import sys
import tempfile

from inspection.errors import StationStartError


class PageProcess:
    """A running page, a client of the API like any other. Owned by the service."""

    _START_S = 60.0

    def __init__(self, api_address: str, port: int, language: str | None) -> None:
        """Start the page and wait until it listens. Raises StationStartError with what the page said instead."""
        command = [sys.executable, "-m", "inspection.page", "--api", api_address]
        command += ["--port", str(port), "--until-stdin-closes"]
        command += [] if language is None else ["--language", language]
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the page
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said, start_new_session=True
        )
        try:
            self.url = self._wait_for_url()
        except BaseException:
            self.close()
            raise

    def _wait_for_url(self) -> str:
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], self._START_S)
        line = self._process.stdout.readline().decode() if ready else ""
        found = re.search(r"http://[\w.]+:\d+", line)
        if found:
            return found[0]
        self._end()
        self._said.seek(0)
        said = self._said.read().decode().strip().removeprefix("error: ")
        raise StationStartError(said or f"the page said nothing for {self._START_S:.0f} s; see `lineward doctor`")

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def ended(self) -> bool:
        """True once the process has gone."""
        return self._process.poll() is not None

    def _end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(5.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def close(self) -> None:
        """End the page. Idempotent and bounded."""
        self._end()
        for stream in (self._process.stdin, self._process.stdout, self._said):
            if stream is not None:
                stream.close()

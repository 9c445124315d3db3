"""A PostgreSQL server of the test's own: in a folder, on a socket there, gone afterwards."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

_START_TIMEOUT_S = 60


class Postgres:
    """A running server; `stop` and `start` are what an administrator does to it."""

    def __init__(self, folder: Path, programs: Path, user: str | None) -> None:
        self.folder, self._programs, self._user = folder, programs, user
        self.url = f"postgresql://postgres@/postgres?host={folder}"

    def run(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs to its end."""
        subprocess.run(
            [str(self._programs / program), *arguments],
            user=self._user,
            cwd=self.folder,
            check=True,
            stdout=subprocess.DEVNULL,
            timeout=_START_TIMEOUT_S,
        )

    def start(self) -> None:
        """Start the server; it answers on return."""
        options = f"-c listen_addresses='' -c unix_socket_directories={self.folder}"
        log = str(self.folder / "log")
        self.run("pg_ctl", "start", "-w", "-D", str(self.folder / "data"), "-l", log, "-o", options)

    def stop(self) -> None:
        """Stop the server at once, connections and all."""
        self.run("pg_ctl", "stop", "-w", "-m", "fast", "-D", str(self.folder / "data"))

    def restart(self) -> None:
        """Start the server again after it was stopped or killed."""
        with contextlib.suppress(FileNotFoundError):
            pid = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
            psutil.wait_procs([psutil.Process(pid)], timeout=_START_TIMEOUT_S) if psutil.pid_exists(pid) else None
        self.start()

    @contextlib.contextmanager
    def asking_for_passwords(self) -> Iterator[None]:
        """Let only the administrator in without a password for as long as the block lasts."""
        rules = self.folder / "data" / "pg_hba.conf"
        before = rules.read_text()
        rules.write_text("local all postgres trust\nlocal all all scram-sha-256\n")
        self.run("pg_ctl", "reload", "-D", str(self.folder / "data"))
        try:
            yield
        finally:
            rules.write_text(before)
            self.run("pg_ctl", "reload", "-D", str(self.folder / "data"))

    def kill(self) -> None:
        """End the server as a power loss does."""
        pid = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def postgres() -> Iterator[Postgres]:
    """Run a server for as long as the block lasts; where there is none the test counts as not run, and fails in CI."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not folders:
        message = "no PostgreSQL server (sudo apt-get install postgresql): tests with a plant's database are not run"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    user = "postgres" if os.geteuid() == 0 else None  # the server refuses to run as root
    with tempfile.TemporaryDirectory(prefix="pg-", dir="/tmp") as name:  # a socket's path has 107 characters at most
        if user:
            shutil.chown(name, user)
        server = Postgres(Path(name), folders[-1], user)
        arguments = ("-D", f"{name}/data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
        server.run("initdb", *arguments)
        server.start()
        try:
            yield server
        finally:
            with contextlib.suppress(subprocess.CalledProcessError):  # a test may have stopped it
                server.stop()

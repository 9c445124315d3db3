"""A PostgreSQL server of the test's own: in a folder, on a socket there, gone afterwards."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator

import psutil
import pytest

from inspection.bench.cluster import Cluster, cluster_folder, server_programs

_END_TIMEOUT_S = 60


class Postgres(Cluster):
    """A running server; `stop`, `start` and the others are what an administrator does to it, or a power loss."""

    def restart(self) -> None:
        """Start the server again after it was stopped or killed."""
        with contextlib.suppress(FileNotFoundError, psutil.NoSuchProcess):
            psutil.wait_procs([psutil.Process(self._pid())], timeout=_END_TIMEOUT_S)
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

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Freeze every process of the server, as a host that hangs: connections stay open and nobody answers."""
        postmaster = psutil.Process(self._pid())
        processes = [postmaster, *postmaster.children(recursive=True)]
        for process in processes:
            os.kill(process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for process in processes:
                os.kill(process.pid, signal.SIGCONT)

    def kill(self) -> None:
        """End the server as a power loss does."""
        os.kill(self._pid(), signal.SIGKILL)

    def _pid(self) -> int:
        return int((self.folder / "data" / "postmaster.pid").read_text().split()[0])


@contextlib.contextmanager
def postgres() -> Iterator[Postgres]:
    """Run a server for as long as the block lasts; where there is none the test counts as not run, and fails in CI."""
    programs = server_programs()
    if programs is None:
        message = "no PostgreSQL server (sudo apt-get install postgresql): tests with a plant's database are not run"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    with cluster_folder() as (folder, user):
        server = Postgres(folder, programs, user)
        server.make()
        server.start()
        try:
            yield server
        finally:
            with contextlib.suppress(subprocess.CalledProcessError):  # a test may have stopped it
                server.stop()

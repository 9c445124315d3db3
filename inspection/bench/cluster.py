"""A PostgreSQL server in a folder, on a socket there: for a measurement, or a test, and gone afterwards."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

_START_TIMEOUT_S = 60


class Cluster:
    """A server of its own, durable as PostgreSQL is out of the box; owned by whoever runs it."""

    def __init__(self, folder: Path, programs: Path, user: str | None) -> None:
        """user: whom to run it as, where this process is root: the server refuses to be that."""
        self.folder, self._programs, self._user = folder, programs, user
        self.url = f"postgresql://postgres@/postgres?host={folder}"

    def make(self) -> None:
        """Make it, once; it does not run yet."""
        arguments = ("-D", f"{self.folder}/data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
        self.run("initdb", *arguments)

    def run(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs to its end. Raises subprocess.CalledProcessError."""
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


def server_programs() -> Path | None:
    """Return the folder with a PostgreSQL server's programs; None where there is none on this machine."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return folders[-1] if folders else None


@contextlib.contextmanager
def cluster_folder() -> Iterator[tuple[Path, str | None]]:
    """Give a folder for a server, and whom to run it as. A socket's path has 107 characters at most."""
    user = "postgres" if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="pg-", dir="/tmp") as name:
        if user:
            shutil.chown(name, user)
        yield Path(name), user


@contextlib.contextmanager
def cluster(programs: Path) -> Iterator[Cluster]:
    """Run a server for as long as the block lasts."""
    with cluster_folder() as (folder, user):
        server = Cluster(folder, programs, user)
        server.make()
        server.start()
        try:
            yield server
        finally:
            server.stop()

"""A real S3 server over HTTP, of another maker: rclone serves a folder, and asks for a signature with its key."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from station_runs import wait_until

REPOSITORY = Path(__file__).resolve().parents[2]
KEY, SECRET = "station", "s3cr3t-of-the-station"
BUCKET = "inspection"


class S3Server:
    """A server that can be killed and started again on its port; its objects are files in `folder`."""

    def __init__(self, program: Path, folder: Path, certificate: Path | None = None) -> None:
        self._program, self.folder, self._certificate = program, folder, certificate
        with socket.create_server(("127.0.0.1", 0)) as one:
            self._port = one.getsockname()[1]
        self.endpoint = f"http{'s' if certificate else ''}://127.0.0.1:{self._port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; it answers on return."""
        arguments = ["serve", "s3", "--addr", f"127.0.0.1:{self._port}", "--auth-key", f"{KEY},{SECRET}"]
        if self._certificate is not None:
            arguments += ["--cert", str(self._certificate), "--key", str(self._certificate.with_suffix(".key"))]
        environment = {**os.environ, "RCLONE_CONFIG": str(self.folder.parent / "no-rclone.conf")}
        self.process = subprocess.Popen(
            [self._program, *arguments, str(self.folder)],
            env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        wait_until(self._answers)

    def kill(self) -> None:
        """End it as a power loss does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(10.0)

    def objects(self) -> dict[str, bytes]:
        """Return every object of the bucket by its key."""
        root = self.folder / BUCKET
        return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self._port), 1.0).close()
        except OSError:
            return False
        return True


@contextlib.contextmanager
def s3_server(folder: Path, certificate: Path | None = None) -> Iterator[S3Server]:
    """Run a server with one empty bucket for as long as the block lasts; over TLS with a certificate."""
    run = subprocess.run([REPOSITORY / "scripts" / "test-s3"], capture_output=True, text=True, timeout=280)
    if run.returncode != 0:
        message = f"no S3 server: {run.stderr[-500:]}"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    (folder / "served" / BUCKET).mkdir(parents=True)
    server = S3Server(REPOSITORY / ".venv" / "s3" / "bin" / "rclone", folder / "served", certificate)
    server.start()
    try:
        yield server
    finally:
        server.kill()

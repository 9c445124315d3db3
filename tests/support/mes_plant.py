"""The plant of the MES example: a real station over TLS with roles, and the example's programs in both languages."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, Self

from node import node_program
from real_run import RealRun
from station_runs import GOES_ON, wait_until

from inspection.api.client import StationClient
from inspection.records.verify import verify

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "mes"
AT_ONCE_S = 120.0


class Plant:
    """The station of the example in a folder of its own, with the set-up of the documentation done by its commands."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.command("certificate", "make", "--host", "127.0.0.1", "--dir", "tls")
        self.tokens = {
            role: json.loads(self.command("token", "add", name, "--role", role, "--json"))["token"]
            for name, role in (("erp", "integrator"), ("screen", "viewer"))
        }
        self.port = free_port()
        self.values: dict[str, Any] = tomllib.loads((EXAMPLE / "station.toml").read_text("utf-8"))
        self.values["api"]["address"] = f"0.0.0.0:{self.port}"
        self.values |= {"page": {"enabled": False}, "reactions": GOES_ON}
        self.values["records"] = {"dir": folder / "lineward-data", "min_free_mb": 0}
        self.station = self.run()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self.station as station:
            assert station.end() == 0
        assert verify(self.folder / "lineward-data").ok

    @property
    def address(self) -> str:
        """How clients reach the station."""
        return f"localhost:{self.port}"

    def kill(self) -> None:
        """End the station as a power failure would."""
        self.station.send(signal.SIGKILL)
        self.station.__exit__()

    def run(self) -> RealRun:
        """Start the station, or start it again, and return when it can be called."""
        run = RealRun(self.folder, self.values, start=False)
        wait_until(lambda: "API " in run.said or run.process.poll() is not None, 60.0)
        assert "API " in run.said, run.said
        return run

    def login(self, role: str = "integrator") -> dict[str, Any]:
        """Return what a client of this role is made with."""
        return {"token": self.tokens[role], "ca": self.folder / "tls" / "ca.pem", "away_s": 60.0}

    def client(self, role: str = "integrator") -> StationClient:
        """Return a blocking client; the caller closes it."""
        return StationClient(self.address, **self.login(role))

    def program(self, language: str) -> tuple[list[str], dict[str, str]]:
        """Return the example's command, and what its environment has besides."""
        if language == "py":
            return [sys.executable, str(EXAMPLE / "mes.py")], {}
        node, packages = node_program()
        return [str(node), str(EXAMPLE / "mes.js")], {"NODE_PATH": str(packages)}

    def session(self, language: str, *words: str, role: str = "integrator", **changes: str) -> subprocess.Popen[str]:
        """Start the example; its files go into the plant's folder. role: whose token, or a token."""
        command, more = self.program(language)
        return self.session_of([*command], *words, role=role, **more, **changes)

    def session_of(
        self, command: list[str], *words: str, role: str = "integrator", **changes: str
    ) -> subprocess.Popen[str]:
        """Start a program that is called with the address, in the plant's folder."""
        login = {"LINEWARD_TOKEN": self.tokens.get(role, role), "LINEWARD_CA": "tls/ca.pem"}
        return subprocess.Popen(
            [*command, self.address, *words],
            cwd=self.folder,
            env={**environment(), **login, **changes},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def said(self, language: str, *words: str, code: int = 0, **changes: str) -> str:
        """Run the example to its end and return what it printed."""
        session = self.session(language, *words, **changes)
        out, err = session.communicate(timeout=AT_ONCE_S)
        assert session.returncode == code, err + out
        return out if code == 0 else err

    def command(self, *words: str) -> str:
        """Run a command of `lineward` in the plant's folder and return what it printed."""
        command = [sys.executable, "-m", "inspection.cli.main", *words]
        return subprocess.run(
            command, cwd=self.folder, env=environment(), capture_output=True, text=True, timeout=60, check=True
        ).stdout


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def environment() -> dict[str, str]:
    """Return an environment in which this repository is what Python imports."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), os.environ.get("PYTHONPATH", "")))}

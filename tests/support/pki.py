"""A plant's own CA, with the certificates of a station and of callers."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from inspection.api.own_ca import LEAF_DAYS, OwnCa, now_utc


class Pki:
    """A folder with a CA, a server's certificate and callers' ones, as `lineward certificate make` makes them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ca = OwnCa.in_folder(folder, now_utc())
        self.ca.server(["127.0.0.1"], now_utc())

    @property
    def options(self) -> dict[str, Any]:
        return {"tls_certificate": self.folder / "server.pem", "tls_key": self.folder / "server.key"}

    def client(self, name: str, *, ended: bool = False) -> dict[str, Path]:
        """Make a client's certificate and return what a client needs of it."""
        self.ca.client(name, now_utc() - timedelta(days=LEAF_DAYS + 1 if ended else 0))
        return {
            "ca": self.folder / "ca.pem",
            "certificate": self.folder / f"{name}.pem",
            "key": self.folder / f"{name}.key",
        }

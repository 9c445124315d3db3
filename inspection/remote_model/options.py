"""[inference.remote]: where the server is that has the bundle's model."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from inspection.config.section import Section

MAX_TIMEOUT_MS = 1500.0
"""Below the time from which on a worker counts as stalled."""


class RemoteOptions(Section):
    """[inference.remote]"""

    address: str = Field(pattern=r"^\S{1,255}:\d{1,5}$", description="host:port of the server's gRPC")
    model: str = Field("", max_length=255, description="its name there; empty: that of the card")
    version: str = Field("", max_length=255, description="its version there; empty: the server's choice")
    timeout_ms: float = Field(200.0, ge=1.0, le=MAX_TIMEOUT_MS, description="for one batch; later is rejected")
    check_s: float = Field(30.0, ge=0.5, le=3600.0, description="how often the golden vectors are run there")
    tls: bool = False
    ca_file: Path | None = Field(None, description="PEM, who is trusted; absent: whom the system trusts")
    cert_file: Path | None = Field(None, description="PEM, who this station is")
    key_file: Path | None = Field(None, description="PEM, its key")

    @model_validator(mode="after")
    def _files_go_with_tls(self) -> Self:
        if not self.tls and (self.ca_file or self.cert_file or self.key_file):
            raise ValueError("ca_file, cert_file and key_file are for tls = true; set it, or leave them out")
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file belong together; write both, or leave both out")
        return self

"""The public key that an auditor takes along is a whole file, or none."""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from inspection.cli.main import app
from inspection.records.errors import SigningKeyError
from inspection.records.signing import PUBLIC_KEY_FILE, SigningKey
from inspection.records.store import RecordStore


def test_a_full_disk_leaves_no_file_of_the_key(tmp_path: Path) -> None:
    """The refusal tells why and what to do; with room again the same command writes the whole key."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    RecordStore(tmp_path / "store").close()
    SigningKey.in_folder(tmp_path / "store")
    (place := tmp_path / "small").mkdir()
    out = place / "key.pem"
    command = ["records", "key", "--dir", str(tmp_path / "store"), "--out", str(out)]
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)], check=True)
    try:
        with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
            (place / "filler").write_bytes(bytes(1 << 20))
        with pytest.raises(SigningKeyError, match=f"{os.strerror(errno.ENOSPC)} — free some space"):
            CliRunner().invoke(app, command, catch_exceptions=False)
        assert [path.name for path in place.iterdir()] == ["filler"]
        (place / "filler").unlink()
        assert CliRunner().invoke(app, command).exit_code == 0
        assert out.read_bytes() == (tmp_path / "store" / PUBLIC_KEY_FILE).read_bytes()
    finally:
        subprocess.run(["umount", str(place)], check=True)

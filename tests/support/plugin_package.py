"""Packages with camera drivers, as an installer would leave them: metadata on the module path."""

from __future__ import annotations

from pathlib import Path

import pytest


def install_plugin(folder: Path, monkeypatch: pytest.MonkeyPatch, package: str, **entries: str) -> None:
    """Install a package that names camera backends: `name="module:ATTRIBUTE"`."""
    site = folder / f"site-{package}"
    metadata = site / f"{package}-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    lines = "".join(f"{name} = {value}\n" for name, value in entries.items())
    (metadata / "entry_points.txt").write_text(f"[lineward.cameras]\n{lines}")
    monkeypatch.syspath_prepend(site)

"""Which camera libraries are there, in which version, and whether they load."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from camera.backends import BACKENDS, discover
from inspection.doctor.finding import Finding

_PREFIXES = {"aravis-0.8": "arv"}
_PARTS = ("major", "minor", "micro")
PRODUCERS = "GENICAM_GENTL64_PATH"


def look_at_libraries() -> Iterator[Finding]:
    """Look at what each backend stands on."""
    for found in discover():
        row = BACKENDS.get(found.backend)
        if row is None or not row.is_device:
            continue
        if not found.installed:
            yield Finding(f"backend {found.backend}", "note", f"not installed: {found.summary}", found.hint)
        else:
            yield Finding(f"backend {found.backend}", "ok", _version(row.library, row.system_library))


def look_at_producers() -> Iterator[Finding]:
    """Look at the GenTL producers that the vendors' installers have registered."""
    folders = [Path(folder) for folder in os.environ.get(PRODUCERS, "").split(":") if folder]
    for folder in folders:
        producers = sorted(folder.glob("*.cti")) if folder.is_dir() else []
        yield Finding(
            "GenTL producers", "ok" if producers else "note",
            ", ".join(file.name for file in producers) or f"none in {folder}",
            "" if producers else f"install the vendor's SDK, or mend {PRODUCERS}",
        )  # fmt: skip


def _version(module: str, library: str) -> str:
    if library:
        return f"{library.partition('-')[0]} {_library_version(library)}"
    for distribution in metadata.packages_distributions().get(module, ()):
        return f"{distribution} {metadata.version(distribution)}"
    return module


def _library_version(library: str) -> str:
    """Return the version that a shared library tells of itself, else the name of its file."""
    name = ctypes.util.find_library(library)
    assert name is not None  # it was found just now
    loaded = ctypes.CDLL(name)
    parts = [getattr(loaded, f"{_PREFIXES.get(library, '')}_get_{part}_version", None) for part in _PARTS]
    return ".".join(str(part()) for part in parts if part is not None) or f"({name})"

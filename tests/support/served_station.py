"""A whole station with its API in this process, on a free port."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inspection.config import StationConfig
from inspection.service import Service


def served(folder: Path, bundle: Path, **changes: Mapping[str, Any]) -> Service:
    """Return a service whose line has a simulated camera and ejector; enter it to run it."""
    values: dict[str, Any] = {
        "camera": {"backend": "simulated"},
        "model": {"bundle": str(bundle)},
        "geometry": {"travel_time_s": 0.5},
        "inference": {"workers": 2, "max_batch": 4},
        "ejector": {"driver": "simulated"},
        "records": {"dir": str(folder / "records"), "min_free_mb": 0},
        "api": {"address": "127.0.0.1:0"},
        "page": {"enabled": False},
    }
    for name, table in changes.items():
        values[name] = {**values.get(name, {}), **table}
    return Service(StationConfig.model_validate(values))

"""Whether the drivers of the plant's servers are installed: asked before the line is started."""

from __future__ import annotations

from importlib.util import find_spec

from inspection.plant.errors import PlantSettingsError
from inspection.plant.options import PlantOptions


def check_installed(options: PlantOptions) -> None:
    """Raise PlantSettingsError where a driver is missing for what the options name."""
    missing = []
    if options.postgresql is not None and find_spec("psycopg") is None:
        missing.append("lineward[postgresql]")
    if options.images is not None and not options.images.startswith("file://"):
        extra = "s3" if options.images.startswith("s3://") else "fsspec"
        if find_spec("obstore" if extra == "s3" else "fsspec") is None:
            missing.append(f"lineward[{extra}]")
    if missing:
        raise PlantSettingsError(
            f"[plant] names servers whose drivers are not installed — {', '.join(missing)} has them — "
            f"pip install '{' '.join(missing)}', or leave the copy out"
        )

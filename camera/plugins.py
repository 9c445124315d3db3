"""Camera backends of other packages, by the entry point group `lineward.cameras`."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from camera.backend_row import Backend

GROUP = "lineward.cameras"


@dataclass(frozen=True, slots=True)
class PluginProblem:
    """An entry point that gives no backend. hint: what to do about it."""

    name: str
    text: str
    hint: str


@dataclass(frozen=True, slots=True)
class Plugins:
    """The rows that other packages give, by name, and what is wrong with the rest."""

    rows: dict[str, Backend]
    problems: tuple[PluginProblem, ...]


def find_plugins(taken: Collection[str]) -> Plugins:
    """Load the rows of other packages; one that is broken, or whose name is `taken`, is named and left out."""
    rows: dict[str, Backend] = {}
    problems = []
    for point in sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value)):
        found = _row_of(point)
        if isinstance(found, Backend) and (found.name in taken or found.name in rows):
            whose = "one of Lineward's own" if found.name in taken else "another package's"
            text = f"camera plug-in {_named(point)} is refused: its backend '{found.name}' is called like {whose}"
            found = PluginProblem(point.name, text, "give its row another name, or remove the package")
        if isinstance(found, Backend):
            rows[found.name] = found
        else:
            problems.append(found)
    return Plugins(rows, tuple(problems))


def _row_of(point: EntryPoint) -> Backend | PluginProblem:
    try:
        row = point.load()
    except Exception as error:  # noqa: BLE001 - foreign code: whatever it raises, the other cameras go on
        text = f"camera plug-in {_named(point)} cannot be loaded: {type(error).__name__}: {error}"
        return PluginProblem(point.name, text, "mend or remove the package")
    if not isinstance(row, Backend):
        text = f"camera plug-in {_named(point)} gives {type(row).__name__}, not a camera.backends.Backend"
        return PluginProblem(point.name, text, "mend or remove the package")
    return row


def _named(point: EntryPoint) -> str:
    package = "an unknown package" if point.dist is None else f"package '{point.dist.name}'"
    return f"'{point.name}' ({point.value}) of {package}"

"""How a camera saw when it was commissioned, and what has changed since and where: a dirty lens, a moved light."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camera.figures import CELLS, Figures, Map
from camera.whole_file import write_whole

SCHEMA = 1
_LIGHT = 0.05  # share of its brightness that a place may gain or lose
_DETAIL = 0.3  # share of its detail that a place may lose
_FOCUS = 0.3  # share of its focus that the whole picture may lose
_BRIGHTNESS = 0.15  # share of its brightness that the whole picture may gain or lose
_CLEAR = 0.25  # places with less than this share of the mean detail have none to lose


class CommissioningError(ValueError):
    """The file is no reference of this picture; the text says why and what to do."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Reference:
    """The figures of some pictures of the same target, and which camera took them when (seconds of the wall clock)."""

    camera: str
    taken_wall_s: float
    pictures: int
    focus: float
    brightness: float
    light: Map
    detail: Map


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is not as it was. where: 'everywhere', or the places of the picture ('upper left').

    what: focus, brightness, light or detail. share: by how much of what it was, negative for less.
    """

    what: str
    where: str
    share: float
    cells: tuple[tuple[int, int], ...] = ()


def reference_of(camera: str, taken_wall_s: float, pictures: Sequence[Figures]) -> Reference:
    """Return the medians of what some pictures measure. Raises ValueError for none."""
    if not pictures:
        raise CommissioningError(f"camera '{camera}' gave no picture; a reference needs one at least")
    return Reference(
        camera,
        taken_wall_s,
        len(pictures),
        float(np.median([one.focus for one in pictures])),
        float(np.median([one.brightness for one in pictures])),
        np.median([one.light for one in pictures], axis=0).astype(np.float32),
        np.median([one.detail for one in pictures], axis=0).astype(np.float32),
    )


def changes(reference: Reference, now: Reference) -> list[Change]:
    """Return what has changed beyond what a steady camera does, the whole picture first."""
    found = []
    focus = _share(now.focus, reference.focus)
    if focus < -_FOCUS:
        found.append(Change("focus", "everywhere", focus))
    brightness = _share(now.brightness, reference.brightness)
    if abs(brightness) > _BRIGHTNESS:
        found.append(Change("brightness", "everywhere", brightness))
    light = now.light / np.maximum(reference.light, 1e-3) - 1.0
    found += _places("light", light, np.abs(light) > _LIGHT)
    clear = reference.detail > _CLEAR * reference.detail.mean()
    detail = now.detail / np.maximum(reference.detail, 1e-9) - 1.0
    found += _places("detail", detail, clear & (detail < min(-_DETAIL, 1.5 * focus)))
    return found


def _places(what: str, shares: NDArray[Any], changed: NDArray[np.bool_]) -> list[Change]:
    """Return one change for all places that have changed, named by where their centre of gravity lies."""
    rows, columns = np.nonzero(changed)
    if not rows.size:
        return []
    worst = float(shares[rows, columns][np.abs(shares[rows, columns]).argmax()])
    cells = tuple((int(column), int(row)) for row, column in zip(rows, columns, strict=True))
    if rows.size > 0.75 * CELLS**2:
        return [Change(what, "everywhere", worst, cells)]
    weights = np.abs(shares[rows, columns])
    place = _named(float(np.average(columns, weights=weights)), float(np.average(rows, weights=weights)))
    return [Change(what, place, worst, cells)]


def _named(column: float, row: float) -> str:
    across = ("left", "middle", "right")[min(2, int(3 * (column + 0.5) / CELLS))]
    down = ("upper", "middle", "lower")[min(2, int(3 * (row + 0.5) / CELLS))]
    if across == down:
        return "middle"
    return f"{down} {across}"


def save(reference: Reference, file: Path) -> None:
    """Write a reference as JSON."""
    story = {
        "schema": SCHEMA,
        "camera": reference.camera,
        "taken_wall_s": reference.taken_wall_s,
        "pictures": reference.pictures,
        "focus": reference.focus,
        "brightness": reference.brightness,
        "light": [[round(float(value), 5) for value in row] for row in reference.light],
        "detail": [[round(float(value), 6) for value in row] for row in reference.detail],
    }
    write_whole(file, json.dumps(story, indent=1) + "\n")


def load(file: Path) -> Reference:
    """Read a reference. Raises CommissioningError for a file that is none."""
    try:
        story = json.loads(file.read_text("utf-8"))
        light, detail = (np.array(story[name], np.float32).reshape(CELLS, CELLS) for name in ("light", "detail"))
        levels = np.array([story["focus"], story["brightness"]], np.float64)
        if story["schema"] != SCHEMA or not all(np.isfinite(values).all() for values in (light, detail, levels)):
            raise ValueError(f"schema {story['schema']} with levels and maps of {CELLS} × {CELLS} finite numbers")
        return Reference(
            camera=str(story["camera"]),
            taken_wall_s=float(story["taken_wall_s"]),
            pictures=int(story["pictures"]),
            focus=float(story["focus"]),
            brightness=float(story["brightness"]),
            light=light,
            detail=detail,
        )
    except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        raise CommissioningError(
            f"{file}: is no reference that can be read ({error}) — schema {SCHEMA} is needed — make one with "
            "--save-reference"
        ) from error


def _share(now: float, before: float) -> float:
    return now / before - 1.0 if before > 0 else 0.0

"""`lineward cameras align-learn | align-check`: the place of the part in its picture."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from inspection.cli.camera_files import (
    calibration_of,
    picture_of,
    pictures_in,
    rectangle_of,
    straight_picture_of,
    writable,
    write_png,
)  # fmt: skip
from inspection.cli.json_option import JsonOption

if TYPE_CHECKING:
    from camera.geometry.pose import Pose
    from camera.geometry.straighten import Straightener

LensOption = Annotated[Path | None, typer.Option("--lens", help="The camera's calibration, where the station has one.")]


def align_learn(
    picture: Annotated[
        Path, typer.Argument(metavar="PICTURE", help="A good part that lies straight, as the camera saw it.")
    ],
    region: Annotated[str, typer.Option("--region", help="x,y,width,height of what the part is known by.")],
    out: Annotated[Path, typer.Option("--out", help="The file to write.")],
    lens: LensOption = None,
    as_json: JsonOption = False,
) -> None:
    """Learn how a part looks where it lies straight: what each picture is then held against."""
    from camera.geometry.reference import learn, save

    writable("--out", out, picture, lens)
    calibration, image = straight_picture_of(picture, lens)
    reference = learn(image, rectangle_of(region), "" if calibration is None else calibration.digest)
    save(reference, out)
    if as_json:
        sha256 = hashlib.sha256(out.read_bytes()).hexdigest()
        print(json.dumps({"ok": True, "file": str(out), "region": reference.region, "sha256": sha256}))
    else:
        print(f'{out}: learned; the station uses it by  align = {{reference = "{out}"}}  of its camera')


def align_check(
    reference_file: Annotated[Path, typer.Argument(metavar="REFERENCE", help="What `align-learn` wrote.")],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Pictures of parts as the camera saw them.")],
    max_shift_px: Annotated[float, typer.Option("--max-shift-px", min=0, max=4000, help="As in the station.")] = 40.0,
    max_angle_deg: Annotated[float, typer.Option("--max-angle-deg", min=0, max=180, help="As in the station.")] = 10.0,
    min_score: Annotated[float, typer.Option("--min-score", min=0.2, max=0.999, help="As in the station.")] = 0.6,
    region: Annotated[str | None, typer.Option("--region", help="What the model looks at, x,y,width,height.")] = None,
    lens: LensOption = None,
    overlay: Annotated[Path | None, typer.Option("--overlay", help="Writes a PNG for each picture there.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Say for each picture how its part lies, and which the station would reject; exit 1 where it would reject any."""
    from camera.geometry.locate import Limits, Locator
    from camera.geometry.reference import load
    from camera.geometry.report import align_overlay
    from camera.geometry.straighten import Straightener

    if overlay is not None and (overlay.resolve() == folder.resolve() or overlay.is_file()):
        raise typer.BadParameter(f"--overlay {overlay}: would overwrite what is there; name a folder of its own")
    locator = Locator(load(reference_file), Limits(max_shift_px, max_angle_deg, min_score))
    looked_at = locator.reference.region if region is None else rectangle_of(region)
    straightener = Straightener(looked_at, calibration_of(lens), locator)
    rows: list[dict[str, object]] = []
    for file in pictures_in(folder):
        row, pose = _judged(straightener, file)
        rows.append(row)
        if overlay is not None:
            overlay.mkdir(parents=True, exist_ok=True)
            seen = straight_picture_of(file, lens)[1]
            drawn = align_overlay(seen, locator.reference, None if region is None else looked_at, pose, str(row["why"]))
            write_png(overlay / f"{file.stem}.png", drawn)
    _tell_poses(rows, as_json)
    raise typer.Exit(0 if all(row["ok"] for row in rows) else 1)


def _judged(straightener: Straightener, file: Path) -> tuple[dict[str, object], Pose | None]:
    """Return what is told of one picture, and how its part lies, where that was found."""
    from camera.geometry.errors import NotLocatedError

    image, why, pose = picture_of(file), "", None
    began_ns = time.monotonic_ns()
    try:
        pose = straightener.straighten(image, "")[1]
    except NotLocatedError as error:
        why, pose = str(error), error.pose
    took_ms = round((time.monotonic_ns() - began_ns) * 1e-6, 2)
    figures = pose.figures if pose else {}
    return {"picture": file.name, "ok": not why, **figures, "ms": took_ms, "why": why}, pose


def _tell_poses(rows: list[dict[str, object]], as_json: bool) -> None:
    if as_json:
        print(json.dumps({"ok": all(row["ok"] for row in rows), "pictures": rows}))
        return
    columns = ("picture", "dx_px", "dy_px", "angle_deg", "score", "ms")
    table = Table(*columns, "judged")
    for row in rows:
        table.add_row(*(str(row.get(column, "–")) for column in columns), "yes" if row["ok"] else str(row["why"]))
    Console().print(table)

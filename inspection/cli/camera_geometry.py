"""`lineward cameras calibrate | board | align-learn | align-check`: lens, belt plane and the place of the part."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from camera.frame import Pixels
    from camera.geometry.board import Board, Corners
    from camera.geometry.calibration import BeltPlane, Calibration
    from camera.geometry.lens import Lens

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")]
BoardOption = Annotated[str, typer.Option("--board", help="COLUMNSxROWS: inner corners (chess), squares (charuco).")]
SquareOption = Annotated[float, typer.Option("--square-mm", help="Side of a square.")]
KindOption = Annotated[Literal["chess", "charuco"], typer.Option("--kind", help="Which board it is.")]
MarkerOption = Annotated[
    float | None, typer.Option("--marker-mm", help="Side of a ChArUco marker; absent: 0.7 squares.")
]
DictionaryOption = Annotated[str, typer.Option("--dictionary", help="Of the ChArUco markers.")]
LensOption = Annotated[Path | None, typer.Option("--lens", help="The camera's calibration, where the station has one.")]


def add_to(app: typer.Typer) -> None:
    """Add these commands to `lineward cameras`."""
    app.command("calibrate")(calibrate)
    app.command("board")(board)
    app.command("align-learn")(align_learn)
    app.command("align-check")(align_check)


def calibrate(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Pictures of the board, held in many ways.")],
    board_size: BoardOption,
    square_mm: SquareOption,
    out: Annotated[Path, typer.Option("--out", help="Writes this file, and a PNG of the corners beside it.")],
    belt: Annotated[Path | None, typer.Option("--belt", help="One more picture: the board lying on the belt.")] = None,
    kind: KindOption = "chess",
    marker_mm: MarkerOption = None,
    dictionary: DictionaryOption = "4X4_250",
    camera: Annotated[str, typer.Option("--camera", help="The camera's name, for the file.")] = "",
    serial: Annotated[str, typer.Option("--serial", help="Its serial number, for the file.")] = "",
    max_error_px: Annotated[float, typer.Option("--max-error-px", min=0.01, max=5, help="Highest rms error.")] = 0.5,
    as_json: JsonOption = False,
) -> None:
    """Find out a camera's lens from pictures of a board, and the belt's plane and mm per pixel from one on the belt."""
    from camera.geometry import lens as lenses
    from camera.geometry.calibration import from_lens, save_calibration

    used = _board(board_size, square_mm, kind, marker_mm, dictionary)
    found, size, unseen = _corners(_pictures_in(folder), used)
    lens = lenses.calibrate(found, size, most_rms_px=max_error_px)
    plane = None if belt is None else _belt(belt, used, lens, max_error_px)
    calibration = from_lens(
        lens,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        board=f"{kind} {board_size}, squares of {square_mm:g} mm",
        pictures={name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in found},
        camera=camera,
        serial=serial,
        belt=plane,
    )
    save_calibration(calibration, out)
    _report(out.with_suffix(".png"), lens, found)
    _tell_lens(calibration, out, unseen, as_json)


def board(
    board_size: BoardOption,
    out: Annotated[Path, typer.Option("--out", help="The PNG to write.")],
    square_mm: SquareOption = 10.0,
    kind: KindOption = "chess",
    marker_mm: MarkerOption = None,
    dictionary: DictionaryOption = "4X4_250",
    dpi: Annotated[int, typer.Option("--dpi", min=50, max=2400, help="Of the printer.")] = 300,
) -> None:
    """Draw a board to print at true size; measure its squares afterwards, printers scale."""
    used = _board(board_size, square_mm, kind, marker_mm, dictionary)
    square_px = max(4, round(square_mm / 25.4 * dpi))
    _write_png(out, used.draw(square_px, square_px))
    print(f"{out}: print it at {square_px / square_mm * 25.4:.1f} dpi, then a square is {square_mm:g} mm; measure one")


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

    calibration, image = _straight_picture(picture, lens)
    reference = learn(image, _rectangle(region), "" if calibration is None else calibration.digest)
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
    import time

    from camera.geometry.errors import NotLocatedError
    from camera.geometry.locate import Limits, Locator
    from camera.geometry.reference import load
    from camera.geometry.report import align_overlay
    from camera.geometry.straighten import Straightener

    locator = Locator(load(reference_file), Limits(max_shift_px, max_angle_deg, min_score))
    looked_at = locator.reference.region if region is None else _rectangle(region)
    straightener = Straightener(looked_at, _calibration(lens), locator)
    rows: list[dict[str, object]] = []
    for file in _pictures_in(folder):
        image, why, pose = _picture(file), "", None
        began_ns = time.monotonic_ns()
        try:
            pose = straightener.straighten(image, "")[1]
        except NotLocatedError as error:
            why, pose = str(error), error.pose
        took_ms = round((time.monotonic_ns() - began_ns) * 1e-6, 2)
        rows.append({"picture": file.name, "ok": not why, **(pose.figures if pose else {}), "ms": took_ms, "why": why})
        if overlay is not None:
            overlay.mkdir(parents=True, exist_ok=True)
            seen = _straight_picture(file, lens)[1]
            drawn = align_overlay(seen, locator.reference, None if region is None else looked_at, pose, why)
            _write_png(overlay / f"{file.stem}.png", drawn)
    _tell_poses(rows, as_json)
    raise typer.Exit(0 if all(row["ok"] for row in rows) else 1)


# ------------------------------------------------------------- what they share


def _pictures_in(folder: Path) -> list[Path]:
    from camera.geometry.errors import GeometryFileError
    from camera.imagefile import SUFFIXES

    files = sorted(file for file in folder.glob("*") if file.suffix.lower() in SUFFIXES) if folder.is_dir() else []
    if not files:
        raise GeometryFileError(f"{folder}: no pictures — a folder with {', '.join(sorted(SUFFIXES))} files is needed")
    return files


def _picture(file: Path) -> Pixels:
    from camera.geometry.errors import GeometryFileError
    from camera.imagefile import ImageFileError, read_image

    try:
        return read_image(file)
    except ImageFileError as error:
        raise GeometryFileError(f"{error} — a picture that can be read is needed — leave it out") from None


def _calibration(lens: Path | None) -> Calibration | None:
    from camera.geometry.calibration import load_calibration

    return None if lens is None else load_calibration(lens)


def _straight_picture(file: Path, lens: Path | None) -> tuple[Calibration | None, Pixels]:
    """Return a picture as the part is looked for in it: straight where there is a calibration."""
    from camera.geometry.rectify import straight_picture

    calibration, image = _calibration(lens), _picture(file)
    return calibration, image if calibration is None else straight_picture(calibration, image)


def _rectangle(text: str) -> tuple[int, int, int, int]:
    from camera.geometry.errors import GeometryFileError

    try:
        x, y, width, height = (int(part) for part in text.split(","))
    except ValueError:
        raise GeometryFileError(f"--region {text!r} — x,y,width,height in whole pixels is needed — mend it") from None
    return x, y, width, height


def _board(
    size: str, square_mm: float, kind: Literal["chess", "charuco"], marker_mm: float | None, dictionary: str
) -> Board:
    from camera.geometry.board import Board
    from camera.geometry.errors import CalibrationError

    columns, _, rows = size.lower().partition("x")
    if not (columns.isdigit() and rows.isdigit()):
        raise CalibrationError(f"--board {size!r} — COLUMNSxROWS is needed, as 9x6 — mend it")
    return Board(int(columns), int(rows), square_mm, kind, marker_mm, dictionary)


def _corners(files: list[Path], used: Board) -> tuple[dict[str, Corners], tuple[int, int], list[str]]:
    """Return the corners by the picture's name, the size of the pictures, and those without a board."""
    from camera.geometry.errors import CalibrationError

    found, sizes, unseen = {}, {}, []
    for file in files:
        image = _picture(file)
        sizes[(image.shape[1], image.shape[0])] = file.name
        corners = used.find(image)
        if corners is None:
            unseen.append(file.name)
        else:
            found[file.name] = corners
    if len(sizes) > 1:
        told = ", ".join(f"{name}: {width}×{height}" for (width, height), name in sizes.items())
        raise CalibrationError(f"pictures of several sizes ({told}) — all must be of one camera setting — sort them")
    return found, next(iter(sizes)), unseen


def _belt(file: Path, used: Board, lens: Lens, max_error_px: float) -> BeltPlane:
    from camera.geometry.calibration import BeltPlane
    from camera.geometry.errors import CalibrationError
    from camera.geometry.plane import belt_plane

    image = _picture(file)
    corners = used.find(image)
    if corners is None or (image.shape[1], image.shape[0]) != lens.picture_size:
        raise CalibrationError(
            f"{file}: no board found, or another picture size than {lens.picture_size[0]}×{lens.picture_size[1]} — the "
            "board must lie on the belt, whole in the picture — take it again"
        )
    return BeltPlane.of(belt_plane(corners, lens, most_rms_px=max_error_px), file.name)


def _report(file: Path, lens: Lens, found: dict[str, Corners]) -> None:
    from camera.geometry.report import calibration_report

    _write_png(file, calibration_report(lens, found))


def _write_png(file: Path, image: Pixels) -> None:
    import cv2

    bgr = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    file.write_bytes(cv2.imencode(".png", bgr)[1].tobytes())


def _tell_lens(calibration: Calibration, out: Path, unseen: list[str], as_json: bool) -> None:
    if as_json:
        print(json.dumps({"ok": True, "file": str(out), "no_board": unseen, **calibration.model_dump(mode="json")}))
        return
    fx, fy, cx, cy = calibration.spread_px
    (k00, _, k02), (_, k11, k12), _ = calibration.matrix
    print(f"{out}: {len(calibration.pictures)} pictures, corners in {calibration.coverage:.0%} of the picture")
    print(f"error: rms {calibration.rms_px:.3f} px, 95 % of the corners within {calibration.p95_px:.3f} px")
    print(
        f"focal length {k00:.1f} ± {fx:.1f}, {k11:.1f} ± {fy:.1f} px; middle {k02:.1f} ± {cx:.1f}, {k12:.1f} ± {cy:.1f}"
    )
    if calibration.belt is None:
        print("no --belt picture: perspective and mm per pixel are not known")
    else:
        print(
            f"belt: {calibration.belt.mm_per_px:.4f} mm per pixel, flat to {calibration.belt.residual_mm:.3f} mm (rms)"
        )
    for name in unseen:
        print(f"no board found in {name}")
    print(f"corners and residuals: {out.with_suffix('.png')}")


def _tell_poses(rows: list[dict[str, object]], as_json: bool) -> None:
    if as_json:
        print(json.dumps({"ok": all(row["ok"] for row in rows), "pictures": rows}))
        return
    columns = ("picture", "dx_px", "dy_px", "angle_deg", "score", "ms")
    table = Table(*columns, "judged")
    for row in rows:
        table.add_row(*(str(row.get(column, "–")) for column in columns), "yes" if row["ok"] else str(row["why"]))
    Console().print(table)

"""`lineward cameras calibrate | board`: a camera's lens and the plane of the belt; those for parts are beside."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from inspection.cli.camera_align import align_check, align_learn
from inspection.cli.camera_files import picture_of, pictures_in, writable, write_png
from inspection.cli.json_option import JsonOption

if TYPE_CHECKING:
    from camera.geometry.board import Board, Corners
    from camera.geometry.calibration import BeltPlane, Calibration
    from camera.geometry.lens import Lens

BoardOption = Annotated[str, typer.Option("--board", help="COLUMNSxROWS: inner corners (chess), squares (charuco).")]
SquareOption = Annotated[float, typer.Option("--square-mm", help="Side of a square.")]
KindOption = Annotated[Literal["chess", "charuco"], typer.Option("--kind", help="Which board it is.")]
MarkerOption = Annotated[
    float | None, typer.Option("--marker-mm", help="Side of a ChArUco marker; absent: 0.7 squares.")
]
DictionaryOption = Annotated[str, typer.Option("--dictionary", help="Of the ChArUco markers.")]


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
    files = pictures_in(folder)
    if out.suffix.lower() == ".png":
        raise typer.BadParameter(f"--out {out}: the picture of the corners gets this name; end it in .json")
    report = writable("--out", out, belt, *files).with_suffix(".png")
    writable("the picture of the corners beside --out,", report, belt, *files)
    found, size, unseen = _corners(files, used)
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
    _report(report, lens, found)
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
    if out.suffix.lower() != ".png":
        raise typer.BadParameter(f"--out {out}: a name that ends in .png is needed")
    writable("--out", out)
    used = _board(board_size, square_mm, kind, marker_mm, dictionary)
    square_px = max(4, round(square_mm / 25.4 * dpi))
    write_png(out, used.draw(square_px, square_px))
    print(f"{out}: print it at {square_px / square_mm * 25.4:.1f} dpi, then a square is {square_mm:g} mm; measure one")


def _board(
    size: str, square_mm: float, kind: Literal["chess", "charuco"], marker_mm: float | None, dictionary: str
) -> Board:
    from camera.geometry.board import Board
    from camera.geometry.errors import BoardError

    columns, _, rows = size.lower().partition("x")
    if not (columns.isdigit() and rows.isdigit()):
        raise BoardError(f"--board {size!r} — COLUMNSxROWS is needed, as 9x6 — mend it")
    return Board(int(columns), int(rows), square_mm, kind, marker_mm, dictionary)


def _corners(files: list[Path], used: Board) -> tuple[dict[str, Corners], tuple[int, int], list[str]]:
    """Return the corners by the picture's name, the size of the pictures, and those without a board."""
    from camera.geometry.errors import CalibrationError

    found, sizes, unseen = {}, {}, []
    for file in files:
        image = picture_of(file)
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

    image = picture_of(file)
    corners = used.find(image)
    if corners is None or (image.shape[1], image.shape[0]) != lens.picture_size:
        raise CalibrationError(
            f"{file}: no board found, or another picture size than {lens.picture_size[0]}×{lens.picture_size[1]} — the "
            "board must lie on the belt, whole in the picture — take it again"
        )
    return BeltPlane.of(belt_plane(corners, lens, most_rms_px=max_error_px), file.name)


def _report(file: Path, lens: Lens, found: dict[str, Corners]) -> None:
    from camera.geometry.report import calibration_report

    write_png(file, calibration_report(lens, found))


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

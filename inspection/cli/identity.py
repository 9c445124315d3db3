"""`lineward identity`: see what the station reads on a picture of a part."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inspection.cli.camera_files import picture_of, rectangle_of, writable, write_png
from inspection.cli.json_option import JsonOption

if TYPE_CHECKING:
    from camera.frame import Pixels
    from inspection.config.identity import IdentitySection
    from inspection.identity.words import Code, Reading

app = typer.Typer(help="Serial numbers of parts: see what is read.", no_args_is_help=True)

_GREEN, _RED, _GREY = (0, 200, 0), (220, 0, 0), (128, 128, 128)


@app.callback()
def _group() -> None:
    """Serial numbers of parts: see what is read."""


@app.command()
def read(
    picture: Annotated[Path, typer.Argument(metavar="PICTURE", help="A part as the camera saw it.")],
    config: Annotated[Path | None, typer.Option("--config", help="Go by the [identity] of this station file.")] = None,
    region: Annotated[str | None, typer.Option("--region", help="x,y,width,height instead of the file's.")] = None,
    formats: Annotated[str | None, typer.Option("--formats", help="DataMatrix,QRCode,… instead of the file's.")] = None,
    match: Annotated[str | None, typer.Option("--match", help="What the code must fit, instead of the file's.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Writes a PNG with a box around each code.")] = None,
    repeat: Annotated[int, typer.Option(min=1, max=10_000, help="Read so many times, for the time it takes.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Read the code in a picture as the station does; exit 1 where it would find no serial number."""
    from statistics import median
    from time import perf_counter

    from inspection.errors import ConfigError
    from inspection.identity.codes import CodeReader, chosen

    if out is not None:
        writable("--out", out, picture, config)
    section = _section(config, region, formats, match)
    reader, pixels = CodeReader(section), picture_of(picture)
    codes: list[Code] = []
    took_ms = []
    for _ in range(repeat):
        began_s = perf_counter()
        try:
            codes = reader.codes(pixels)
        except ValueError as error:
            raise ConfigError(f"{picture}: {error}") from None
        took_ms.append((perf_counter() - began_s) * 1e3)
    reading = chosen(codes, section.match, section.max_length)
    if out is not None:
        write_png(out, _drawn(pixels, codes, reading, reader.region))
    found: dict[str, Any] = {"ok": bool(reading.serial), "serial": reading.serial, "why": reading.why}
    found |= {"ms": round(median(took_ms), 3), "ms_max": round(max(took_ms), 3)}
    found["codes"] = [{"text": code.text, **code.story()} for code in codes]
    print(json.dumps(found, ensure_ascii=False) if as_json else _told(found, reading, repeat))
    raise typer.Exit(0 if reading.serial else 1)


def _section(config: Path | None, region: str | None, formats: str | None, match: str | None) -> IdentitySection:
    """Return what the station would go by. Raises ConfigError for what the file could not say either."""
    from pydantic import ValidationError

    from inspection.config import load_config
    from inspection.config.identity import IdentitySection
    from inspection.errors import ConfigError

    values = {} if config is None else load_config(config).identity.model_dump(exclude_unset=True)
    values["source"] = "code"
    if region is not None:
        values["region"] = dict(zip(("x", "y", "width", "height"), rectangle_of(region), strict=True))
    if formats is not None:
        values["formats"] = [one.strip() for one in formats.split(",")]
    if match is not None:
        values["match"] = match
    try:
        return IdentitySection.model_validate(values)
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise ConfigError(f"identity: {told}") from None


def _told(found: dict[str, Any], reading: Reading, repeat: int) -> str:
    first = f"serial {reading.serial}" if reading.serial else f"no serial number: {reading.why}"
    lines = [first, *(f"  {code['format']}  {code['text']}  at {code['corners'][0]}" for code in found["codes"])]
    often = f" (median of {repeat}, at most {found['ms_max']})" if repeat > 1 else ""
    return "\n".join([*lines, f"  read in {found['ms']} ms{often}"])


def _drawn(pixels: Pixels, codes: list[Code], reading: Reading, region: tuple[int, int, int, int] | None) -> Pixels:
    """Return the picture in colour: the region in grey, the code that counts in green, every other one in red."""
    import cv2
    import numpy as np

    rgb = pixels if pixels.ndim == 3 else cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB)
    drawn: Any = np.array(rgb, np.uint8, order="C")
    thickness = max(1, drawn.shape[1] // 400)
    if region is not None:
        x, y, width, height = region
        cv2.rectangle(drawn, (x, y), (x + width - 1, y + height - 1), _GREY, thickness)
    for code in codes:
        colour = _GREEN if code.text == reading.serial else _RED
        cv2.polylines(drawn, [np.array(code.corners, np.int32)], True, colour, thickness)
        _write(drawn, code, colour, thickness)
    return np.asarray(drawn, np.uint8)


def _write(drawn: Any, code: Code, colour: tuple[int, int, int], thickness: int) -> None:
    """Write what a code says below it, inside the picture."""
    import cv2

    font, scale = cv2.FONT_HERSHEY_SIMPLEX, 0.4 * thickness
    shown = code.text.encode("ascii", "replace").decode()[:40]
    (width, height), _ = cv2.getTextSize(shown, font, scale, thickness)
    x = max(0, min(min(x for x, _ in code.corners), drawn.shape[1] - width - 4))
    y = min(max(y for _, y in code.corners) + 2 * height, drawn.shape[0] - 4)
    cv2.putText(drawn, shown, (x, y), font, scale, colour, thickness, cv2.LINE_AA)

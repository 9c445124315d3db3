"""`lineward cameras verify` over raw recordings of a sensor whose gain, noise and defects are known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from camera.commissioning import CommissioningError
from camera.frame import Frame
from camera.raw_recording import RawRecordingWriter
from inspection.cli.main import app

HEIGHT, WIDTH = 96, 128
GAIN, READ_NOISE, OFFSET = 0.8, 6.0, 100.0
HOT, DEAD = (33, 20), (90, 61)


def expose(count: int, electrons: float, seed: int, colours: bool = False) -> NDArray[np.uint16]:
    """Pictures of even light; with `colours` a Bayer pattern's red sees half of it and its blue a quarter."""
    draw = np.random.default_rng(seed)
    light = np.full((HEIGHT, WIDTH), electrons)
    if colours:
        light[::2, ::2] *= 0.5
        light[1::2, 1::2] *= 0.25
    light[DEAD[1], DEAD[0]] *= 0.2
    drawn = draw.poisson(light, (count, HEIGHT, WIDTH)) + draw.normal(0, READ_NOISE, (count, HEIGHT, WIDTH))
    drawn[:, HOT[1], HOT[0]] += 500.0
    return np.clip(np.rint(GAIN * drawn + OFFSET), 0, 4095).astype(np.uint16)


def recording(folder: Path, pictures: NDArray[Any], pixel_format: str) -> Path:
    """A raw recording of the pictures, as `lineward cameras record` writes it."""
    writer = RawRecordingWriter(folder, {"camera": "synthetic"}, 0)
    for number, picture in enumerate(pictures, 1):
        raw = np.ascontiguousarray(picture).view(np.uint8)
        writer.write(Frame("synthetic", number, None, number * 1_000_000, 0, pixel_format, raw))
    writer.close("the test is over")
    return folder


def run(*arguments: object) -> tuple[int, dict[str, Any]]:
    """Run the command with --json; exit code and what it printed."""
    result = CliRunner().invoke(app, ["cameras", "verify", "replay:none", *map(str, arguments), "--json"])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, json.loads(result.output)


@pytest.mark.parametrize("pixel_format", ["Mono12", "BayerRG12"])
def test_a_sensor_is_what_it_was_made_as(tmp_path: Path, pixel_format: str) -> None:
    """Gain, noise, linearity, and the places of the hot and the dead pixel, at full depth and in the right colour."""
    colours = pixel_format.startswith("Bayer")
    arguments: list[object] = ["--dark-from", recording(tmp_path / "dark", expose(16, 0.0, 1), pixel_format)]
    for number, share in enumerate((0.1, 0.3, 0.5, 0.65)):
        lit = expose(16, 4900.0 * share, 2 + number, colours)
        arguments += ["--bright-from", f"{recording(tmp_path / f'lit{number}', lit, pixel_format)}@{share * 1000:g}"]
    code, found = run(*arguments)
    sensor = found["sensor"]["sensor"]
    assert code == 0
    assert sensor["gain"] == pytest.approx(GAIN, rel=0.05)
    assert sensor["dark_noise"] == pytest.approx(READ_NOISE, rel=0.05)
    assert sensor["dark_mean"] == pytest.approx(OFFSET, abs=0.5)
    assert sensor["linearity_error"] < 0.005
    assert found["sensor"]["bits"] == 12
    assert found["sensor"]["defects"] == {"hot": [list(HOT)], "dead": [list(DEAD)]}


def test_a_dirty_lens_is_told_with_its_place(tmp_path: Path) -> None:
    """A saved reference: nothing has changed at first, exit 0; a smear at the upper left is told, exit 1."""
    rough = np.random.default_rng(3).integers(40, 200, (HEIGHT // 4, WIDTH // 4), np.uint8)
    target = cv2.resize(rough, (WIDTH, HEIGHT)).astype(np.uint8)
    smeared = target.copy()
    smeared[:40, :48] = cv2.GaussianBlur(target, (0, 0), 4)[:40, :48] * 0.8
    clean, dirty = (recording(tmp_path / name, np.stack([one] * 3), "Mono8") for name, one in
                    (("clean", target), ("dirty", smeared)))  # fmt: skip
    reference = tmp_path / "top.json"
    assert run("--target-from", clean, "--save-reference", reference)[0] == 0
    assert run("--target-from", clean, "--reference", reference) == (
        0,
        {"ok": True, "camera": "none", "backend": "replay", "changes": []},
    )
    code, found = run("--target-from", dirty, "--reference", reference)
    assert code == 1
    assert {"detail", "light"} <= {change["what"] for change in found["changes"]}
    assert {change["where"] for change in found["changes"] if change["what"] != "focus"} == {"upper left"}
    with pytest.raises(CommissioningError, match="--save-reference"):
        run("--target-from", clean, "--reference", tmp_path / "none.json")


def test_nobody_is_asked_where_nobody_is(tmp_path: Path) -> None:
    """Without a terminal the command says which recordings it needs, and does not wait."""
    result = CliRunner().invoke(app, ["cameras", "verify", f"replay:{tmp_path}"])
    assert result.exit_code == 2
    assert "--dark-from" in result.output

"""`lineward cameras verify`: is the sensor what its data sheet says, and does the camera see as when it was set up?"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inspection.cli.camera_choice import CameraArgument, Choice, OptionOption, choose_camera
from inspection.cli.camera_files import writable
from inspection.cli.json_option import JsonOption

if TYPE_CHECKING:
    from camera.commissioning import Change
    from camera.frame import Frame
    from inspection.offline.verification import Still, Verified

_SHOWN = 10
Source = Annotated[
    list[str] | None,
    typer.Option(metavar="PATH[@US]", help="Recordings of even light, one a brightness, with its exposure in µs."),
]


def verify(
    camera: CameraArgument,
    option: OptionOption = None,
    dark_from: Annotated[Path | None, typer.Option(help="A recording with the lens covered.")] = None,
    bright_from: Source = None,
    target_from: Annotated[Path | None, typer.Option(help="A recording of the target, for the reference.")] = None,
    reference: Annotated[Path | None, typer.Option(help="What it saw when it was set up; exit 1 if changed.")] = None,
    save_reference: Annotated[Path | None, typer.Option(help="Keep what it sees now as that.")] = None,
    frames: Annotated[int, typer.Option(min=2, max=256, help="Pictures of each brightness.")] = 16,
    timeout: Annotated[float, typer.Option(min=0.1, max=3600, help="Seconds without a picture until it ends.")] = 10.0,
    as_json: JsonOption = False,
) -> None:
    """Measure noise, gain, linearity and defects (EMVA 1288), and compare sharpness and light with a reference.

    Without recordings it asks for each step: cover the lens, then even light. With --reference or --save-reference
    alone it only looks at the target, a part or a printed pattern that is the same each time.
    """
    if save_reference is not None:
        writable("--save-reference", save_reference)
    choice = choose_camera(camera, option or ())
    found: dict[str, Any] = {"camera": choice.name, "backend": choice.backend}
    changed: list[Change] = []
    if dark_from or bright_from or not (reference or save_reference):
        verified = _sensor(choice, dark_from, bright_from or [], frames, timeout)
        found["sensor"] = asdict(verified)
        if not as_json:
            _print_sensor(verified)
    if reference or save_reference:
        changed = _target(choice, target_from, reference, save_reference, frames, timeout)
        found["changes"] = [asdict(change) for change in changed]
        if not as_json:
            _print_changes(changed, reference, save_reference)
    if as_json:
        print(json.dumps({"ok": not changed, **found}))
    raise typer.Exit(1 if changed else 0)


def _sensor(choice: Choice, dark: Path | None, bright: list[str], frames: int, timeout: float) -> Verified:
    from inspection.offline.verification import Still, verify_sensor

    in_the_dark = (
        _recorded(dark, frames, timeout)
        if dark
        else _asked(choice, "Cover the lens, then press Enter", frames, timeout)
    )
    lit = [_lit(text, frames, timeout) for text in bright]
    if not lit:
        text = "Take the cover off, light the whole picture evenly at about half of the range, then press Enter"
        lit = [Still(_asked(choice, text, frames, timeout))]
    return verify_sensor(Still(in_the_dark), lit)


def _lit(text: str, frames: int, timeout: float) -> Still:
    from inspection.offline.verification import Still

    path, at, exposure = text.rpartition("@")
    if not at:
        return Still(_recorded(Path(text), frames, timeout))
    try:
        return Still(_recorded(Path(path), frames, timeout), float(exposure))
    except ValueError:
        raise typer.BadParameter(f"{text}: what follows the @ is an exposure in microseconds, such as @2000") from None


def _target(
    choice: Choice, source: Path | None, reference: Path | None, save_to: Path | None, frames: int, timeout: float
) -> list[Change]:
    from camera.commissioning import changes, load, save
    from inspection.offline.verification import reference_now

    before = load(reference) if reference else None
    now = reference_now(choice.name, _recorded(source, frames, timeout) if source else _live(choice, frames, timeout))
    if save_to:
        save(now, save_to)
    return changes(before, now) if before else []


def _asked(choice: Choice, text: str, frames: int, timeout: float) -> list[Frame]:
    if not sys.stdin.isatty():
        raise typer.BadParameter("nobody is there to cover the lens; give recordings: --dark-from and --bright-from")
    typer.prompt(text, default="", show_default=False, err=True)
    return _live(choice, frames, timeout)


def _live(choice: Choice, frames: int, timeout: float) -> list[Frame]:
    from inspection.offline.verification import take

    with choice.make() as camera:
        return take(camera, frames, timeout)


def _recorded(path: Path, frames: int, timeout: float) -> list[Frame]:
    from camera.backends import make_camera
    from inspection.offline.verification import take

    with make_camera("replay", path.name, {"path": str(path), "rate_hz": 0}) as camera:
        return take(camera, frames, timeout)


def _print_sensor(verified: Verified) -> None:
    one = verified.sensor
    linear = "not known: give exposures, --bright-from PATH@US" if one.linearity_error is None else None
    rows = {
        "system gain": f"{one.gain:.4g} DN per electron",
        "dark level": f"{one.dark_mean:.2f} of {2**verified.bits - 1}",
        "temporal dark noise": f"{'at most ' if one.dark_noise_is_limit else ''}{one.dark_noise:.3g} electrons",
        "DSNU": f"{one.dsnu:.3g} electrons",
        "PRNU": f"{one.prnu:.2%}",
        "saturation": f"{one.full_well:.0f} electrons"
        + ("" if one.saturation_was_reached else " (of the converter; no picture was saturated)"),
        "largest SNR": f"{one.snr_max:.0f}",
        "dynamic range": f"{one.dynamic_range:.0f}",
        "linearity error": linear or f"{one.linearity_error:.2%}",
        "hot pixels": _places(verified.defects.hot),
        "dead pixels": _places(verified.defects.dead),
    }
    for name, value in rows.items():
        print(f"{name + ':':22}{value}")


def _places(places: tuple[tuple[int, int], ...]) -> str:
    shown = ", ".join(f"({x}, {y})" for x, y in places[:_SHOWN])
    return f"{len(places)}" + (f": {shown}{', …' if len(places) > _SHOWN else ''}" if places else "")


def _print_changes(changed: list[Change], reference: Path | None, saved: Path | None) -> None:
    if saved:
        print(f"{saved}: saved")
    if reference and not changed:
        print(f"nothing has changed since {reference}")
    for change in changed:
        advice = "clean lens and lamps, see whether one of them was moved"
        print(f"{change.what} {change.share:+.0%} {change.where}: {advice}")

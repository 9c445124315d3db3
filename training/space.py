"""What a sweep varies, and between which values, around the settings that it begins with."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from training.errors import SettingsError
from training.settings import Backbone, TrainSettings, parse_size

if TYPE_CHECKING:
    from optuna.trial import Trial

Value = str | int | float | bool

VARIED = ("lr", "epochs", "flips", "moves", "size", "backbone")
USUAL = ("lr", "epochs", "flips", "moves")
_LR_FACTOR = 8.0
_SIZE_FACTORS = (0.71, 1.0, 1.41)  # half and double the pixels
_SIZE_STEP = 32
_LEAST_SIDE, _MOST_SIDE = 32, 2048


@dataclass(frozen=True, slots=True)
class SweepPlan:
    """How long a sweep goes on, and over what: a plain value. minutes: None without a limit of time."""

    trials: int
    minutes: float | None = None
    over: tuple[str, ...] = USUAL


def make_plan(trials: int | None, minutes: float | None, over: str | None) -> SweepPlan | None:
    """Check the options of a sweep, None without one; raise SettingsError."""
    if trials is None:
        if minutes is not None or over is not None:
            raise SettingsError("--sweep-minutes and --sweep-over: belong to a sweep — add --sweep N, the most trials")
        return None
    names = USUAL if over is None else tuple(name.strip() for name in over.split(",") if name.strip())
    unknown = [name for name in names if name not in VARIED]
    if unknown or not names or len(set(names)) != len(names):
        raise SettingsError(
            f"--sweep-over {over}: {', '.join(unknown) or 'nothing, or something twice'} — allowed are "
            f"{', '.join(VARIED)} — give some of them with commas between"
        )
    if trials < 1 or (minutes is not None and not (math.isfinite(minutes) and minutes > 0)):
        raise SettingsError(
            f"--sweep {trials}, --sweep-minutes {minutes}: allowed are 1 or more trials, and a time above 0"
        )
    return SweepPlan(trials, minutes, names)


def first_of(settings: TrainSettings, over: tuple[str, ...]) -> dict[str, Value]:
    """Give the values that the sweep begins with: those of the command, so that it never ends with worse."""
    own: dict[str, Value] = {
        "lr": settings.lr,
        "epochs": settings.epochs,
        "flips": settings.flips,
        "moves": settings.moves,
        "size": _size_of(settings.width, settings.height),
        "backbone": settings.backbone,
    }
    return {name: own[name] for name in over if name not in ("flips", "moves") or own[name]}


def propose(trial: Trial, settings: TrainSettings, over: tuple[str, ...]) -> dict[str, Value]:
    """Draw the values of a trial; a mirrored or moved part is never tried where the command ruled it out."""
    draws: dict[str, Callable[[], Value]] = {
        "lr": lambda: trial.suggest_float("lr", settings.lr / _LR_FACTOR, min(1.0, settings.lr * _LR_FACTOR), log=True),
        "epochs": lambda: trial.suggest_int("epochs", max(1, settings.epochs // 2), 2 * settings.epochs),
        "flips": lambda: bool(trial.suggest_categorical("flips", [True, False])),
        "moves": lambda: bool(trial.suggest_categorical("moves", [True, False])),
        "size": lambda: str(trial.suggest_categorical("size", _sizes(settings))),
        "backbone": lambda: str(trial.suggest_categorical("backbone", _backbones(settings))),
    }
    return {name: draws[name]() for name in first_of(settings, over)}


def with_values(settings: TrainSettings, values: Mapping[str, Value]) -> TrainSettings:
    """Return the settings of a trial."""
    changed: dict[str, Value] = {name: value for name, value in values.items() if name != "size"}
    if "size" in values:
        changed["height"], changed["width"] = parse_size(str(values["size"]))
    return TrainSettings.model_validate({**settings.model_dump(), **changed})


def refuse_unswept(settings: TrainSettings, over: tuple[str, ...]) -> None:
    """Raise SettingsError where what is to be varied is settled by another option."""
    if "backbone" in over and settings.weights not in (None, "download"):
        raise SettingsError(
            f"--sweep-over backbone: the weights of {settings.weights} belong to one backbone — several can be tried "
            "with torchvision's own or from scratch — use --weights download, or leave --weights or the backbone out"
        )
    if "size" in over and (settings.size != "stated" or settings.tile is not None):
        raise SettingsError(
            "--sweep-over size: the size follows from the images or the tiles — it can be tried where it is stated — "
            "give --size as a number without --tile, or leave size out"
        )


def _size_of(width: int, height: int) -> str:
    return f"{width}x{height}"


def _sizes(settings: TrainSettings) -> list[str]:
    """Give the sizes to try, as wide as high as the one of the command, in steps that networks halve evenly."""
    found = {_size_of(settings.width, settings.height): None}
    for factor in _SIZE_FACTORS:
        sides = [
            min(_MOST_SIDE, max(_LEAST_SIDE, round(side * factor / _SIZE_STEP) * _SIZE_STEP))
            for side in (settings.width, settings.height)
        ]
        if factor != 1.0:
            found[_size_of(*sides)] = None
    return list(found)


def _backbones(settings: TrainSettings) -> list[str]:
    return [name for name in get_args(Backbone) if settings.weights is None or name != "compact"]

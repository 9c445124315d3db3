"""The development sets: where each lies, what is learned from it, what others reached, and what is aimed at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from datasets.location import Location
from training.arrange import TaskName
from training.errors import SettingsError

_SCREW_PLACES = """\
zero = "missing"
pass_over = ["test_set/*"]
place = [
  { name = "upper left", x = 0, y = 0, width = 300, height = 350 },
  { name = "upper right", x = 300, y = 0, width = 300, height = 350 },
  { name = "lower left", x = 0, y = 350, width = 300, height = 439 },
  { name = "lower right", x = 300, y = 350, width = 300, height = 439 },
]
"""


@dataclass(frozen=True, slots=True)
class BenchSet:
    """One row of the table: a plain value.

    find: gives the location from the folder of all sets and a folder where labels may be written that the set does not
    have as a file. has_good: whether one of its classes passes; without one only the class is judged. stated: its own
    training and test images are used instead of folds. published: what others state, by figure, with its source in
    `source`. target: what ours must reach, by figure.
    """

    name: str
    task: TaskName
    find: Callable[[Path, Path], Location]
    has_good: bool = True
    stated: bool = False
    published: Mapping[str, str] = field(default_factory=dict)
    target: Mapping[str, float] = field(default_factory=dict)
    mind: str = ""


def _x_sdd(data: Path, out: Path) -> Location:
    del out
    return Location(data / "x_sdd", good="red iron")


def _magnetic_tile(data: Path, out: Path) -> Location:
    del out
    return Location(data / "magnetic_tile")


def _deeppcb(data: Path, out: Path) -> Location:
    del out
    return Location(data / "deeppcb")


def _cookies(data: Path, out: Path) -> Location:
    """List the biscuits, whose labels and splits stand in the names of their files and folders."""
    lines = ["file,label,split"]
    for folder, split in (("training-images", "train"), ("test-images", "test")):
        photos = sorted((data / "cookies" / folder).glob("*.jpg"))
        lines += [f"{folder}/{one.name},{'normal' if 'normal' in one.name else 'anomaly'},{split}" for one in photos]
    file = out / "cookies.csv"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return Location(data / "cookies", annotations=file)


def _aliens(data: Path, out: Path) -> Location:
    del out
    return Location(data / "aliens")


def _screws(data: Path, out: Path) -> Location:
    """State the four places of a picture; the digits in the names of the files label them."""
    file = out / "screws.toml"
    file.write_text(_SCREW_PLACES, encoding="utf-8")
    return Location(data / "screws_missing", annotations=file)


SETS = (
    BenchSet(
        "x_sdd",
        "classify",
        _x_sdd,
        has_good=False,
        published={"accuracy": "0.951: RepVGG with spatial attention, as the authors of the set state it"},
        target={"accuracy": 0.98},
        mind="no class of it passes; 'red iron' is only named so that the scores have a first column",
    ),
    BenchSet(
        "magnetic_tile",
        "classify",
        _magnetic_tile,
        published={
            "accuracy": "0.73-0.78: frozen MobileNetV2 and a linear head, split by piece",
            "auroc": "0.77-0.90: the same",
        },
        target={"accuracy": 0.78, "auroc": 0.90},
        mind="six exposures of each of 233 pieces; a random split reads 96 %",
    ),
    BenchSet(
        "deeppcb",
        "template",
        _deeppcb,
        stated=True,
        published={"map_of_types": "0.986: mAP of the boxes, as the authors of the set state it"},
        target={"auroc": 0.999, "auroc_of_repaired": 0.999},
        mind="good boards are golden images shown once more, or test boards with each defect painted over; "
        "ap is that of boards, map_of_types that of boxes",
    ),
    BenchSet(
        "cookies",
        "anomaly",
        _cookies,
        stated=True,
        published={"auroc": "0.98-1.00: patch nearest neighbour on the same backbone"},
        target={"auroc": 0.98},
        mind="the source's 31 normal training images, of which a part validates",
    ),
    BenchSet("aliens", "anomaly", _aliens, target={"auroc": 0.995}),
    BenchSet(
        "screws_missing",
        "classify",
        _screws,
        target={"accuracy": 1.0},
        mind="four places of each of 100 pictures; every place counts by itself, pictures are never parted",
    ),
)


def choose_sets(names: list[str] | None) -> tuple[BenchSet, ...]:
    """Return the sets of these names, all of them for None; raise SettingsError for a name that is none."""
    known = {one.name: one for one in SETS}
    if unknown := sorted(set(names or ()) - set(known)):
        raise SettingsError(f"--only {', '.join(unknown)}: is no set — there are {', '.join(known)} — choose of these")
    return tuple(one for one in SETS if names is None or one.name in names)

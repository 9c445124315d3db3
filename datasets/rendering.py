"""Writes rendered parts as class folders, so that a model can be trained on them as on photographs."""

from __future__ import annotations

import csv
import shutil
from collections import Counter
from pathlib import Path

import cv2

from datasets.errors import DatasetError
from datasets.files import Progress, in_threads
from datasets.synthetic import KINDS, PartRenderer

TRUTH_FILE = "truth.csv"


def write_parts(
    out: Path,
    *,
    count: int,
    seed: int,
    defect_rate: float,
    width: int = 640,
    height: int = 480,
    progress: Progress | None = None,
) -> dict[str, int]:
    """Write parts 0 … count−1 as `out/KIND/NNNNNN.png` and their boxes as `out/truth.csv`; return the number per kind.

    The folder appears when all is written, or not at all. Raises DatasetError where it exists and is not empty.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DatasetError(f"{out}: exists and is not empty; parts are written into a new folder; choose another --out")
    draft = out.with_name(out.name + ".part")
    renderer = PartRenderer(seed, width, height)

    def write(index: int) -> tuple[str, str, tuple[int, int, int, int] | None]:
        part = renderer.render(index, renderer.kind_of(index, defect_rate))
        name = f"{part.truth}/{index:06d}.png"
        done, data = cv2.imencode(".png", cv2.cvtColor(part.pixels, cv2.COLOR_RGB2BGR))
        if not done:
            raise DatasetError(f"{name}: the picture could not be encoded as PNG")
        (draft / name).write_bytes(data.tobytes())
        return name, part.truth, part.box

    try:
        for kind in KINDS:
            (draft / kind).mkdir(parents=True)
        rows = list(in_threads(write, range(count), total=count, progress=progress))
        with (draft / TRUTH_FILE).open("w", newline="", encoding="utf-8") as stream:
            table = csv.writer(stream, lineterminator="\n")
            table.writerow(("file", "kind", "x", "y", "width", "height"))
            table.writerows((name, kind, *(box or ("", "", "", ""))) for name, kind, box in rows)
        if out.exists():
            out.rmdir()
        draft.replace(out)
    except OSError as error:
        raise DatasetError(f"{out}: cannot be written ({error.strerror or error}); choose another --out") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    number = Counter(kind for _, kind, _ in rows)
    return {kind: number[kind] for kind in KINDS}

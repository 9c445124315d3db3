"""The task 'template' on real boards beside their golden images: a handful of pairs of DeepPCB."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from datasets.location import Location
from datasets.marks import class_map
from training.export import export_onnx
from training.forward import run_module
from training.images import open_source
from training.network import Start
from training.runfolder import RunFolder
from training.screen import Screen
from training.settings import TrainSettings
from training.tasks.template import TASK
from training.template.measure import measure_pairs
from training.template.model import Comparing

pytestmark = [pytest.mark.training, pytest.mark.realdata, pytest.mark.timeout(900)]

TRAINED, TESTED = 24, 6


def handful(shared: Path, root: Path) -> Path:
    """A few training and test pairs of the set, as they lie there, spread over its boards."""
    source = shared / "deeppcb" / "PCBData"
    for listing, number in (("trainval.txt", TRAINED + 6), ("test.txt", TESTED)):
        lines = [line for line in (source / listing).read_text().splitlines() if line.strip()]
        chosen = lines[:: len(lines) // number][:number]
        for line in chosen:
            image, boxes = line.split()
            stem = image.removesuffix(".jpg")
            for name in (f"{stem}_test.png", f"{stem}_temp.png", boxes):
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source / name, root / name)
        (root / listing).write_text("\n".join(chosen) + "\n")
    return root


def test_a_handful_of_boards_teaches_what_is_wrong_with_others(shared_data: Path, tmp_path: Path) -> None:
    """Boards never seen, against themselves with every defect painted over by the golden image, are told apart, and the
    map is far higher on the marks than beside them; the exported graph gives the same scores and maps."""
    data = handful(shared_data, tmp_path / "boards")
    settings = TrainSettings(
        task="template", epochs=6, height=640, width=640, batch_size=8, lr=1e-3, threads=1, find_groups=False
    )
    source = open_source(Location(data), find_groups=False, seed=0)
    assert source.task == "template"
    folder = RunFolder(tmp_path / "out")
    folder.open({}, restart=True)
    material = TASK.load(source, settings, folder, lambda: None)
    fitted = TASK.fit(material, settings, Start(None, "from scratch"), folder, Screen())
    model = fitted.model
    assert isinstance(model, Comparing)
    assert fitted.golden is not None
    assert fitted.golden.stored_bytes == fitted.golden.images * 640 * 640 // 8  # they are binarised
    tested = [sample for sample in source.split.test if sample.marks]
    found = measure_pairs(model, tested, source.classes, 640, 640, threshold=0.5)
    assert found.repaired.auroc is not None
    assert found.repaired.auroc.value > 0.95
    assert found.photos == TESTED
    graph = onnxruntime.InferenceSession(export_onnx(model, 640, 640, 1, with_map=True))
    photos = np.array(material.test.pixels[:3])
    scores, places = run_module(model, photos, 3)
    given_scores, given_places = graph.run(["scores", "map"], {"pixels": photos})
    np.testing.assert_allclose(given_scores, scores, atol=1e-3)
    assert places is not None
    np.testing.assert_allclose(given_places, places, atol=1e-3)
    bad = np.flatnonzero(material.test.truth != 0)
    _, shown = run_module(model, np.array(material.test.pixels[bad]), 2)
    assert shown is not None
    marks = [sample for sample in source.split.test if sample.label != source.dataset.good]
    marked = np.stack([class_map(sample, source.classes, 160, 160) > 0 for sample in marks])
    assert float(shown[marked].mean()) > 4 * float(shown[~marked].mean())

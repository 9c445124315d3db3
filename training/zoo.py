"""Trains the demo's model on rendered parts: `python -m training.zoo --out models/zoo/parts` (a few minutes)."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

from datasets.synthetic import KINDS
from models.errors import ModelError
from training.classify.lesson import ClassLesson
from training.deployed import Deployed
from training.errors import TrainingError
from training.fitting import Fitting
from training.network import Start, build_network
from training.run import train_model
from training.runfolder import RunFolder
from training.screen import Screen
from training.settings import TrainSettings
from training.table import print_release
from training.target import Target
from training.zoo_parts import TEST_SEEDS, TRAIN_SEEDS, VALIDATION_SEEDS, Pictures, close_ups, make_material, render

_CLOSE_UP_PX = 80
CLOSE_UPS = TrainSettings(
    backbone="compact", epochs=8, height=_CLOSE_UP_PX, width=_CLOSE_UP_PX, batch_size=64, lr=2e-3, flips=True
)
WHOLE = TrainSettings(backbone="compact", epochs=6, height=240, width=320, batch_size=16, lr=5e-4, flips=False)


def learn_close_ups(pictures: Pictures, screen: Screen) -> Start:
    """Learn first what defects look like close by: a tenth of the pixels, and no background to learn by heart.

    From whole pictures alone the network takes far longer to notice scratches of a few pixels.
    """
    pixels, truth = close_ups(pictures, _CLOSE_UP_PX, CLOSE_UPS.seed)
    torch.manual_seed(CLOSE_UPS.seed)
    model = Deployed(build_network(CLOSE_UPS.backbone, len(KINDS), Start(None, "")))
    held = (pixels[::20], truth[::20])
    lesson = ClassLesson(model, CLOSE_UPS, (pixels, truth), held, pretrained=False, good_index=0)
    fitting = Fitting(lesson, CLOSE_UPS)
    with screen.bar("close-ups", CLOSE_UPS.epochs * lesson.steps) as advance:
        for number in range(1, CLOSE_UPS.epochs + 1):
            loss = fitting.run_epoch(advance)
            epoch = fitting.close_epoch(loss)
            screen.say(f"close-ups {number}/{CLOSE_UPS.epochs}: loss {loss:.4f}, unchanged {epoch.validation_loss:.4f}")
    return Start(model.network.state_dict(), f"from scratch: first {len(truth)} close-ups of the training parts")


def main() -> None:
    """Run from the command line; what a person can mend is one message, never a traceback."""
    try:
        make_zoo()
    except (TrainingError, ModelError) as error:
        print(f"training.zoo: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


def make_zoo() -> None:
    """Render, train and write the bundle, replacing the one that is there."""
    parser = argparse.ArgumentParser(description="Train the demo's model on rendered parts.")
    parser.add_argument("--out", type=Path, required=True, help="the bundle's folder")
    parser.add_argument("--run", type=Path, default=Path("build/zoo"), help="where the run keeps its charts and state")
    arguments = parser.parse_args()
    screen = Screen()
    folder = RunFolder(arguments.run / arguments.out.name)
    target = Target(arguments.out, arguments.out.name, overwrite=True)
    target.refuse_taken()
    size = (WHOLE.height, WHOLE.width)
    with screen.bar("rendering", len(TRAIN_SEEDS) + len(VALIDATION_SEEDS) + len(TEST_SEEDS)) as advance:
        parts = [render(seeds, size, advance) for seeds in (TRAIN_SEEDS, VALIDATION_SEEDS, TEST_SEEDS)]
    material = make_material(parts[0], parts[1], parts[2], WHOLE.seed)
    folder.open({"digest": material.digest, **WHOLE.model_dump(mode="json")}, restart=False)
    start = learn_close_ups(parts[0], screen)
    released = train_model(material, WHOLE, start, target, folder, screen)
    print_release(released.bundle, released.parity)


if __name__ == "__main__":
    main()

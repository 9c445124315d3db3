"""Logs a run for TensorBoard, into `BUNDLE.run/tensorboard`: figures of each epoch, and what the model came to."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING

import cv2
import numpy as np

from training.report.pictures import choose_worst
from training.runfolder import RunFolder

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

    from training.report.page import Tried

_SHOWN = 8  # misjudged images of each kind


class RunLog:
    """The event file of one process; owned by a fitting, used from its thread. Without a place it logs nothing.

    after: epochs that an earlier start has finished; what it logged of later ones is taken back. What cannot be
    written ends the log, not the run.
    """

    def __init__(self, folder: RunFolder, after: int) -> None:
        self._say = folder.say
        self._writer: SummaryWriter | None = None
        place = folder.logs
        if place is None:
            return
        try:
            if after == 0:
                shutil.rmtree(place, ignore_errors=True)
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(place), purge_step=after + 1)
        except ImportError:
            self._say("TensorBoard is not installed, so that nothing is logged for it: pip install tensorboard")
        except OSError as error:
            self._give_up(error)

    def __enter__(self) -> RunLog:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            try:
                writer.close()
            except OSError as problem:
                self._give_up(problem)

    def epoch(self, number: int, figures: Mapping[str, float | None]) -> None:
        """Log the figures of an epoch by name; those that are None are not known."""
        if self._writer is None:
            return
        try:
            for name, value in figures.items():
                if value is not None:
                    self._writer.add_scalar(name, value, number)
            self._writer.flush()
        except OSError as error:
            self._give_up(error)

    def release(self, tried: Tried, epochs: int, folder: RunFolder) -> None:
        """Log what the released model does on the test images: figures, confusion, and the worst that it misjudged."""
        if self._writer is None:
            return
        metrics = tried.bundle.card.metrics
        figures = {"AUROC": metrics.auroc, "escape": metrics.escape, "overkill": metrics.overkill}
        try:
            for name, figure in figures.items():
                if figure is not None:
                    self._writer.add_scalar(f"{name}/test", figure.value, epochs)
            chart = cv2.imread(str(folder.path / "confusion.png"))
            if chart is not None:
                self._writer.add_image("confusion/test", chart[:, :, ::-1].copy(), epochs, dataformats="HWC")
            worst = choose_worst(tried.scored, tried.bundle.card.threshold.value)
            for kind, chosen in (("missed", worst.missed), ("false alarms", worst.false_alarms)):
                for index in chosen[:_SHOWN]:
                    shown = np.repeat(tried.load([index])[0], 3 // tried.bundle.card.input.channels, axis=2)
                    self._writer.add_image(f"{kind}/{tried.names[index]}", shown, epochs, dataformats="HWC")
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self._writer = None
        self._say(f"TensorBoard: nothing more is logged ({error.strerror or error}); the training goes on")

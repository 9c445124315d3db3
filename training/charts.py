"""Learning curves and confusion matrix as PNG files beside the bundle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt


def draw_curves(history: Sequence[Mapping[str, float | int | None]], file: Path) -> None:
    """Draw the losses and the validation AUROC over the epochs, rows as `training.fitting.Epoch.as_dict` gives them."""
    numbers = [epoch["number"] for epoch in history]
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    left.plot(numbers, [epoch["train_loss"] for epoch in history], marker="o", label="training (augmented)")
    left.plot(numbers, [epoch["validation_loss"] for epoch in history], marker="o", label="validation")
    left.set(xlabel="epoch", ylabel="cross entropy", title="Loss")
    left.set_ylim(bottom=0)
    left.legend()
    known = [(row["number"], row["validation_auroc"]) for row in history if row["validation_auroc"] is not None]
    right.plot([number for number, _ in known], [area for _, area in known], marker="o", color="tab:green")
    right.set(xlabel="epoch", ylabel="AUROC", title="Good against defective, validation")
    for axes in (left, right):
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
    figure.savefig(file, dpi=110)
    plt.close(figure)


def draw_confusion(table: Sequence[Sequence[int]], classes: Sequence[str], file: Path) -> None:
    """Draw the confusion matrix: shade is the share of the true class, the number counts images."""
    side = max(4.5, 0.8 * len(classes) + 2.5)
    shares = [[cell / max(1, sum(row)) for cell in row] for row in table]
    figure, axes = plt.subplots(figsize=(side, side * 0.9), layout="constrained")
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(classes)), classes, rotation=40, ha="right")
    axes.set_yticks(range(len(classes)), classes)
    axes.set(xlabel="likeliest class", ylabel="true class", title="Test images")
    for row, cells in enumerate(table):
        for column, cell in enumerate(cells):
            dark = shares[row][column] > 0.5
            axes.text(column, row, str(cell), ha="center", va="center", color="white" if dark else "black")
    figure.colorbar(image, ax=axes, shrink=0.8, label="share of the true class")
    figure.savefig(file, dpi=110)
    plt.close(figure)

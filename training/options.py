"""The options of `lineward train`, those it shares with `lineward evaluate` among them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[
    Path, typer.Option(help="Folder of labelled photos, in any format that `lineward dataset formats` lists.")
]
SplitFile = Annotated[
    Path | None,
    typer.Option(help="CSV with file,split, as `lineward dataset split` writes it, instead of a split by the seed."),
]
Out = Annotated[Path, typer.Option(help="The bundle to write: a folder, or a zip when it ends in .zip.")]
Task = Annotated[
    str | None,
    typer.Option(help="classify, anomaly (good parts alone), segment or template; else as the labels allow."),
]
Method = Annotated[
    str | None, typer.Option(help="Of the task anomaly: memory (default) or gaussian, for aligned parts.")
]
Backbone = Annotated[
    str,
    typer.Option(
        help="mobilenet_v2, mobilenet_v3_small, mobilenet_v3_large, resnet18, efficientnet_b0, or our compact."
    ),
]
Weights = Annotated[
    str | None,
    typer.Option(help="State dict FILE to start from, or 'download' for torchvision's; else from scratch."),
]
Epochs = Annotated[int | None, typer.Option(help="Passes over the images; default 8 with weights, 30 without.")]
Size = Annotated[
    str,
    typer.Option(
        help="Input of the model in pixels: SIDE or WIDTHxHEIGHT, native, or auto (224, or what defects need)."
    ),
]
Tile = Annotated[
    int | None,
    typer.Option(help="Cut the input into tiles of this side, or bring each place to it; else as the images need."),
]
BatchSize = Annotated[int, typer.Option(help="Images in a training step.")]
LearningRate = Annotated[
    float | None, typer.Option(help="Peak learning rate; default 1e-4 with weights, 1e-3 without.")
]
Seed = Annotated[int, typer.Option(help="Of the split and of everything random.")]
EscapeTarget = Annotated[
    float | None,
    typer.Option(help="Share of bad parts that may pass, at 95 % confidence. [0.005 unless another is given]"),
]
OverkillTarget = Annotated[
    float | None, typer.Option(help="Share of good parts that may be rejected, at 95 % confidence.")
]
EscapeCost = Annotated[float | None, typer.Option(help="What a bad part that passes costs, in any unit.")]
OverkillCost = Annotated[float | None, typer.Option(help="What a good part that is rejected costs.")]
DefectShare = Annotated[float, typer.Option(help="Share of bad parts on the line, for the costs.")]
FindGroups = Annotated[
    bool, typer.Option(help="Where no groups are stated, keep near duplicates together in the split.")
]
Flips = Annotated[bool, typer.Option(help="Whether a mirrored part keeps its label.")]
Moves = Annotated[bool, typer.Option(help="Whether a part that lies 3 % beside or 4° askew keeps its label.")]
Light = Annotated[bool, typer.Option(help="Whether a part lit 15 % brighter, darker or flatter keeps its label.")]
StartFrom = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="BUNDLE",
        help="Retrain this bundle: its weights, settings and split are kept; --data holds its old photos.",
    ),
]
Add = Annotated[
    list[Path] | None, typer.Option(metavar="DIR", help="With --from: new photos; may be given several times.")
]
GuardedSets = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="DIR",
        help="With --from: photos on which the new bundle may be no worse, else nothing is written; several times.",
    ),
]
PictureLimits = Annotated[
    bool, typer.Option(help="Learn limits of focus, exposure and position, which the station holds.")
]
NoveltyLimit = Annotated[
    bool, typer.Option(help="Learn how far a picture may be off those of the training; beyond it none passes.")
]
Name = Annotated[str | None, typer.Option(help="Name in the card; default from --out.")]
Threads = Annotated[int, typer.Option(help="CPU threads.")]
Device = Annotated[str, typer.Option(help="auto (the GPU where torch can use one), cpu or cuda.")]
Amp = Annotated[str, typer.Option(help="Mixed precision: auto (on a GPU alone), on or off.")]
Sweep = Annotated[
    int | None, typer.Option(help="Try N settings, judge them by the validation images, release the best one.")
]
SweepMinutes = Annotated[float | None, typer.Option(help="Begin no further trial after so many minutes.")]
SweepOver = Annotated[
    str | None,
    typer.Option(help="Of lr, epochs, flips, moves, size, backbone, with commas. [lr,epochs,flips,moves]"),
]
CheckpointSeconds = Annotated[
    float, typer.Option(min=0, max=86400, help="Keep the state so often inside an epoch; 0: after every step.")
]
Tensorboard = Annotated[bool, typer.Option(help="Log the run into BUNDLE.run/tensorboard.")]
Restart = Annotated[bool, typer.Option("--restart", help="Forget an unfinished run instead of going on.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the bundle at --out.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]

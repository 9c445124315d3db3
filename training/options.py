"""The options of `lineward train`, those it shares with `lineward evaluate` among them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from datasets.options import PHOTOS

_MODEL = "Model"
_LEARNING = "Learning"
_LIMITS = "Threshold and limits"
_RETRAINING = "Retraining"
_SWEEP = "Trying settings"
_PROCESSOR = "Processor"

Data = Annotated[
    Path,
    typer.Option(
        help="Folder of labelled photos, in any format that `lineward dataset formats` lists.", rich_help_panel=PHOTOS
    ),
]
SplitFile = Annotated[
    Path | None,
    typer.Option(
        help="CSV with file,split, as `lineward dataset split` writes it, instead of a split by the seed.",
        rich_help_panel=PHOTOS,
    ),
]
Out = Annotated[Path, typer.Option(help="The bundle to write: a folder, or a zip when it ends in .zip.")]
Task = Annotated[
    str | None,
    typer.Option(
        help="classify, anomaly (good parts alone), segment or template; else as the labels allow.",
        rich_help_panel=_MODEL,
    ),
]
Method = Annotated[
    str | None,
    typer.Option(help="Of the task anomaly: memory (default) or gaussian, for aligned parts.", rich_help_panel=_MODEL),
]
Backbone = Annotated[
    str,
    typer.Option(
        help="mobilenet_v2, mobilenet_v3_small, mobilenet_v3_large, resnet18, efficientnet_b0, or our compact.",
        rich_help_panel=_MODEL,
    ),
]
Weights = Annotated[
    str | None,
    typer.Option(
        help="State dict FILE to start from, or 'download' for torchvision's; else from scratch.",
        rich_help_panel=_MODEL,
    ),
]
Epochs = Annotated[
    int | None,
    typer.Option(help="Passes over the images; default 8 with weights, 30 without.", rich_help_panel=_LEARNING),
]
Size = Annotated[
    str,
    typer.Option(
        help="Input of the model in pixels: SIDE or WIDTHxHEIGHT, native, or auto (224, or what defects need).",
        rich_help_panel=_MODEL,
    ),
]
Tile = Annotated[
    int | None,
    typer.Option(
        help="Cut the input into tiles of this side, or bring each place to it; else as the images need.",
        rich_help_panel=_MODEL,
    ),
]
BatchSize = Annotated[int, typer.Option(help="Images in a training step.", rich_help_panel=_LEARNING)]
LearningRate = Annotated[
    float | None,
    typer.Option(help="Peak learning rate; default 1e-4 with weights, 1e-3 without.", rich_help_panel=_LEARNING),
]
Seed = Annotated[int, typer.Option(help="Of the split and of everything random.", rich_help_panel=_LEARNING)]
EscapeTarget = Annotated[
    float | None,
    typer.Option(
        help="Share of bad parts that may pass, at 95 % confidence. [0.005 unless another is given]",
        rich_help_panel=_LIMITS,
    ),
]
OverkillTarget = Annotated[
    float | None,
    typer.Option(help="Share of good parts that may be rejected, at 95 % confidence.", rich_help_panel=_LIMITS),
]
EscapeCost = Annotated[
    float | None, typer.Option(help="What a bad part that passes costs, in any unit.", rich_help_panel=_LIMITS)
]
OverkillCost = Annotated[
    float | None, typer.Option(help="What a good part that is rejected costs.", rich_help_panel=_LIMITS)
]
DefectShare = Annotated[
    float, typer.Option(help="Share of bad parts on the line, for the costs.", rich_help_panel=_LIMITS)
]
FindGroups = Annotated[
    bool,
    typer.Option(
        help="Where no groups are stated, keep near duplicates together in the split.", rich_help_panel=PHOTOS
    ),
]
Flips = Annotated[bool, typer.Option(help="Whether a mirrored part keeps its label.", rich_help_panel=_LEARNING)]
Moves = Annotated[
    bool,
    typer.Option(help="Whether a part that lies 3 % beside or 4° askew keeps its label.", rich_help_panel=_LEARNING),
]
Light = Annotated[
    bool,
    typer.Option(
        help="Whether a part lit 15 % brighter, darker or flatter keeps its label.", rich_help_panel=_LEARNING
    ),
]
StartFrom = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="BUNDLE",
        help="Retrain this bundle: its weights, settings and split are kept; --data holds its old photos.",
        rich_help_panel=_RETRAINING,
    ),
]
Add = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="DIR", help="With --from: new photos; may be given several times.", rich_help_panel=_RETRAINING
    ),
]
GuardedSets = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="DIR",
        help="With --from: photos on which the new bundle may be no worse, else nothing is written; several times.",
        rich_help_panel=_RETRAINING,
    ),
]
PictureLimits = Annotated[
    bool,
    typer.Option(
        help="Learn limits of focus, exposure and position, which the station holds.", rich_help_panel=_LIMITS
    ),
]
NoveltyLimit = Annotated[
    bool,
    typer.Option(
        help="Learn how far a picture may be off those of the training; beyond it none passes.", rich_help_panel=_LIMITS
    ),
]
Name = Annotated[str | None, typer.Option(help="Name in the card; default from --out.")]
Threads = Annotated[int, typer.Option(help="CPU threads.", rich_help_panel=_PROCESSOR)]
Device = Annotated[
    str, typer.Option(help="auto (the GPU where torch can use one), cpu or cuda.", rich_help_panel=_PROCESSOR)
]
Amp = Annotated[
    str, typer.Option(help="Mixed precision: auto (on a GPU alone), on or off.", rich_help_panel=_PROCESSOR)
]
Sweep = Annotated[
    int | None,
    typer.Option(
        help="Try N settings, judge them by the validation images, release the best one.", rich_help_panel=_SWEEP
    ),
]
SweepMinutes = Annotated[
    float | None, typer.Option(help="Begin no further trial after so many minutes.", rich_help_panel=_SWEEP)
]
SweepOver = Annotated[
    str | None,
    typer.Option(
        help="Of lr, epochs, flips, moves, size, backbone, with commas; default: the first four.",
        rich_help_panel=_SWEEP,
    ),
]
CheckpointSeconds = Annotated[
    float, typer.Option(min=0, max=86400, help="Keep the state so often inside an epoch; 0: after every step.")
]
Tensorboard = Annotated[bool, typer.Option(help="Log the run into BUNDLE.run/tensorboard.")]
Restart = Annotated[bool, typer.Option("--restart", help="Forget an unfinished run instead of going on.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the bundle at --out.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]

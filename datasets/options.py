"""Options that several data set commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

PHOTOS = "Photos and labels"  # the heading of these options in the help

Folder = Annotated[Path, typer.Argument(help="Class folders, or any set that 'formats' lists.", metavar="DIR")]
Form = Annotated[
    str | None,
    typer.Option(
        "--format", help="Name of the format; else found by looking into DIR.", metavar="NAME", rich_help_panel=PHOTOS
    ),
]
Annotations = Annotated[
    Path | None,
    typer.Option(
        help="The file with the labels, where it lies elsewhere or several do.", metavar="FILE", rich_help_panel=PHOTOS
    ),
]
Good = Annotated[
    str | None,
    typer.Option(help="The class that passes; else found by its name.", metavar="NAME", rich_help_panel=PHOTOS),
]
Groups = Annotated[
    Path | None, typer.Option(help="CSV with file,group; else groups.csv in DIR.", rich_help_panel=PHOTOS)
]
Weights = Annotated[
    str | None,
    typer.Option(help="State dict FILE of the backbone, or 'download': look for labels that are probably wrong."),
]
Backbone = Annotated[str, typer.Option(help="Network whose features suspect labels are found with.")]
Threads = Annotated[int, typer.Option(min=1, max=256, help="CPU threads.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]

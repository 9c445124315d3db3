"""Options that several data set commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Folder = Annotated[Path, typer.Argument(help="Class folders, or the MVTec-AD layout.", metavar="DIR")]
Good = Annotated[str | None, typer.Option(help="The class that passes; else found by its name.", metavar="NAME")]
Groups = Annotated[Path | None, typer.Option(help="CSV with file,group; else groups.csv in DIR.")]
Weights = Annotated[
    str | None,
    typer.Option(help="State dict FILE of the backbone, or 'download': look for labels that are probably wrong."),
]
Backbone = Annotated[str, typer.Option(help="Network whose features suspect labels are found with.")]
Threads = Annotated[int, typer.Option(min=1, max=256, help="CPU threads.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]

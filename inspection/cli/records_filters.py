"""The filters of stored records, as options of every command that looks for them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from inspection.cli.records_folder import TIMES
from inspection.part import Evaluation, Reason, Verdict

Run = Annotated[str | None, typer.Option(help="Only this start of the line.")]
OfVerdict = Annotated[Verdict | None, typer.Option(case_sensitive=False)]
OfReason = Annotated[Reason | None, typer.Option(case_sensitive=False)]
Since = Annotated[datetime | None, typer.Option(formats=TIMES, help="UTC unless it names its offset.")]
Until = Annotated[datetime | None, typer.Option(formats=TIMES, help="UTC, exclusive.")]
Part = Annotated[int | None, typer.Option(min=0, help="Only this trigger number.")]
Lot = Annotated[str | None, typer.Option(help="Only this lot.")]
Serial = Annotated[str | None, typer.Option(help="Only the part of this serial number.")]
Reviewer = Annotated[str | None, typer.Option(help="Only what this person reviewed, by number.")]
OfEvaluation = Annotated[Evaluation | None, typer.Option(case_sensitive=False)]
Defect = Annotated[str | None, typer.Option(help="Only this most likely type of defect.")]
Score = Annotated[float | None, typer.Option(min=0, max=1)]

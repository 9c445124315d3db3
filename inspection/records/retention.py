"""How long images are kept, by what became of their part; records stay in any case."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import ColumnElement, and_, true

from inspection.part import Reason, Verdict
from inspection.records.tables import RECORDS


class RetentionRule(BaseModel):
    """One of `[[records.retention]]`: the first that fits a record says how old its image becomes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    keep_days: float = Field(gt=0, le=36_500, description="days of 24 h from the part's trigger on")
    verdict: Verdict | None = Field(default=None, description="only images of parts that passed, or were rejected")
    reason: Reason | None = Field(default=None, description="only images of parts rejected for this reason")
    defect: str | None = Field(default=None, max_length=200, description="only images with this most likely defect")

    def fits(self) -> ColumnElement[bool]:
        """Return the condition on the table of records."""
        column = RECORDS.c
        given: list[ColumnElement[bool]] = []
        if self.verdict is not None:
            given.append(column.verdict == self.verdict.value)
        if self.reason is not None:
            given.append(column.reason.concat("") == self.reason.value)  # no index of its own is tempting
        if self.defect is not None:
            given.append(column.defect_class.concat("") == self.defect)
        return and_(*given) if given else true()

    def text(self) -> str:
        """Return it in words, for who reads why an image was removed."""
        told = [str(one) for one in (self.verdict, self.reason, self.defect) if one is not None]
        return f"{' '.join(told) or 'everything else'}: {self.keep_days:g} days"

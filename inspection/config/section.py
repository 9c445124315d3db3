"""What every table of the configuration file has in common."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

NAME_PATTERN = r"[\w.-]{1,64}"


def _check_name(name: str) -> str:
    if not re.fullmatch(NAME_PATTERN, name):
        raise ValueError(f"is {name[:70]!r} — 1 to 64 letters, digits, _ . or - are allowed — choose such a name")
    return name


Name = Annotated[str, AfterValidator(_check_name)]


class Section(BaseModel):
    """A table of the file: unknown keys are refused, values never change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)

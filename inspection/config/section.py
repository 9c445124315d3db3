"""What every table of the configuration file has in common."""

from __future__ import annotations

import re
from typing import Annotated, Any, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationInfo, field_validator

NAME_PATTERN = r"[\w.-]{1,64}"


def _check_name(name: str) -> str:
    if not re.fullmatch(NAME_PATTERN, name):
        raise ValueError(f"is {name[:70]!r} — 1 to 64 letters, digits, _ . or - are allowed — choose such a name")
    return name


Name = Annotated[str, AfterValidator(_check_name)]


class Section(BaseModel):
    """A table of the file: unknown keys are refused, values never change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)

    @field_validator("*", mode="before")
    @classmethod
    def _numbers_are_numbers(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse `true` and `"0.4"` where a number is meant: a threshold of true would be 1.0, and reject nothing."""
        if not isinstance(value, bool | str) or info.field_name is None:
            return value
        kinds = _kinds(cls.model_fields[info.field_name].annotation)
        if kinds & {int, float} and type(value) not in kinds and kinds <= {int, float, bool, type(None)}:
            number = "a number" if float in kinds else "a whole number"
            raise ValueError(f"is {value!r} — {number} is needed — write it without quotes")
        return value


def _kinds(annotation: Any) -> set[Any]:
    """Return the types that an annotation is made of."""
    inner = get_args(annotation)
    return {annotation} if not inner else set().union(*map(_kinds, inner))

"""What every table of the configuration file has in common."""

from __future__ import annotations

import re
from typing import Annotated, Any, get_args, get_origin

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
        kinds = set() if info.field_name is None else kinds_of(cls.model_fields[info.field_name].annotation)
        if problem := unfit_number(value, kinds):
            raise ValueError(problem)
        return value


def unfit_number(value: Any, kinds: set[Any]) -> str:
    """Return what is wrong with `true` or a text where a number is meant; '' where nothing is."""
    if not isinstance(value, bool | str) or not kinds & {int, float} or type(value) in kinds:
        return ""
    if not kinds <= {int, float, bool, type(None)}:
        return ""
    number = "a number" if float in kinds else "a whole number"
    return f"is {value!r} — {number} is needed — write it without quotes"


def kinds_of(annotation: Any) -> set[Any]:
    """Return the types that an annotation is made of."""
    inner = get_args(annotation)[:1] if get_origin(annotation) is Annotated else get_args(annotation)
    return {annotation} if not inner else set().union(*map(kinds_of, inner))

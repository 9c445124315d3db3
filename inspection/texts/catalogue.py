"""Reading a language's catalogue and filling its texts with values."""

from __future__ import annotations

import string
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from inspection.texts.sentences import ended

FOLDER = Path(__file__).resolve().parent

LANGUAGES: Mapping[str, str] = {"en": "English", "ko": "한국어"}
"""Code and own name of each language that has a catalogue, in the order in which a page offers them."""


class _Shown(dict[str, str]):
    """Values for a text; one that the station did not send is shown as a question mark, never as a crash."""

    def __missing__(self, key: str) -> str:
        return "?"


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All texts of one language by dotted key (`alarm.CAMERA_LOST.remedy`). Immutable, for any thread."""

    language: str
    texts: Mapping[str, str]

    def text(self, key: str, **values: object) -> str:
        """Return the text of a key with its values filled in. Raises KeyError for a key that no catalogue has."""
        return self.texts[key].format_map(_Shown((name, str(value)) for name, value in values.items()))

    def alarm(self, name: str, values: Mapping[str, str]) -> tuple[str, str]:
        """Return text and remedy of an alarm; one that this catalogue lacks is shown by its name.

        The value `why` is a name that has words of its own (`alarm_value.NEVER`).
        """
        if f"alarm.{name}.text" not in self.texts:
            return self.text("alarm_unknown.text", name=name), self.text("alarm_unknown.remedy", name=name)
        said = (
            {**values, "why": self.texts.get(f"alarm_value.{values['why']}", values["why"])}
            if "why" in values
            else values
        )
        return ended(self.text(f"alarm.{name}.text", **said)), ended(self.text(f"alarm.{name}.remedy", **said))

    def placeholders(self, key: str) -> frozenset[str]:
        """Return the names of the values that the text of a key takes."""
        return frozenset(name for _, name, _, _ in string.Formatter().parse(self.texts[key]) if name is not None)


@cache
def load_catalogue(language: str) -> Catalogue:
    """Read a language's catalogue, once. Raises ValueError for a language that has none."""
    if language not in LANGUAGES:
        raise ValueError(f"language {language!r} has no catalogue: choose one of {', '.join(LANGUAGES)}")
    with (FOLDER / f"{language}.toml").open("rb") as file:
        return Catalogue(language, dict(_flat(tomllib.load(file))))


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value

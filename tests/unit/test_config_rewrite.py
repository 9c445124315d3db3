"""Values as a station's file has them."""

from __future__ import annotations

import tomllib
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from inspection.config.rewrite import toml_value

_NUMBERS = st.booleans() | st.integers(-(2**40), 2**40) | st.integers(-(10**6), 10**6).map(lambda one: one / 10)
_TEXTS = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), max_size=12)
_VALUES = st.recursive(
    _NUMBERS | _TEXTS,
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=30,
)


@settings(max_examples=60, deadline=None)
@given(_VALUES)
def test_what_is_written_is_read_back(value: Any) -> None:
    """Truth values, numbers, texts, long lists and tables; a tuple is a list."""
    assert tomllib.loads(f"key = {_inline(value)}")["key"] == value


def _inline(value: Any) -> str:
    return toml_value(tuple(value) if isinstance(value, list) else value)

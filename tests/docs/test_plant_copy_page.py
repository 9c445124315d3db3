"""The page about the plant's copy: its configuration is one, and nothing that may be set is missing from it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from inspection.config.example import EXAMPLE
from inspection.plant.options import PlantOptions

PAGE = (Path(__file__).parents[2] / "docs" / "plant-copy.md").read_text("utf-8")
KEYS = {field.alias or name for name, field in PlantOptions.model_fields.items()}


def test_the_configuration_on_the_page_is_one() -> None:
    """As it stands there."""
    block = re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert block is not None
    assert PlantOptions.model_validate(tomllib.loads(block[1])["plant"]).db_schema == "line_3"


def test_page_and_example_have_every_key() -> None:
    """By its name."""
    for text in (PAGE, EXAMPLE):
        assert {key for key in KEYS if key not in text} == set()


def test_every_secret_is_named_where_it_is_and_never_told() -> None:
    """No key of the table may hold a password itself."""
    assert {key for key in KEYS if "password" in key or "secret" in key or "key" in key} == {
        "password_file", "password_env", "secret_file", "secret_env", "key_env",
    }  # fmt: skip

"""The page about states says what the tables say."""

from __future__ import annotations

from pathlib import Path

from inspection.state_document import page


def test_the_page_is_the_one_that_the_tables_give() -> None:
    """Whoever changes a table writes the page anew: `python -m inspection.state_document docs/states.md`."""
    assert (Path(__file__).parents[2] / "docs" / "states.md").read_text("utf-8") == page()

"""The language in which the page begins."""

from __future__ import annotations

import pytest

from inspection.page.browser_language import browser_language


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("ko-KR,ko;q=0.9,en-US;q=0.8,en;q=0.7", "ko"),
        ("en-US,en;q=0.9,ko;q=0.8", "en"),
        ("de-DE, de;q=0.9, ko;q=0.5, en;q=0.3", "ko"),
        ("en;q=0.2 , KO ; q=0.7", "ko"),
        ("ko;q=0, de", "en"),
        ("kok, korean", "en"),
        ("*", "en"),
        ("", "en"),
        ("ko;q=2", "en"),
        ("ko;q=nan,;;,\x00", "en"),
        ("x," * 100_000 + "ko", "en"),
    ],
)
def test_a_browser_gets_what_it_asks_for_most(accepted: str, language: str) -> None:
    """Of our languages the one of the highest weight; what cannot be read asks for nothing."""
    assert browser_language(accepted, ("en", "ko"), "en") == language

"""What can go wrong with the operators' page.

PageError           anything below
├── PageUsageError  an option that is not allowed: exit code 2
└── PortTakenError  the page's port cannot be had: exit code 1
"""

from __future__ import annotations


class PageError(Exception):
    """Base of the page's errors; `exit_code` is what the command ends with."""

    exit_code = 1


class PageUsageError(PageError):
    """An option of the page has a value that is not allowed."""

    exit_code = 2


class PortTakenError(PageError):
    """The page cannot listen where it was asked to."""

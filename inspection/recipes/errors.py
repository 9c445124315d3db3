"""What can go wrong with recipes.

RecipeError              anything below
├── RecipeMissingError   there is no such recipe, or no such version
├── RecipeContentError   its content does not describe one, or does not fit the station
└── RecipeInUseError     it cannot be removed, or another one is just being prepared
"""

from __future__ import annotations


class RecipeError(Exception):
    """Base of the errors about recipes; `exit_code` is what a command line ends with."""

    exit_code = 1


class RecipeMissingError(RecipeError):
    """No such recipe, or no such version of it."""


class RecipeContentError(RecipeError):
    """The content is no recipe, does not fit the station, or was changed after it was stored."""

    exit_code = 2


class RecipeInUseError(RecipeError):
    """The recipe is prepared, or another one is being prepared."""

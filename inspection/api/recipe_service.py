"""RecipeService: the versions that the station keeps; which one it goes by is told to StationService."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Protocol, TypeVar

import grpc

from inspection.api import v1 as pb
from inspection.api import v1_grpc as pb_grpc
from inspection.api.answers import Context, unary
from inspection.api.callers import caller_name
from inspection.api.errors import RefusedError
from inspection.api.messages import recipe_ref_message
from inspection.api.paging import page_of
from inspection.api.refusals import carried_out
from inspection.control import LineControl
from inspection.recipes.content import Recipe, RecipeRef
from inspection.recipes.errors import RecipeContentError, RecipeMissingError

MAX_TEXT = 1_000_000
_Answer = TypeVar("_Answer")


class RecipePort(Protocol):
    """The recipes of a station; implemented by `inspection.recipes.preparing.Preparing`, safe from any thread."""

    @property
    def prepared(self) -> RecipeRef | None:
        """The recipe that parts are inspected with."""

    def every(self) -> list[Recipe]:
        """Return every version of every recipe, the station's own first. Raises RecipeContentError."""

    def get(self, name: str, version: int | None) -> Recipe:
        """Return a version, the newest when none is named. Raises RecipeError."""

    def check(self, text: str) -> None:
        """Raise RecipeContentError unless a text is a recipe of this station."""

    def add(self, name: str, text: str, who: str) -> Recipe:
        """Store a text as the next version. Raises RecipeError, RecordsError."""

    def remove(self, name: str, version: int, who: str) -> Recipe:
        """Mark a version as removed. Raises RecipeError, RecordsError."""


class RecipeService(pb_grpc.RecipeServiceServicer):
    """Owned by the server; its methods run on the server's event loop, whatever reads or writes the disk in `calls`."""

    def __init__(self, control: LineControl, recipes: RecipePort, calls: Executor) -> None:
        self._control, self._recipes, self._calls = control, recipes, calls

    @unary
    async def ListRecipes(  # noqa: N802 - the name in the proto
        self, request: pb.ListRecipesRequest, _context: Context
    ) -> pb.ListRecipesResponse:
        """Return the versions of every recipe, without their texts."""
        every = await self._stored(self._recipes.every)
        shown = [recipe for recipe in every if request.show_removed or not recipe.is_removed]
        page, token = page_of(shown, _key, request.page_size, request.page_token, request.show_removed)
        return pb.ListRecipesResponse(recipes=[self._message(one, whole=False) for one in page], next_page_token=token)

    @unary
    async def GetRecipe(  # noqa: N802 - the name in the proto
        self, request: pb.GetRecipeRequest, _context: Context
    ) -> pb.GetRecipeResponse:
        """Return one version with its text."""
        found = await self._stored(lambda: self._recipes.get(request.name, request.version or None))
        return pb.GetRecipeResponse(recipe=self._message(found))

    @unary
    async def CreateRecipe(  # noqa: N802 - the name in the proto
        self, request: pb.CreateRecipeRequest, _context: Context
    ) -> pb.CreateRecipeResponse:
        """Store a text as the next version of a name."""
        who, text = caller_name(), _short(request.text)
        added = await self._call(lambda: self._recipes.add(request.name, text, who))
        return pb.CreateRecipeResponse(recipe=self._message(added))

    @unary
    async def CheckRecipe(  # noqa: N802 - the name in the proto
        self, request: pb.CheckRecipeRequest, _context: Context
    ) -> pb.CheckRecipeResponse:
        """Say whether a text would be a recipe of this station."""
        text = _short(request.text)
        try:
            await asyncio.get_running_loop().run_in_executor(self._calls, self._recipes.check, text)
        except RecipeContentError as error:
            return pb.CheckRecipeResponse(problems=str(error))
        return pb.CheckRecipeResponse()

    @unary
    async def DeleteRecipe(  # noqa: N802 - the name in the proto
        self, request: pb.DeleteRecipeRequest, _context: Context
    ) -> pb.DeleteRecipeResponse:
        """Mark a version as removed."""
        who = caller_name()
        removed = await self._call(lambda: self._recipes.remove(request.name, request.version, who))
        return pb.DeleteRecipeResponse(recipe=self._message(removed))

    def _message(self, recipe: Recipe, *, whole: bool = True) -> pb.Recipe:
        return pb.Recipe(
            ref=recipe_ref_message(recipe.ref),
            text=recipe.text if whole else "",
            stored_wall_ns=recipe.stored_wall_ns,
            is_removed=recipe.is_removed,
            is_prepared=recipe.ref == self._recipes.prepared,
        )

    async def _stored(self, read: Callable[[], _Answer]) -> _Answer:
        """Read what is stored; content that is wrong was changed on the disk: lost, and no fault of a caller."""

        def found() -> _Answer:
            try:
                return read()
            except RecipeMissingError:
                raise
            except RecipeContentError as error:
                raise RefusedError(grpc.StatusCode.DATA_LOSS, "RECIPE", str(error)) from error

        return await self._call(found)

    async def _call(self, function: Callable[[], _Answer]) -> _Answer:
        run = asyncio.get_running_loop().run_in_executor
        return await run(self._calls, lambda: carried_out(self._control, function))


def _key(recipe: Recipe) -> str:
    return f"{recipe.ref.name}/{recipe.ref.version}"


def _short(text: str) -> str:
    if len(text) > MAX_TEXT:
        raise RefusedError(
            grpc.StatusCode.INVALID_ARGUMENT,
            "RECIPE",
            f"the text has {len(text)} characters — at most {MAX_TEXT} are allowed — leave out what is no recipe",
            field="text",
        )
    return text

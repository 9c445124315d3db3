"""ModelService: the models that the station's file and its recipes name."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, TypeVar

import grpc

from inspection.api import v1 as pb
from inspection.api import v1_grpc as pb_grpc
from inspection.api.answers import Context, unary
from inspection.api.errors import RefusedError
from inspection.api.kserve.model import LoadedModel, ModelPort
from inspection.api.messages import recipe_ref_message
from inspection.api.paging import page_of
from inspection.api.recipe_service import RecipePort
from inspection.control import StateError
from inspection.recipes.content import Recipe
from models.bundle import load_bundle
from models.card import Card
from models.errors import ModelError
from models.references import resolve_bundle

_Answer = TypeVar("_Answer")


class ModelService(pb_grpc.ModelServiceServicer):
    """Owned by the server; its methods run on the server's event loop, whatever reads the disk in `calls`."""

    def __init__(self, recipes: RecipePort, model: ModelPort, calls: Executor) -> None:
        self._recipes, self._model, self._calls = recipes, model, calls

    @unary
    async def ListModels(  # noqa: N802 - the name in the proto
        self, request: pb.ListModelsRequest, _context: Context
    ) -> pb.ListModelsResponse:
        """Return every model that is named, the loaded one first."""
        every = await self._call(self._every)
        page, token = page_of(every, _key, request.page_size, request.page_token)
        return pb.ListModelsResponse(models=page, next_page_token=token)

    @unary
    async def GetModel(  # noqa: N802 - the name in the proto
        self, request: pb.GetModelRequest, _context: Context
    ) -> pb.GetModelResponse:
        """Return one model."""
        for model in await self._call(self._every):
            if model.digest and (model.digest == request.digest or (model.is_loaded and not request.digest)):
                return pb.GetModelResponse(model=model)
        text = f"there is no model {request.digest[:70] or '(loaded)'} — ListModels names those that are there"
        raise RefusedError(grpc.StatusCode.NOT_FOUND, "MODEL", text, field="digest")

    def _every(self) -> list[pb.Model]:
        """Read the card of each bundle that is named, once; a bundle's files are checked against it."""
        loaded = self._loaded()
        by_reference: dict[str, pb.Model] = {}
        for recipe in self._recipes.every():
            reference = _bundle_of(recipe)
            if not reference or recipe.is_removed:
                continue
            if reference not in by_reference:
                by_reference[reference] = _read(reference, loaded)
            by_reference[reference].recipes.append(recipe_ref_message(recipe.ref))
        models = list(by_reference.values())
        if loaded is not None and not any(model.is_loaded for model in models):  # its files were changed since
            models.append(_message(loaded.card, loaded.digest, loaded))
        return sorted(models, key=lambda model: not model.is_loaded)

    def _loaded(self) -> LoadedModel | None:
        try:
            return self._model.loaded_model()
        except StateError:
            return None

    async def _call(self, function: Callable[[], _Answer]) -> _Answer:
        return await asyncio.get_running_loop().run_in_executor(self._calls, function)


def _bundle_of(recipe: Recipe) -> str:
    table: Any = recipe.content.get("model", {})
    return str(table.get("bundle", "")) if isinstance(table, dict) else ""


def _read(reference: str, loaded: LoadedModel | None) -> pb.Model:
    try:
        bundle = load_bundle(resolve_bundle(reference))
    except (ModelError, OSError) as error:
        return pb.Model(name=Path(reference).name, problem=str(error))
    return _message(bundle.card, bundle.digest, loaded)


def _message(card: Card, digest: str, loaded: LoadedModel | None) -> pb.Model:
    is_loaded = loaded is not None and loaded.digest == digest
    return pb.Model(
        digest=digest,
        name=card.name,
        task=card.task,
        classes=card.classes,
        good_class=card.good_class,
        threshold=card.threshold.value,
        input_width=card.input.width,
        input_height=card.input.height,
        input_channels=card.input.channels,
        is_loaded=is_loaded,
        provider=loaded.provider if is_loaded and loaded is not None else "",
    )


def _key(model: pb.Model) -> str:
    return model.digest or model.name

"""`lineward recipes`: add, list, show, check and remove recipes in the folder where the station finds them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inspection.cli.records_folder import Who
from inspection.plain_text import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from inspection.config import StationConfig
    from inspection.recipes.changes import Change
    from inspection.recipes.content import Recipe
    from inspection.recipes.store import RecipeStore

app = typer.Typer(help="What belongs to a product, in versions that never change.", no_args_is_help=True)

Config = Annotated[Path, typer.Argument(metavar="FILE", help="The station's TOML file.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="The recipe's name.")]
Text = Annotated[Path, typer.Argument(metavar="RECIPE", help="A TOML file with the tables that belong to the product.")]
Version = Annotated[int | None, typer.Option("--version", min=1, help="The newest that is not removed when left out.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")]


@app.callback()
def _group() -> None:
    """What belongs to a product, in versions that never change."""


@app.command()
def add(file: Config, name: Name, recipe: Text, who: Who = None, as_json: Json = False) -> None:
    """Check a recipe against the station's file, store it as the next version of its name, and write down who did."""
    from inspection.recipes.changes import Change

    config, store = _station(file)
    text = _text(recipe)
    _checked(config, text, str(recipe))
    stored = _noted(config, store, Change.ADDED, who, lambda: store.add(name, text))
    _say(_told(stored), f"recipe {stored.ref} is stored, sha256 {stored.ref.sha256}", as_json=as_json)


@app.command()
def check(file: Config, recipe: Text, as_json: Json = False) -> None:
    """Say whether a recipe fits the station's file, with all problems together; nothing is stored."""
    from inspection.recipes.content import content_hash, parse_content

    config, _ = _station(file)
    text = _text(recipe)
    _checked(config, text, str(recipe))
    digest = content_hash(parse_content(text, str(recipe)))
    _say({"ok": True, "sha256": digest}, f"{recipe}: fits {file}, sha256 {digest}", as_json=as_json)


@app.command("list")
def list_recipes(file: Config, as_json: Json = False) -> None:
    """List every version of every recipe."""
    _, store = _station(file)
    recipes = store.every()
    rows = [
        f"{recipe.ref.name}  {recipe.ref.version}  {recipe.ref.sha256[:12]}  {_moment(recipe)}"
        f"{'  removed' if recipe.is_removed else ''}"
        for recipe in recipes
    ]
    _say({"recipes": [_told(one) for one in recipes]}, "\n".join(rows) or "no recipe is stored", as_json=as_json)


@app.command()
def show(file: Config, name: Name, version: Version = None, as_json: Json = False) -> None:
    """Print a version's content as it was stored; a removed one, too."""
    _, store = _station(file)
    recipe = store.get(name, version)
    _say({**_told(recipe), "content": recipe.content, "text": recipe.text}, recipe.text.rstrip(), as_json=as_json)


@app.command()
def remove(
    file: Config,
    name: Name,
    version: Annotated[int, typer.Option("--version", min=1, help="Which version.")],
    who: Who = None,
    as_json: Json = False,
) -> None:
    """Mark a version as removed, and write down who did: it is prepared no more, and stays readable for its records."""
    from inspection.recipes.changes import Change

    config, store = _station(file)

    def mark() -> Recipe:
        _refuse_prepared(config, name, version)
        store.remove(name, version)
        return store.get(name, version)

    removed = _noted(config, store, Change.REMOVED, who, mark)
    _say(_told(removed), f"recipe {name} (version {version}) is removed", as_json=as_json)


def _station(file: Path) -> tuple[StationConfig, RecipeStore]:
    from inspection.config import load_config
    from inspection.recipes.store import FOLDER, RecipeStore

    config = load_config(file)
    return config, RecipeStore(config.records.dir / FOLDER)


def _noted(
    config: StationConfig, store: RecipeStore, change: Change, who: str | None, make: Callable[[], Recipe]
) -> Recipe:
    """Make a change and write it into the book of entries: into the store itself, or through the station that runs.

    The book is opened first: where nothing can be written down, nothing is changed. Raises RecipeError, RecordsError.
    """
    from inspection.cli.station_book import ask_station, asker, login, station_book
    from inspection.recipes.changes import REQUEST_FOLDER, note_change, request
    from inspection.recipes.errors import RecipeError

    by, caller = asker(who, RecipeError), f"command line of {printable(login())}"
    with station_book(config.records.dir, make=True) as book:
        changed = make()
        if book is not None:
            note_change(store, book, changed, change, by, caller)
            return changed
    asked = request(changed, change, by, caller)
    ask_station(config.records.dir / REQUEST_FOLDER, asked, f"recipe {changed.ref}", RecipeError)
    return changed


def _text(recipe: Path) -> str:
    from inspection.recipes.errors import RecipeContentError

    try:
        return recipe.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeContentError(f"{recipe}: cannot be read as text ({error}) — name a TOML file") from None


def _checked(config: StationConfig, text: str, source: str) -> None:
    from inspection.recipes.content import merged, parse_content

    merged(config, parse_content(text, source), source)


def _refuse_prepared(config: StationConfig, name: str, version: int) -> None:
    """Raise RecipeInUseError for the recipe that the station prepared last: it prepares it again at its next start."""
    from inspection.recipes.errors import RecipeInUseError
    from inspection.recipes.preparing import last_prepared
    from inspection.records.errors import RecordsError
    from inspection.records.reader import RecordReader

    try:
        reader = RecordReader(config.records.dir)
    except RecordsError:
        return  # no station has ever run with this folder
    try:
        if last_prepared(reader) == (name, version):
            raise RecipeInUseError(
                f"recipe {name} (version {version}): is prepared — it is removed when it is not — prepare another one"
            )
    finally:
        reader.close()


def _told(recipe: Recipe) -> dict[str, Any]:
    return {
        "ok": True,
        "name": recipe.ref.name,
        "version": recipe.ref.version,
        "sha256": recipe.ref.sha256,
        "is_removed": recipe.is_removed,
        "stored": _moment(recipe),
    }


def _moment(recipe: Recipe) -> str:
    return datetime.fromtimestamp(recipe.stored_wall_ns / 1e9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _say(told: dict[str, Any], text: str, *, as_json: bool) -> None:
    typer.echo(json.dumps(told, default=str) if as_json else text)

"""RecipeService and ModelService on a real station."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from api_calls import Calls, belt_service, code_and_reason, refused
from tiny_bundle import write_tiny_bundle

from inspection.api import v1 as pb
from inspection.service import Service

Running = tuple[Service, Calls]
STRICT = "[model]\nthreshold = 0.0\n"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A station on an endless belt of good parts, its line stopped."""
    with belt_service(tmp_path_factory.mktemp("station")) as found:
        yield found


def create(calls: Calls, name: str, text: str = STRICT) -> pb.Recipe:
    found: pb.Recipe = calls.recipes.CreateRecipe(pb.CreateRecipeRequest(name=name, text=text)).recipe
    return found


def test_versions_are_stored_read_and_removed(running: Running) -> None:
    """Text and hash come back; the same text once more changes nothing; what was removed is shown when asked for."""
    _, calls = running
    first = create(calls, "bottle")
    assert (first.ref.name, first.ref.version, first.text, first.is_prepared) == ("bottle", 1, STRICT, False)
    assert first.stored_wall_ns > 0
    assert create(calls, "bottle") == first
    second = create(calls, "bottle", "[model]\nthreshold = 0.25\n")
    assert second.ref.version == 2
    assert calls.recipes.GetRecipe(pb.GetRecipeRequest(name="bottle")).recipe == second
    assert calls.recipes.GetRecipe(pb.GetRecipeRequest(name="bottle", version=1)).recipe == first
    own = calls.recipes.GetRecipe(pb.GetRecipeRequest(name="station")).recipe
    assert (own.ref.version, own.is_prepared) == (0, True)
    removing = pb.DeleteRecipeRequest(name="bottle", version=2)
    for _ in range(2):
        removed = calls.recipes.DeleteRecipe(removing).recipe
        assert (removed.ref, removed.is_removed) == (second.ref, True)
    assert calls.recipes.GetRecipe(pb.GetRecipeRequest(name="bottle")).recipe == first
    listed = names(calls, show_removed=True)
    assert ("bottle", 2) in listed
    assert ("bottle", 2) not in names(calls)
    assert listed[0] == ("station", 0)


def names(calls: Calls, **asked: bool) -> list[tuple[str, int]]:
    found = calls.recipes.ListRecipes(pb.ListRecipesRequest(**asked)).recipes
    assert not any(one.text for one in found)
    return [(one.ref.name, one.ref.version) for one in found]


def test_pages_hold_every_version_once(running: Running) -> None:
    """However small a page is, together they are the whole list; a token belongs to its own list."""
    _, calls = running
    for number in range(5):
        create(calls, f"paged-{number}")
    seen, token = [], ""
    while True:
        page = calls.recipes.ListRecipes(pb.ListRecipesRequest(page_size=2, page_token=token))
        seen += [(one.ref.name, one.ref.version) for one in page.recipes]
        token = page.next_page_token or token
        if not page.next_page_token:
            break
    assert seen == names(calls)
    other = pb.ListRecipesRequest(page_token=token, show_removed=True)
    assert code_and_reason(calls.recipes.ListRecipes, other) == ("INVALID_ARGUMENT", "PAGE")


@pytest.mark.parametrize(
    "asked", [{"page_size": -1}, {"page_size": 1001}, {"page_token": "no"}, {"page_token": "AAAA"}]
)
@pytest.mark.parametrize("service", ["recipes", "models", "lots"])
def test_a_page_that_is_none(running: Running, service: str, asked: dict[str, object]) -> None:
    """Sizes outside the limits and tokens of nobody are INVALID_ARGUMENT, reason PAGE."""
    _, calls = running
    method, request = {
        "recipes": (calls.recipes.ListRecipes, pb.ListRecipesRequest),
        "models": (calls.models.ListModels, pb.ListModelsRequest),
        "lots": (calls.lots.ListLots, pb.ListLotsRequest),
    }[service]
    assert code_and_reason(method, request(**asked)) == ("INVALID_ARGUMENT", "PAGE")


BAD_TEXTS = {
    "empty": "",
    "no TOML": "[model",
    "a table of the station's": "[ejector]\ndriver = 'simulated'\n",
    "a number for a table": "model = 5\n",
    "a list for a table": "quality = [1, 2]\n",
    "a number for the fusion": "fusion = true\n",
    "a number for where the model runs": "inference = 5\n",
    "a list for a camera's name": "[camera]\nname = [1]\n",
    "a number for a region": "region = 5\n",
    "a number for a camera": "camera = 5\n",
    "a list in a camera list": "camera = [[1]]\n",
    "a camera that is not there": "[camera]\nname = 'side'\n",
    "a threshold beyond": "[model]\nthreshold = 7.0\n",
    "not a number": "[model]\nthreshold = nan\n",
    "a number beyond all": f"[model]\nthreshold = {'9' * 5000}\n",
    "a date": "[model]\nthreshold = 2026-01-01\n",
    "an unknown key": "[model]\nnonsense = 1\n",
    "deep": "x = " + "[" * 100_000,
    "deep keys": "model" + ".a" * 50_000 + " = 1\n",
    "many unknown keys": "".join(f"unknown_{number} = 1\n" for number in range(10_000)),
    "a long unknown key": "[model]\n" + "ü" * 100_000 + " = 1\n",
    "a long hexadecimal number": "[model]\nthreshold = 0x" + "f" * 50_000 + "\n",
    "a day that is none": "[model]\nthreshold = 2026-13-45\n",
    "an escaped character without a face": '[model]\nbundle = "a\\u0000b"\n',
    "characters without a face": "[model]\nbundle = 'a\u0000b'\n",
}


@pytest.mark.parametrize("text", BAD_TEXTS.values(), ids=BAD_TEXTS.keys())
def test_what_is_no_recipe_is_told_and_not_stored(running: Running, text: str) -> None:
    """CheckRecipe says what is wrong, CreateRecipe refuses it with the same reason, and no version comes of it."""
    _, calls = running
    told = calls.recipes.CheckRecipe(pb.CheckRecipeRequest(text=text)).problems
    assert told
    error = refused(calls.recipes.CreateRecipe, pb.CreateRecipeRequest(name="bad", text=text))
    assert (error.code.name, error.reason) == ("INVALID_ARGUMENT", "RECIPE")
    assert len(str(error)) < 4000, "a refusal is text for a person, and must fit into the trailing metadata"
    assert "bad" not in {name for name, _ in names(calls, show_removed=True)}


def test_a_recipe_that_fits_has_no_problems(running: Running) -> None:
    """Nothing is stored by asking."""
    _, calls = running
    assert calls.recipes.CheckRecipe(pb.CheckRecipeRequest(text=STRICT)).problems == ""
    assert "checked" not in {name for name, _ in names(calls)}


def test_a_text_that_is_too_long(running: Running) -> None:
    """One million characters are the limit, for the check, too."""
    _, calls = running
    text = STRICT + "#" * 1_000_000
    for call, request in (
        (calls.recipes.CreateRecipe, pb.CreateRecipeRequest(name="long", text=text)),
        (calls.recipes.CheckRecipe, pb.CheckRecipeRequest(text=text)),
    ):
        assert code_and_reason(call, request) == ("INVALID_ARGUMENT", "RECIPE")


NO_NAMES = ["", "station", ".hidden", "../../etc", "a/b", "x" * 65, "a b", "a\n", "a\u0000", "-x", "--help"]


@pytest.mark.parametrize("name", NO_NAMES)
def test_a_name_that_is_none(running: Running, name: str) -> None:
    """It never reaches the disk."""
    _, calls = running
    request = pb.CreateRecipeRequest(name=name, text=STRICT)
    assert code_and_reason(calls.recipes.CreateRecipe, request) == ("INVALID_ARGUMENT", "RECIPE")


def test_the_stations_own_recipe_has_no_versions(running: Running) -> None:
    """Version 0 is what its file holds; another one is not there, to be read or prepared."""
    _, calls = running
    assert calls.recipes.GetRecipe(pb.GetRecipeRequest(name="station", version=0)).recipe.ref.version == 0
    for call, request in (
        (calls.recipes.GetRecipe, pb.GetRecipeRequest(name="station", version=1)),
        (calls.station.PrepareRecipe, pb.PrepareRecipeRequest(name="station", version=1)),
    ):
        assert code_and_reason(call, request) == ("NOT_FOUND", "RECIPE")


def test_a_folder_that_is_no_bundle_is_not_listed_to_a_client(running: Running, tmp_path: Path) -> None:
    """Whoever may store recipes hears that there is no bundle, and no name of what is there."""
    _, calls = running
    (tmp_path / "id_ed25519.private").mkdir()
    calls.recipes.CreateRecipe(pb.CreateRecipeRequest(name="curious", text=f"[model]\nbundle = '{tmp_path}'\n"))
    error = refused(calls.station.PrepareRecipe, pb.PrepareRecipeRequest(name="curious"))
    assert "card.json missing" in str(error)
    assert "id_ed25519" not in str(error)


def test_versions_that_are_not_there(running: Running) -> None:
    """NOT_FOUND for reading and removing, whatever number is named."""
    _, calls = running
    create(calls, "one")
    for version in (2, -1, 2**31 - 1, -(2**31)):
        reading = pb.GetRecipeRequest(name="one", version=version)
        assert code_and_reason(calls.recipes.GetRecipe, reading) == ("NOT_FOUND", "RECIPE")
        removing = pb.DeleteRecipeRequest(name="one", version=version)
        assert code_and_reason(calls.recipes.DeleteRecipe, removing) == ("NOT_FOUND", "RECIPE")
    assert code_and_reason(calls.recipes.GetRecipe, pb.GetRecipeRequest(name="none")) == ("NOT_FOUND", "RECIPE")
    own = pb.DeleteRecipeRequest(name="station")
    assert code_and_reason(calls.recipes.DeleteRecipe, own) == ("FAILED_PRECONDITION", "RECIPE_IN_USE")


def test_the_prepared_recipe_stays(running: Running) -> None:
    """It is marked as prepared, judges by its own hash, and is not removed."""
    _, calls = running
    ref = create(calls, "mine").ref
    answer = calls.station.PrepareRecipe(pb.PrepareRecipeRequest(name="mine"))
    assert (answer.recipe, pb.State.Name(answer.state)) == (ref, "STATE_READY")
    try:
        assert calls.recipes.GetRecipe(pb.GetRecipeRequest(name="mine")).recipe.is_prepared
        removing = pb.DeleteRecipeRequest(name="mine", version=ref.version)
        error = refused(calls.recipes.DeleteRecipe, removing)
        assert (error.code.name, error.reason) == ("FAILED_PRECONDITION", "RECIPE_IN_USE")
        assert error.metadata == {"state": "READY"}
        own = pb.DeleteRecipeRequest(name="station")
        assert code_and_reason(calls.recipes.DeleteRecipe, own) == ("INVALID_ARGUMENT", "RECIPE")
    finally:
        calls.station.PrepareRecipe(pb.PrepareRecipeRequest(name="station"))


def test_a_recipe_that_was_changed_on_the_disk_is_lost(tmp_path: Path) -> None:
    """DATA_LOSS for reading, listing and the models that are named; never another content under the old name."""
    with belt_service(tmp_path) as (service, calls):
        create(calls, "bottle")
        file = service.config.records.dir / "recipes" / "bottle" / "1.toml"
        file.write_text(file.read_text().replace("0.0", "1.0"))
        for call, request in (
            (calls.recipes.GetRecipe, pb.GetRecipeRequest(name="bottle")),
            (calls.recipes.ListRecipes, pb.ListRecipesRequest()),
            (calls.models.ListModels, pb.ListModelsRequest()),
            (calls.models.GetModel, pb.GetModelRequest()),
        ):
            assert code_and_reason(call, request) == ("DATA_LOSS", "RECIPE"), request
        file.write_bytes(b"\xff\xfe")
        assert code_and_reason(calls.recipes.GetRecipe, pb.GetRecipeRequest(name="bottle")) == ("DATA_LOSS", "RECIPE")


def test_a_folder_that_cannot_be_written_refuses_a_recipe(tmp_path: Path) -> None:
    """UNAVAILABLE with the reason, and reading goes on."""
    with belt_service(tmp_path) as (service, calls):
        (service.config.records.dir / "recipes").write_text("a file where a folder should be")
        request = pb.CreateRecipeRequest(name="bottle", text=STRICT)
        assert code_and_reason(calls.recipes.CreateRecipe, request) == ("UNAVAILABLE", "RECORDS")
        assert names(calls) == [("station", 0)]


def test_models_are_those_that_recipes_name(tmp_path: Path) -> None:
    """The loaded one comes first; one that cannot be read says why; each names its recipes; digests find them."""
    other = write_tiny_bundle(tmp_path / "other")
    with belt_service(tmp_path) as (service, calls):
        create(calls, "second", f'[model]\nbundle = "{other}"\n')
        for name in ("gone", "away"):
            create(calls, name, f'[model]\nbundle = "/nowhere/{name}/parts"\n')
        models = calls.models.ListModels(pb.ListModelsRequest()).models
        assert [model.is_loaded for model in models].count(True) == 1
        assert {recipe.name for recipe in models[0].recipes} == {"station", "second"}  # alike, to the byte
        assert (models[0].is_loaded, models[0].digest) == (True, service.station.status().bundle_digest)
        assert models[0].provider
        assert (models[0].input_width, models[0].input_height) > (0, 0)
        assert models[0].good_class in models[0].classes
        broken = [model for model in models if model.problem]
        assert [(model.name, model.digest) for model in broken] == [("parts", ""), ("parts", "")]
        assert [model.recipes[0].name for model in broken] == ["away", "gone"]
        assert calls.models.GetModel(pb.GetModelRequest()).model == models[0]
        assert calls.models.GetModel(pb.GetModelRequest(digest=models[0].digest)).model == models[0]
        assert code_and_reason(calls.models.GetModel, pb.GetModelRequest(digest="0" * 64)) == ("NOT_FOUND", "MODEL")
        paged, token = [], ""
        for _ in models:
            page = calls.models.ListModels(pb.ListModelsRequest(page_size=1, page_token=token))
            paged += page.models
            token = page.next_page_token
        assert (paged, token) == (list(models), "")

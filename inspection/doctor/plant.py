"""Whether the plant's database and object store take this station's copy; a small file is written and removed."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from inspection.config import StationConfig
from inspection.config.load import load_config
from inspection.doctor.finding import Finding, look_at
from inspection.errors import ConfigError
from inspection.plant.copy import open_database
from inspection.plant.errors import PlantError
from inspection.plant.image_store import open_image_store, try_writing
from inspection.records.errors import RecordsError
from inspection.records.upgrade import REVISIONS, SCHEMA_VERSION, stored_version

_DATABASE, _STORE = "plant's database", "plant's image store"
_MEND = "mend [plant], or the server; the station runs all the same, and copies when it can: docs/plant-copy.md"
_LEAST_VERSION = 140_000


def examine_plant(station: Path | None) -> list[Finding]:
    """Reach what a station file names in [plant]. Raises ConfigError for a file that is no station, or none."""
    if station is None:
        raise ConfigError("lineward doctor plant: no station file — [plant] is in it — lineward doctor plant FILE")
    config = load_config(station)
    if config.plant.postgresql is None and config.plant.images is None:
        return [Finding("plant's copy", "note", "none is configured", "see docs/plant-copy.md for why and how")]
    return look_at((partial(_look_at_database, config), partial(_look_at_store, config)))


def plant_notes(config: StationConfig) -> list[str]:
    """Return one sentence for each thing that would keep a station from copying now, though it runs all the same."""
    findings = look_at((partial(_look_at_database, config), partial(_look_at_store, config)))
    return [f"{one.what}: {one.found}" for one in findings if one.level == "problem"]


def _look_at_database(config: StationConfig) -> Iterator[Finding]:
    if config.plant.postgresql is None:
        return
    schema = config.plant.schema_of(config.station.name)
    try:
        database = open_database(config.plant, config.station.name)
    except RecordsError as error:
        yield Finding(_DATABASE, "problem", str(error), _MEND)
        return
    try:
        with database.within() as engine, engine.connect() as connection:
            yield _finding_of(connection, schema)
    except (SQLAlchemyError, PlantError) as error:
        said = str(getattr(error, "orig", None) or error).strip().splitlines()
        yield Finding(_DATABASE, "problem", said[0] if said else type(error).__name__, _MEND)
    finally:
        database.close()


def _finding_of(connection: Connection, schema: str) -> Finding:
    version = int(connection.execute(text("SELECT current_setting('server_version_num')")).scalar_one())
    if version < _LEAST_VERSION:
        return Finding(_DATABASE, "problem", f"PostgreSQL {version // 10_000}: 14 or later is needed", "update it")
    may = text("SELECT has_database_privilege(current_database(), 'CREATE')")
    if inspect(connection).has_schema(schema):
        may = text("SELECT has_schema_privilege(:schema, 'CREATE, USAGE')").bindparams(schema=schema)
    if not connection.execute(may).scalar_one():
        user = connection.execute(text("SELECT current_user")).scalar_one()
        found = f"user {user} may make neither the schema {schema} nor tables in it"
        return Finding(_DATABASE, "problem", found, f"CREATE SCHEMA {schema} AUTHORIZATION {user};")
    known = stored_version(connection)
    if known is None or known > SCHEMA_VERSION:
        found = f"schema {schema} is of a newer version than {REVISIONS[-1]}"
        return Finding(_DATABASE, "problem", found, "use the newer Lineward, or another schema")
    return Finding(_DATABASE, "ok", f"PostgreSQL {version // 10_000} takes this station's records, schema {schema}")


def _look_at_store(config: StationConfig) -> Iterator[Finding]:
    if config.plant.images is None:
        return
    try:
        left = try_writing(open_image_store(config.plant))
        if left:
            found = f"{config.plant.images} takes images, but {left}"
            yield Finding(_STORE, "note", found, "remove it by hand; a station itself removes nothing there")
            return
        yield Finding(_STORE, "ok", f"{config.plant.images}: a file was written, read and removed")
    except PlantError as error:
        yield Finding(_STORE, "problem", f"{config.plant.images}: {error}", _MEND)

"""What [plant] may say: refused with the configuration, by name, and without a secret in the text."""

from __future__ import annotations

import pytest

from inspection.config.load import parse_config
from inspection.errors import ConfigError
from inspection.plant.options import PlantOptions

STATION = """
[camera]
backend = "simulated"
[geometry]
travel_time_s = 1.0
[ejector]
driver = "simulated"
[plant]
"""


def refusal(line: str) -> str:
    with pytest.raises(ConfigError) as refused:
        parse_config(STATION + line, "station.toml")
    return str(refused.value)


@pytest.mark.parametrize(
    "line",
    [
        'postgresql = "postgresql://kim:pa55word@db/lineward"',
        'postgresql = "postgresql://db/lineward?password=pa55word"',
        'postgresql = "mysql://kim:pa55word@db/lineward"',
        'images = "http://key:pa55word@bucket/x"',
        'images = "s3://key:pa55word@bucket/x"',
        'endpoint = "http://key:pa55word@s3.example"',
    ],
)
def test_a_secret_is_refused_and_not_repeated(line: str) -> None:
    """It would be in every record's configuration, and in each support bundle."""
    told = refusal(line)
    assert f"plant.{line.split()[0]}" in told
    assert "pa55word" not in told


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('postgresql = "mysql://db/lineward"', "postgresql://user@host/database is its form"),
        ('postgresql = "postgresql://db"', "postgresql://user@host/database is its form"),
        ('postgresql = "postgresql://db:x/lineward"', "is no address"),
        ('schema = "Line 3"', "choose such a name"),
        ('images = "memory://x"', "another lasting store"),
        ('endpoint = "s3.example"', "plant.endpoint"),
        ("timeout_s = 0", "plant.timeout_s"),
        ('passwort_file = "x"', "did you mean 'password_file'?"),
        ('password_file = "x"\npassword_env = "X"', "one place is needed"),
    ],
)
def test_what_cannot_be_used_is_named(line: str, told: str) -> None:
    """With what is allowed."""
    assert told in refusal(line)


@pytest.mark.parametrize(
    ("station", "schema"), [("Line-3", "line_3"), ("3rd.line", "station_3rd_line"), ("프레스", "station____")]
)
def test_a_schema_has_the_stations_name_where_it_can(station: str, schema: str) -> None:
    """In lower case, as PostgreSQL has it without quotes; never more than 63 letters."""
    options = PlantOptions(postgresql="postgresql://db/lineward")
    assert options.schema_of(station) == schema
    assert len(options.schema_of("9" * 64)) <= 63


def test_nothing_is_copied_where_nothing_is_said() -> None:
    """The table may be left out."""
    config = parse_config(STATION.replace("[plant]", ""), "station.toml")
    assert config.plant == PlantOptions()
    assert (config.plant.postgresql, config.plant.images) == (None, None)

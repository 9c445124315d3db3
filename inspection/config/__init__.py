"""The station's configuration: one TOML file, read once, frozen and bounded."""

from inspection.config.load import config_digest, load_config, parse_config
from inspection.config.sections import StationConfig

__all__ = ["StationConfig", "config_digest", "load_config", "parse_config"]

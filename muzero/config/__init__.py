"""Configuration: layers of TOML and --set, merged into tables, each of which is a constructor call."""

from muzero.config.layers import ConfigError, Layer, parse_settings, read_layer
from muzero.config.merge import AtMost, Config, Excludes, Needs, Schema, merge
from muzero.config.schema import Range

__all__ = [
    "AtMost",
    "Config",
    "ConfigError",
    "Excludes",
    "Layer",
    "Needs",
    "Range",
    "Schema",
    "merge",
    "parse_settings",
    "read_layer",
]

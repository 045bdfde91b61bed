"""A config file made ready to run: found, read, overridden, its data root in place; and printed."""

from bdd100k_models.config.keys import registry_hint
from bdd100k_models.config.loading import (
    DATA_ROOT_VARIABLE,
    data_root,
    load_config,
    read_config,
)
from bdd100k_models.config.options import apply_options, parse_options
from bdd100k_models.config.text import read_text, standalone_text

__all__ = [
    "DATA_ROOT_VARIABLE",
    "apply_options",
    "data_root",
    "load_config",
    "parse_options",
    "read_config",
    "read_text",
    "registry_hint",
    "standalone_text",
]

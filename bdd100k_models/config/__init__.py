"""A config file made ready to run: found, read, overridden, its data root in place; and printed."""

from bdd100k_models.config.loading import (
    DATA_ROOT_VARIABLE,
    apply_options,
    data_root,
    load_config,
    read_config,
)
from bdd100k_models.config.text import standalone_text

__all__ = [
    "DATA_ROOT_VARIABLE",
    "apply_options",
    "data_root",
    "load_config",
    "read_config",
    "standalone_text",
]

"""Weights: found, fetched, read safely, fitted to a network, published. No torch until used."""

from bdd100k_models.weights.digests import md5, verify
from bdd100k_models.weights.fitting import (
    Fit,
    check_values,
    fit_weights,
    load_weights,
)
from bdd100k_models.weights.layouts import translate
from bdd100k_models.weights.reading import read_checkpoint, read_file, safe_numpy
from bdd100k_models.weights.starting import start_from, start_from_public
from bdd100k_models.weights.store import (
    MIRRORS_VARIABLE,
    PUBLIC,
    STORE_VARIABLE,
    add_public,
    add_to_store,
    find_checkpoint,
    find_public,
    find_published,
    public_model,
    public_start,
    stored_path,
    stored_public,
)
from bdd100k_models.weights.transfer import NotFoundError

__all__ = [
    "MIRRORS_VARIABLE",
    "PUBLIC",
    "STORE_VARIABLE",
    "Fit",
    "NotFoundError",
    "add_public",
    "add_to_store",
    "check_values",
    "find_checkpoint",
    "find_public",
    "find_published",
    "fit_weights",
    "load_weights",
    "md5",
    "public_model",
    "public_start",
    "read_checkpoint",
    "read_file",
    "safe_numpy",
    "start_from",
    "start_from_public",
    "stored_path",
    "stored_public",
    "translate",
    "verify",
]

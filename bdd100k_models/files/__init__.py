"""Files: read with one line for what is wrong, written whole or not at all, one writer at a time.

Nothing here knows the zoo, torch or an OpenMMLab package.
"""

from bdd100k_models.files.locks import LockedError, hold
from bdd100k_models.files.places import REPOSITORY, workspace
from bdd100k_models.files.reading import read_json
from bdd100k_models.files.writing import replacing, write_bytes, write_json

__all__ = [
    "REPOSITORY",
    "LockedError",
    "hold",
    "read_json",
    "replacing",
    "workspace",
    "write_bytes",
    "write_json",
]

"""Where the files of the zoo that are no Python modules of the package are."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
_SOURCE_TREE = _PACKAGE.parent

#: Whether this is the source tree, and not an installed package.
FROM_SOURCE = (_SOURCE_TREE / "model-index.yml").is_file()

#: What holds the tasks' folders, the catalogue and the demo's models: the root of the source tree;
#: in an installed package, the copies that setup.py put there.
REPOSITORY = _SOURCE_TREE if FROM_SOURCE else _PACKAGE / "repository"


def workspace() -> Path:
    """Where data and results are unless a user says where.

    The source tree, whatever the current folder; with an installed package, the current folder.
    """
    return REPOSITORY if FROM_SOURCE else Path.cwd()

"""Where this source tree is."""

from pathlib import Path

#: The root of the source tree: the folder that holds the tasks' folders.
REPOSITORY = Path(__file__).resolve().parents[2]

#!/usr/bin/env python
"""All tasks on rendered scenes, scored and drawn: ``python demo/run.py``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bdd100k_models.cli import demo
from bdd100k_models.cli.arguments import run

if __name__ == "__main__":
    sys.exit(run(demo.main))

#!/usr/bin/env python
"""List the published models: ``python tools/list_models.py --task det --sort 'Box AP-val'``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bdd100k_models.cli import list_models
from bdd100k_models.cli.arguments import run

if __name__ == "__main__":
    sys.exit(run(list_models.main))

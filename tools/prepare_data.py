#!/usr/bin/env python
"""Convert and check the labels: ``python tools/prepare_data.py --data-root data/bdd100k``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bdd100k_models.cli import prepare_data
from bdd100k_models.cli.arguments import run

if __name__ == "__main__":
    sys.exit(run(prepare_data.main))

#!/usr/bin/env python
"""Compare two sets of predictions: ``python tools/compare.py det A.json B.json``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bdd100k_models.cli import compare
from bdd100k_models.cli.arguments import run

if __name__ == "__main__":
    sys.exit(run(compare.main))

#!/usr/bin/env python
"""Compare predictions with what is told of a model: ``python tools/verify_scores.py NAME FILE``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bdd100k_models.cli import verify_scores
from bdd100k_models.cli.arguments import run

if __name__ == "__main__":
    sys.exit(run(verify_scores.main))

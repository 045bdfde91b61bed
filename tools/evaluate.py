#!/usr/bin/env python
"""Score predictions of any task: ``python tools/evaluate.py det out/det.json``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bdd100k_models.cli import evaluate
from bdd100k_models.cli.arguments import run

if __name__ == "__main__":
    sys.exit(run(evaluate.main))

#!/usr/bin/env python
"""Explain a score by its errors: ``python tools/analyze.py det out/det.json``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bdd100k_models.cli import analyze
from bdd100k_models.cli.arguments import run

if __name__ == "__main__":
    sys.exit(run(analyze.main))

#!/usr/bin/env python
"""Render the mini dataset: ``python tools/make_mini_bdd100k.py --out data/bdd100k_mini``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bdd100k_models.cli import make_mini
from bdd100k_models.cli.arguments import run

if __name__ == "__main__":
    sys.exit(run(make_mini.main))

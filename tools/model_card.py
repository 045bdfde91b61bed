#!/usr/bin/env python
"""Render and check the model cards: ``python tools/model_card.py --check``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bdd100k_models.cli import model_card
from bdd100k_models.cli.arguments import run

if __name__ == "__main__":
    sys.exit(run(model_card.main))

#!/usr/bin/env python
"""Run a tagging model, write tagging.json, preds.json, results.json; ``--help`` tells more."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bdd100k_models.cli.test import main

if __name__ == "__main__":
    sys.exit(main("tagging"))

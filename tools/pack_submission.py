#!/usr/bin/env python
"""Check and pack predictions: ``python tools/pack_submission.py det out/det.json --split test``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bdd100k_models.cli import pack_submission
from bdd100k_models.cli.arguments import run

if __name__ == "__main__":
    sys.exit(run(pack_submission.main))

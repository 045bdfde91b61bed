#!/usr/bin/env python
"""Track the boxes of any detector: ``python tools/track.py det.json --out mot.json``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bdd100k_models.cli import track
from bdd100k_models.cli.arguments import run

if __name__ == "__main__":
    sys.exit(run(track.main))

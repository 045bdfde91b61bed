#!/usr/bin/env python
"""Draw frames: ``python tools/visualize.py --frames out/det.json --images DIR --out DIR``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bdd100k_models.cli import visualize
from bdd100k_models.cli.arguments import run

if __name__ == "__main__":
    sys.exit(run(visualize.main))

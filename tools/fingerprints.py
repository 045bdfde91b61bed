#!/usr/bin/env python
"""Write what tells a checkpoint's model: ``python tools/fingerprints.py``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bdd100k_models.cli import fingerprints
from bdd100k_models.cli.arguments import run

if __name__ == "__main__":
    sys.exit(run(fingerprints.main))

#!/usr/bin/env python
"""Strip and name a trained checkpoint: ``python tools/publish_model.py CHECKPOINT OUT``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bdd100k_models.cli import publish_model
from bdd100k_models.cli.arguments import run

if __name__ == "__main__":
    sys.exit(run(publish_model.main))

#!/usr/bin/env python
"""Fetch weights of published models: ``python tools/download.py 'faster_rcnn_*_det_bdd100k'``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bdd100k_models.cli import download
from bdd100k_models.cli.arguments import run

if __name__ == "__main__":
    sys.exit(run(download.main))

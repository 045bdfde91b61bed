#!/usr/bin/env python
"""Estimate poses and write result_keypoints.json. ``python pose/test.py --help`` shows options."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bdd100k_models.cli.test import main

if __name__ == "__main__":
    sys.exit(main("pose"))

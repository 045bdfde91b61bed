#!/usr/bin/env python
"""Track the road users of videos. ``python mot/test.py --help`` shows the options."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bdd100k_models.cli.test import main

if __name__ == "__main__":
    sys.exit(main("mot"))

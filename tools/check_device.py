#!/usr/bin/env python
"""Compare a GPU with the CPU, part by part. ``python tools/check_device.py --help``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bdd100k_models.cli.check_device import main

if __name__ == "__main__":
    sys.exit(main())

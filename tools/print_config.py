#!/usr/bin/env python
"""Print a config as one file without bases: ``python tools/print_config.py CONFIG > mine.py``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bdd100k_models.cli import print_config
from bdd100k_models.cli.arguments import run

if __name__ == "__main__":
    sys.exit(run(print_config.main))

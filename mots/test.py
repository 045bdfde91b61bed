#!/usr/bin/env python
"""Track road users with masks. ``python mots/test.py --help`` shows the options."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bdd100k_models.cli.test import main

if __name__ == "__main__":
    sys.exit(main("mots"))

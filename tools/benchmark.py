#!/usr/bin/env python
"""Measure this package's parts beside the straightforward way: ``tools/benchmark.py PART``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bdd100k_models.cli import benchmark
from bdd100k_models.cli.arguments import run

if __name__ == "__main__":
    sys.exit(run(benchmark.main))

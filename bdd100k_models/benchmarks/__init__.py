"""What `tools/benchmark.py` measures: ours beside the straightforward way, on one machine."""

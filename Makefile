# setup: .venv with the pinned packages.  demo: all tasks on rendered scenes, scored.
# test, lint; cards: every entry of the catalogue, its config and its table.  bench.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python

.PHONY: setup demo test test-all test-everywhere lint cards bench clean

setup:
	@$(PYTHON) tools/setup_environment.py --venv $(VENV)

demo: setup
	@$(RUN) demo/run.py

test: setup
	OMP_NUM_THREADS=1 $(RUN) -m pytest -q -n auto --dist loadfile

test-all: setup
	OMP_NUM_THREADS=1 $(RUN) -m pytest -q -n auto --dist loadfile -m ""

# The demo and a selection of the tests on every supported Python that is here: doc/PYTHONS.md.
test-everywhere: setup
	PATH="$(CURDIR)/$(VENV)/bin:$$PATH" $(RUN) tools/test_everywhere.py --markdown doc/PYTHONS.md

lint: setup
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

cards: setup
	$(RUN) tools/model_card.py --check
	$(RUN) tools/fingerprints.py --check

bench: setup
	$(RUN) tools/benchmark.py converters
	$(RUN) tools/benchmark.py memory
	$(RUN) tools/benchmark.py run --images 4 --precision auto bf16 --markdown doc/BENCHMARKS.md

clean:
	rm -rf demo/out work_dirs build *.egg-info

# Needs Python >= 3.11 and a package registry; makes its own environment in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO_ARGS ?=
TEST_ARGS ?=

.PHONY: demo test check faults bench format lock clean

demo: $(READY)
	$(BIN)/vestigo demo $(DEMO_ARGS)

test: $(READY)
	$(BIN)/python -m pytest -m "not faults" -n 2 $(TEST_ARGS)

check: $(READY)
	$(BIN)/ruff format --check src tests bench examples tools
	$(BIN)/ruff check src tests bench examples tools
	$(BIN)/pyright
	$(BIN)/python -m pytest -p no:randomly tests/test_layers.py tests/test_docs.py

faults: $(READY)
	$(BIN)/python -m pytest -m faults -n 2 $(TEST_ARGS)

bench: $(READY)
	@for file in bench/*.py; do echo "== $$file"; $(BIN)/python $$file $(BENCH_ARGS) || exit 1; done

format: $(READY)
	$(BIN)/ruff format src tests bench examples tools
	$(BIN)/ruff check --fix src tests bench examples tools

# The lock names no registry: whichever pip is set up with serves it, and hashes hold the content.
lock:
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --no-annotate --no-header --no-strip-extras --upgrade pyproject.toml requirements/dev.in -o requirements/dev.txt

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .hypothesis

$(READY): requirements/dev.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Vestigo needs Python 3.11 or newer; set PYTHON=python3.12 or the like")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $(READY)

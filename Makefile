# Needs Python >= 3.11 and a package registry; makes its own environment in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO_ARGS ?=
TEST_ARGS ?=
# The page needs Node from 20.19 on to be built and checked; to be served it needs nothing.
NODE := $(shell command -v npm >/dev/null && node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' && echo yes)
WEB := src/vestigo/server/web

.PHONY: demo test check faults bench format lock clean ui page-packages page-check page-test screenshots

demo: $(READY)
	$(BIN)/vestigo demo $(DEMO_ARGS)

test: $(READY) page-test
	$(BIN)/python -m pytest -m "not faults" -n 2 $(TEST_ARGS)

check: $(READY) page-check
	$(BIN)/ruff format --check src tests bench examples tools
	$(BIN)/ruff check src tests bench examples tools
	$(BIN)/pyright
	$(BIN)/python -m pytest -p no:randomly tests/test_layers.py tests/test_docs.py

faults: $(READY)
	$(BIN)/python -m pytest -m faults -n 2 $(TEST_ARGS)

bench: $(READY)
	@for file in bench/*.py; do echo "== $$file"; $(BIN)/python $$file $(BENCH_ARGS) || exit 1; done

# Pictures of every page; the best few are kept in docs/images/page/ (see tools/screenshots.py).
screenshots: $(READY)
	$(BIN)/python tools/screenshots.py

format: $(READY)
	$(BIN)/ruff format src tests bench examples tools
	$(BIN)/ruff check --fix src tests bench examples tools

ui: page-packages
	cd ui && npm run build

# Once for each lock; a copy of it tells which one is installed.
page-packages:
	cd ui && { cmp -s package-lock.json node_modules/.installed || { npm ci && cp package-lock.json node_modules/.installed; }; }

ifeq ($(NODE),yes)
page-check: page-packages
	cd ui && npm run check
	fresh=$$(mktemp -d) && (cd ui && npx vite build --logLevel warn --emptyOutDir --outDir $$fresh) \
	  && diff -r $$fresh $(WEB) && rm -r $$fresh || { echo "$(WEB) is no build of ui/; run make ui"; exit 1; }

page-test: page-packages
	cd ui && npm test
else
page-check page-test:
	@echo "no npm with Node 20.19 or newer: the page's source is NOT checked or tested, nor compared with what is served"
endif

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

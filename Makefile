# `make lessons` or `make test` is the whole set-up. Everything that they write is in .venv and build.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready

.PHONY: help lessons lab test quick check hooks test-browser notebooks assignments pictures bench clean
.DEFAULT_GOAL := help

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

lessons: $(READY) ## run every lesson; executed copies and HTML under build/lessons
	@$(BIN)/python notebooks/run.py

lab: $(READY) ## open JupyterLab on the lessons
	@if [ -n "$$VAE_EDU_DATA" ]; then cd "$$VAE_EDU_DATA" && export VAE_EDU_DATA="$$PWD" && cd "$(CURDIR)"; fi \
		&& $(BIN)/jupyter lab --notebook-dir=notebooks

test: $(READY) ## test the package, and validate every lesson with nbval
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses=4 --dist=loadfile \
		--nbval-lax --nbval-current-env --nbval-cell-timeout=300

quick: $(READY) ## the tests that take under a minute together: no lessons, grading, or long training
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses=4 --dist=loadfile \
		-m "not slow and not browser" tests

check: $(VENV)/check ## style (ruff), types (mypy, pyright), and lessons older than their code
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/python -m basedpyright --pythonpath $(BIN)/python
	$(BIN)/python notebooks/fingerprint.py

hooks: $(VENV)/check ## run these checks before every commit
	$(BIN)/python -m pre_commit install

test-browser: $(VENV)/browser ## move the sliders in a real JupyterLab with headless Chromium
	$(BIN)/python -m pytest -m browser tests/test_browser.py

notebooks: $(READY) ## execute the committed notebooks again, after a change to a lesson or the package
	@$(BIN)/python notebooks/run.py --inplace

assignments: $(READY) ## build student versions and a course for nbgrader in build/assignments
	@$(BIN)/python notebooks/assignments.py

bench: $(READY) ## time training and evaluation beside their matrix products, and measure how both grow
	$(BIN)/python -m tests.benchmarks
	$(BIN)/python -m tests.benchmarks.growth

pictures: $(READY) ## draw the pictures of the README again
	@TQDM_DISABLE=1 $(BIN)/python notebooks/pictures.py

clean: ## remove .venv and build
	rm -rf $(VENV) build

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "vae_edu needs Python 3.11 or newer: make PYTHON=python3.12 ..."; exit 1; }
	@echo "Setting up $(VENV) (once; some minutes, most of them for PyTorch) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[lessons,test]'
	@touch $@

# What a learner does not need is installed by the first target that does: .venv/browser, .venv/check.
$(VENV)/browser $(VENV)/check: $(READY)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$(@F)]'
	@touch $@

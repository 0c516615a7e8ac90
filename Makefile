# The whole set-up is `make lessons` or `make test`; everything lives in .venv and build.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready

.PHONY: help lessons lab test test-browser notebooks assignments pictures bench clean
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

test-browser: $(VENV)/browser ## move the sliders in a real JupyterLab with headless Chromium
	$(BIN)/python -m pytest -m browser tests/test_browser.py

notebooks: $(READY) ## execute the committed notebooks again, after a change of a lesson or of the package
	@$(BIN)/python notebooks/run.py --inplace

assignments: $(READY) ## build student versions and a course for nbgrader in build/assignments
	@$(BIN)/python notebooks/assignments.py

bench: $(READY) ## time training and evaluation against their matrix products, and how both grow
	$(BIN)/python -m tests.benchmarks
	$(BIN)/python -m tests.benchmarks.growth

pictures: $(READY) ## draw the picture of the README again
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

$(VENV)/browser: $(READY)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[browser]'
	@touch $@

# `make lessons` or `make test` is the whole set-up. Everything that they write is in .venv and build.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
# PyTorch's build: cpu, cuda, or another folder of download.pytorch.org/whl, such as rocm6.4.
# auto: on Linux cpu if there is no NVIDIA GPU; elsewhere, and with a package index of your own, what pip finds.
TORCH ?= auto
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: help lessons site lab test quick check hooks test-browser notebooks assignments pictures figures bench clean
.DEFAULT_GOAL := help

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

lessons: $(READY) ## run every lesson; executed copies and HTML under build/lessons
	@$(BIN)/python notebooks/run.py

site: $(VENV)/site ## build the course as a site to read or publish, in build/site
	@$(BIN)/python notebooks/site/build.py

lab: $(READY) ## open JupyterLab on the lessons
	@if [ -n "$$VAE_EDU_DATA" ]; then cd "$$VAE_EDU_DATA" && export VAE_EDU_DATA="$$PWD" && cd "$(CURDIR)"; fi \
		&& $(BIN)/jupyter lab --notebook-dir=notebooks --LabApp.app_settings_dir="$(CURDIR)/notebooks/.lab"

test: $(VENV)/test ## test the package, and validate every lesson with nbval
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses=4 --dist=loadfile \
		--nbval-lax --nbval-current-env --nbval-cell-timeout=600

quick: $(VENV)/test ## the tests that take under a minute together: no lessons, grading, or long training
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

test-browser: $(VENV)/browser $(VENV)/site ## use sliders, pages and site in headless Chromium
	$(BIN)/python -m pytest -m browser tests

notebooks: $(READY) ## execute the committed notebooks again, after a change to a lesson or the package
	@$(BIN)/python notebooks/run.py --inplace

assignments: $(READY) ## build student versions and a course for nbgrader; with VARIANT=17, of other exercises
	@$(BIN)/python notebooks/assignments.py $(if $(VARIANT),--variant $(VARIANT))

bench: $(VENV)/test ## time training and evaluation beside their matrix products and others, and how they grow
	$(BIN)/python -m tests.benchmarks
	$(BIN)/python -m tests.benchmarks.good_model
	$(BIN)/python -m tests.benchmarks.growth

pictures: $(READY) ## draw the pictures of the README again
	@TQDM_DISABLE=1 $(BIN)/python notebooks/pictures.py

figures: $(READY) ## write the figures of the course as files for slides into build/figures
	@TQDM_DISABLE=1 $(BIN)/python notebooks/figures.py

clean: ## remove .venv and build
	rm -rf $(VENV) build

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "vae_edu needs Python 3.11 or newer: make PYTHON=python3.12 ..."; exit 1; }
	@echo "Setting up $(VENV) (once; some minutes, most of them for PyTorch) ..."
	@$(PYTHON) -m venv $(VENV)
	@build=$(TORCH); \
	if [ $$build = auto ]; then \
		build=cpu; \
		if [ "$$(uname -s)" != Linux ] || nvidia-smi -L 2>/dev/null | grep -q '^GPU ' \
			|| $(BIN)/python -m pip config list | grep -Eq '[.](index-url|no-index)='; then build=cuda; fi; \
	fi; \
	[ $$build = cuda ] || $(PIP_INSTALL) --quiet --retries 1 --no-deps torch \
		--index-url https://download.pytorch.org/whl/$$build || { \
		echo "download.pytorch.org has no $$build build of PyTorch for this machine, or cannot be reached."; \
		[ $$build = cpu ] && echo "So pip takes the one from its own index, on Linux 5 GB with CUDA."; }
	@$(PIP_INSTALL) -e '.[lessons]'
	@touch $@

# What a learner does not need is installed by the first target that does.
$(VENV)/test $(VENV)/browser $(VENV)/check $(VENV)/site: $(READY)
	@$(PIP_INSTALL) -e '.[$(@F)]'
	@touch $@

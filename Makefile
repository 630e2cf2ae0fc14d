# make train     trains the embedded default and shows its result; again: goes on where it was
# make test      runs the tests, on the CPU; TESTS= names some, PILLOW=12.3 takes another Pillow for them
# make test-demo runs those of the page, with Gradio, and in a browser if chromium and chromedriver are there
# make test-gpu  runs those that need a GPU
# make check     lint, format and types
# Each sets up its own environment in .venv/ first; `make install` does only that.

PYTHON ?= python3
EXPERIMENT ?= experiments/quickstart.toml
BIN := .venv/bin
OTHER = $(CURDIR)/.venv/pillow-$(PILLOW)

.PHONY: install train test test-demo test-gpu check format

install: .venv/installed

.venv/installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

# GRAY= and COLOR= name your own piles.
train: install
	$(BIN)/cyclecolor train $(EXPERIMENT) $(if $(GRAY),--set data.gray='$(GRAY)') $(if $(COLOR),--set data.color='$(COLOR)')

# A process a core. A single file is quicker in one: `pytest tests/test_x.py`.
test: install
	$(if $(PILLOW),$(BIN)/python -m pip install --quiet --no-deps --upgrade --target $(OTHER) 'pillow == $(PILLOW).*')
	$(if $(PILLOW),PYTHONPATH=$(OTHER)) $(BIN)/python -m pytest --numprocesses auto --dist worksteal $(TESTS)

# Gradio holds Pillow below 13: both are in an environment of their own, which has all else from the other one.
.venv-demo/installed: .venv/installed
	$(PYTHON) -m venv .venv-demo
	$(BIN)/python -c "import site; print(f'import site; site.addsitedir({site.getsitepackages()[0]!r})')" \
		> $$(.venv-demo/bin/python -c "import site; print(site.getsitepackages()[0])")/others.pth
	.venv-demo/bin/python -m pip install --quiet 'gradio >= 6.31, < 7' 'selenium >= 4.20'
	touch $@

test-demo: .venv-demo/installed
	.venv-demo/bin/python -m pytest tests/test_demo.py tests/test_demo_gate.py tests/test_demo_requests.py \
		tests/test_demo_work.py tests/test_benchmarks.py::test_demo_memory

test-gpu: install
	CUDA_VISIBLE_DEVICES=0 $(BIN)/python -m pytest tests/test_gpu.py tests/test_kernels.py

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

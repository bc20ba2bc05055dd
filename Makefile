# Two commands are enough: `make demo` and `make test`. Everything is installed into .venv, from wheels whose
# versions and hashes constraints.txt names.

# The system's own builds come first: distributions optimise them by profile, version managers mostly do not (a tenth of
# the processor time here, see README, Measured).
SYSTEM := /usr/bin/python3.13 /usr/bin/python3.12 /usr/bin/python3.11
PYTHONS := $(PYTHON) $(SYSTEM) python3.13 python3.12 python3.11 python3 python
BIN := .venv/bin
READY := .venv/.ready

.PHONY: demo test up down status check format bench bench-http bench-matching faults privacy-proof fuzz constraints install clean
.DEFAULT_GOAL := help

help:
	@echo "make demo    the whole pipeline on real input        make test   every test"
	@echo "make up      everything running, to try by hand      make down   stop it again"
	@echo "make check   ruff and mypy                           make bench  the benchmark (BENCH_ARGS=...)"
	@echo "make fuzz    broken input to decoders, stages, files and the API (INPUTS=... of each kind)"
	@echo "make privacy-proof  a run with marked personal data, looked for in every file and server"
	@echo "make faults  load and faults, then whether every promise held (SEED=..., ROUNDS=...)"
	@echo "make bench-matching   how well and how fast it matches, on data whose truth is known (BENCH_ARGS=...)"

demo: $(READY)
	@$(BIN)/retail-brain demo $(DEMO_ARGS)

test: $(READY)
	@$(BIN)/python -m pytest $(TEST_ARGS)

up: $(READY)
	@$(BIN)/retail-brain up

down: $(READY)
	@$(BIN)/retail-brain down

status: $(READY)
	@$(BIN)/retail-brain status

check: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(READY)
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(READY)
	@$(BIN)/python -m bench $(BENCH_ARGS)

bench-http: $(READY)
	@$(BIN)/python -m bench.http $(BENCH_ARGS)

bench-matching: $(READY)
	@$(BIN)/python -m bench.matching $(BENCH_ARGS)

fuzz: $(READY)
	@FUZZ_INPUTS=$(or $(INPUTS),10000) FUZZ_EXAMPLES=$(or $(EXAMPLES),200) FUZZ_SEED=$(or $(SEED),$(shell date +%s)) $(BIN)/python -m pytest -q \
		tests/integration/test_bad_input.py tests/integration/test_api_by_schema.py

privacy-proof: $(READY)
	@$(BIN)/python -m proof $(PROOF_ARGS)

faults: $(READY)
	@$(BIN)/python -m faults $(if $(SEED),--seed $(SEED)) $(if $(ROUNDS),--rounds $(ROUNDS)) $(FAULTS_ARGS)

install: $(READY)

# The first Python of at least 3.11 that can make a virtual environment is used; PYTHON=... names another.
$(READY): constraints.txt pyproject.toml
	@set -e; \
	if ! $(BIN)/python -c 'import pip' 2>/dev/null; then \
		rm -rf .venv; \
		for python in $(PYTHONS); do \
			$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
			if $$python -m venv .venv 2>/dev/null; then break; fi; \
			rm -rf .venv; \
		done; \
		test -x $(BIN)/python || { \
			echo "Python 3.11 or newer with its venv module is needed (Debian: apt install python3-venv)." >&2; \
			exit 1; }; \
	fi; \
	echo "installing into .venv ($$($(BIN)/python -V))"; \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r constraints.txt; \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-index --no-deps --no-build-isolation -e .; \
	touch $@

# Newest versions of everything, for all platforms; no address is recorded.
constraints: $(READY)
	@$(BIN)/python -m pip install --quiet uv
	@printf 'hatchling\neditables\n' | $(BIN)/uv pip compile pyproject.toml - --extra embedded --extra dev --upgrade \
		--universal --python-version 3.11 --only-binary :all: --generate-hashes --no-annotate --no-header \
		--quiet --output-file constraints.txt

clean: down
	@rm -rf .venv .retail-brain .mypy_cache .ruff_cache .pytest_cache .hypothesis

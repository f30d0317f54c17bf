# One command each. `make demo` and `make test` need nothing but Python 3.11+, git and make.
PYTHON ?= python3
CORE := .venv
DEV := .venvs/dev
JUDGES := .venvs/judges
BENCH := .venvs/bench
PIP_FLAGS := --quiet --disable-pip-version-check --no-input
RUN := $(DEV)/bin
DEMO ?=
SEEDS ?= 300
FROM ?= 0

.PHONY: kills soak mutate help install dev demo test verify simulate judges bench check format lock clean

help:
	@echo "make demo     install what is needed and watch the scalper trade on the built-in exchange (about a minute)"
	@echo "make test     install the test tools and run the tests"
	@echo "make install  prepare $(CORE)/bin/flashscalper only"
	@echo "make check    format, lint, types, layers"
	@echo "make verify   the long campaigns"
	@echo "make simulate the full stack through seeded storms: SEEDS=300 FROM=0"
	@echo "make kills    a hundred kill -9 of the real process (ten minutes, part of verify)"
	@echo "make soak     4.3 million messages, 1,000 reconnects and 2,000 orders in one process (half an hour)"
	@echo "make mutate   mutants of lifecycle, risk gate, journal and order codecs against their tests (an hour)"
	@echo "make judges   run the official SDK and ccxt against the simulator (part of verify)"
	@echo "make bench    ours and the peers on the same work, interleaved; writes benchmarks/RESULTS.md (a quarter of an hour)"
	@echo "make format   write the code the way make check wants it"
	@echo "make lock     write the lock files anew"
	@echo "make clean    remove environments and caches (runs/ stays)"

install: $(CORE)/.ready

dev: $(DEV)/.ready

demo: $(CORE)/.ready
	$(CORE)/bin/flashscalper demo $(DEMO)

# A third worker has the two cores while others wait for a clock or a process. What a file sets up is set up once.
test: $(DEV)/.ready
	$(RUN)/python -m pytest -n 3 --dist loadfile -m "not verify" tests

verify: $(DEV)/.ready $(JUDGES)/.ready
	$(RUN)/python -m pytest -n 2 --dist worksteal -m verify --timeout 1200 tests

simulate: $(DEV)/.ready
	$(RUN)/python scripts/simulate.py --seeds $(SEEDS) --from $(FROM)

kills: $(DEV)/.ready
	$(RUN)/python -m pytest -m verify tests/campaigns/test_kill9.py

soak: $(DEV)/.ready
	$(RUN)/python scripts/soak.py

mutate: $(DEV)/.ready
	$(RUN)/python scripts/mutate.py

judges: $(DEV)/.ready $(JUDGES)/.ready
	$(RUN)/python -m pytest -n 2 --dist worksteal -m verify --timeout 300 tests/judges

# The peers in an environment of their own, ours in every Python that is found, the official SDK where the judges have it.
bench: $(BENCH)/.ready $(JUDGES)/.ready
	$(BENCH)/bin/python -m benchmarks.run --sdk-python $(JUDGES)/bin/python

check: $(DEV)/.ready
	$(RUN)/ruff format --check src tests benchmarks examples scripts
	$(RUN)/ruff check src tests benchmarks examples scripts
	$(RUN)/mypy
	$(RUN)/lint-imports --no-cache

format: $(DEV)/.ready
	$(RUN)/ruff format src tests benchmarks examples scripts
	$(RUN)/ruff check --fix src tests benchmarks examples scripts

lock: $(DEV)/.ready
	PATH="$(CURDIR)/$(RUN):$$PATH" scripts/lock.sh

clean:
	rm -rf $(CORE) .venvs .mypy_cache .ruff_cache .hypothesis .import_linter_cache

# An environment is ready when its lock and our own package are in it. Wheels only: nothing is compiled, nothing unpinned runs.
$(CORE)/.ready: requirements.lock pyproject.toml
	@$(call environment,$(CORE),requirements.lock)

$(DEV)/.ready: requirements-dev.lock pyproject.toml
	@$(call environment,$(DEV),requirements-dev.lock)

$(JUDGES)/.ready: requirements-judges.lock requirements-judges-build.lock requirements-judges-ccxt.lock scripts/judges.sh | $(DEV)/.ready
	@scripts/judges.sh $(JUDGES) $(PYTHON) $(RUN)/uv

$(BENCH)/.ready: requirements-bench.lock requirements.lock pyproject.toml scripts/bench.sh | $(DEV)/.ready
	@scripts/bench.sh $(BENCH) $(PYTHON) $(RUN)/uv

define environment
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; $(PYTHON) is " + sys.version.split()[0] + ". Say which one to use: make PYTHON=python3.12 ...")' && \
	echo "Preparing $(1) (once; later runs start at once) ..." && \
	rm -rf $(1) && $(PYTHON) -m venv $(1) && \
	$(1)/bin/python -m pip install $(PIP_FLAGS) --require-hashes --only-binary :all: -r $(2) && \
	$(1)/bin/python -m pip install $(PIP_FLAGS) --no-deps --no-build-isolation --editable . && \
	touch $(1)/.ready
endef

# Every task is one word: `make help` lists them.
.DEFAULT_GOAL := help
SHELL := /bin/sh
.SUFFIXES:
.DELETE_ON_ERROR:

# Another interpreter gets an environment of its own: make test PYTHON=python3.13 VENV=.venv-3.13
PYTHON ?= python3
VENV ?= .venv
HOST ?= 127.0.0.1
PORT ?= 8000

# Half as many again as there are processors: many tests wait for a server.
WORKERS ?= $(shell echo $$(( ($$(getconf _NPROCESSORS_ONLN) * 3 + 1) / 2 )))

BIN := $(VENV)/bin
export FLASK_APP := asgi

.PHONY: help
help: ## List the tasks
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Elsewhere than config.yaml has it, links begin with where it is served, unless that is set or is a deployment's.
ifeq ($(or $(CARBOY_ENV),development),development)
ifneq ($(HOST):$(PORT),127.0.0.1:8000)
run: export CARBOY_HTTP__PUBLIC_URL ?= http://$(subst 0.0.0.0,127.0.0.1,$(HOST)):$(PORT)
endif
endif
.PHONY: run
run: $(VENV)/run.stamp ## Migrate the database and serve the API (HOST, PORT and CARBOY_* override)
	@$(BIN)/python -m carboy --bind "$(HOST):$(PORT)" --check
	@$(BIN)/flask db upgrade
	@$(BIN)/flask users first-administrator --if-none
	@echo "Log in:     http://$(HOST):$(PORT)/login (a key for the API: $(BIN)/flask tokens create NAME)"
	@echo "The API:    http://$(HOST):$(PORT)/api/users"
	@echo "Its page:   http://$(HOST):$(PORT)/api/docs (closed in production)"
	@echo "Its health: http://$(HOST):$(PORT)/health/ready"
	@exec $(BIN)/python -m carboy --bind "$(HOST):$(PORT)"

# As it is served where real users depend on it. How many processes: make serve WORKERS=4; one that is its own master unless told.
serve: export CARBOY_ENV := $(or $(CARBOY_ENV),production)
.PHONY: serve
serve: $(VENV)/run.stamp ## Serve with the profile of production, after flask doctor has found nothing (WORKERS, HOST, PORT)
	@$(BIN)/flask doctor
	@exec $(BIN)/python -m carboy --bind "$(HOST):$(PORT)" $(if $(filter command environment,$(origin WORKERS)),--workers $(WORKERS))

.PHONY: worker
worker: $(VENV)/run.stamp ## Run background jobs, where servers do not: on PostgreSQL, as many of these as wanted
	@exec $(BIN)/flask jobs work

.PHONY: test
test: $(VENV)/dev.stamp ## Run all tests (TESTS="tests/app/unit" chooses)
	$(PYTEST) $(TESTS)

# To trace every line makes the tests three times as slow, so that it is done where few processes are started.
.PHONY: coverage
coverage: $(VENV)/dev.stamp ## Run the tests that start no server, and measure which lines and branches they cover
	$(PYTEST) --cov --cov-report=term tests/app/unit tests/app/integration tests/carboy/unit tests/carboy/integration

# The tests of a file stay in one process, and share what they start. Their order is that of tests/conftest.py: without
# the last option the files with few tests come last, which are the longest.
PYTEST = $(BIN)/pytest -n $(WORKERS) --maxprocesses 6 --dist loadfile --no-loadscope-reorder

.PHONY: torture
torture: $(VENV)/dev.stamp $(VENV)/bench.stamp ## Run the heavy tests, show their figures and draw them (docs/reliability.md)
	$(BIN)/pytest tests/torture; failed=$$?; $(BIN)/python -m bench.reliability && exit $$failed
	CARBOY_TEST_FULL=1 $(BIN)/pytest $(FULL)

# Tests of the suite that do more of the same here.
FULL := $(addprefix tests/carboy/,integration/test_lost_updates.py integration/test_answers_once.py \
	integration/jobs/test_jobs_database_away.py \
	unit/bridge/test_bridge_balance.py unit/bridge/test_bridge_under_attack.py e2e/bridge/test_bridge_streaming.py \
	e2e/test_wheel.py)

.PHONY: check
check: $(VENV)/dev.stamp $(VENV)/bench.stamp ## Check format, lint, types and import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	@$(MAKE) --no-print-directory squawk

# Raise it to the newest revision that is applied everywhere, or was found harmless: those after it are looked through.
SQUAWK_AFTER ?= 3b9e5a0c74f1

.PHONY: squawk
squawk: $(VENV)/dev.stamp ## Look for migrations that lock a large table of PostgreSQL (SQUAWK_AFTER=revision)
	@mkdir -p var
	@CARBOY_ENV=testing $(BIN)/flask db sql --dialect postgresql $(SQUAWK_AFTER):head > var/upgrade.sql
	$(BIN)/squawk var/upgrade.sql

.PHONY: bench
bench: $(VENV)/bench.stamp ## Compare with other frameworks (QUICK=1 for 3 minutes; BENCH_JOBS, BENCH_PEERS, BENCH_DB choose)
	@$(BIN)/python -m bench

.PHONY: compat
compat: $(VENV)/dev.stamp ## Run the tests of Flask and its extensions through the bridge (SUITES="flask-wtf flask-login" chooses)
	@SUITES="$(SUITES)" $(BIN)/python -m compat

.PHONY: profile
profile: $(VENV)/bench.stamp ## Show where a request's time goes (JOB=static, one, list, update or create; DB=postgresql)
	@JOB="$(JOB)" DB="$(or $(DB),sqlite)" $(BIN)/python -m bench.profile

.PHONY: queues
queues: $(VENV)/bench.stamp ## Compare background jobs with those of other libraries (COUNT of jobs, ROUNDS)
	@$(BIN)/python -m bench.queues $(or $(COUNT),2000) $(or $(ROUNDS),3)

.PHONY: logins
logins: $(VENV)/bench.stamp ## Measure health checks while 20 logins are under way (SECONDS)
	@$(BIN)/python -m bench.logins $(or $(SECONDS),30)

.PHONY: streams
streams: $(VENV)/bench.stamp ## Measure streams of events that are open and idle (COUNT)
	@$(BIN)/python -m bench.streams $(or $(COUNT),5000)

.PHONY: format
format: $(VENV)/dev.stamp ## Format the code and mend what the linter can mend
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

.PHONY: migration
migration: $(VENV)/dev.stamp ## Write a migration for what changed in the models (MESSAGE="add orders")
	@test -n "$(MESSAGE)" || { echo 'Say what changed: make migration MESSAGE="add orders"' >&2; exit 2; }
	$(BIN)/flask db upgrade
	$(BIN)/flask db revision "$(MESSAGE)"
	$(BIN)/ruff check --quiet --fix-only src/app/migrations
	$(BIN)/ruff format --quiet src/app/migrations
	@$(MAKE) --no-print-directory squawk || echo "Not all of it is safe on a large table: docs/migrations.md"

.PHONY: wheel
wheel: $(VENV)/dev.stamp ## Build a wheel of the kit alone, in dist/
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist .

# In podman's own format there would be no health check.
image: export BUILDAH_FORMAT := docker
.PHONY: image
image: ## Build the image carboy with docker, podman or buildah (ENGINE chooses; OPTIONS="--build-arg REQUIREMENTS=extras")
	$(or $(ENGINE),docker) build $(OPTIONS) --file deploy/Dockerfile --tag carboy .

.PHONY: manifests
manifests: $(VENV)/dev.stamp ## Write deploy/kubernetes.yaml anew from the chart
	$(BIN)/python -c "import helm_python; print('---\n'.join(v.strip() + chr(10) for _, v in sorted(helm_python.Chart.load('deploy/helm/carboy').render(name='carboy').items()) if v.strip()), end='')" > deploy/kubernetes.yaml

.PHONY: openapi
openapi: $(VENV)/run.stamp ## Write docs/openapi.json anew from the code
	@mkdir -p var
	@CARBOY_ENV=testing $(BIN)/flask openapi > var/openapi.json
	@mv var/openapi.json docs/openapi.json

.PHONY: lock
lock: $(VENV)/dev.stamp ## Pin the newest versions that pyproject.toml allows
	$(BIN)/uv pip compile $(LOCK_FLAGS) --group build pyproject.toml -o requirements/run.txt
	$(BIN)/uv pip compile $(LOCK_FLAGS) --group dev -c requirements/run.txt pyproject.toml -o requirements/dev.txt
	$(BIN)/uv pip compile $(LOCK_FLAGS) --group build --all-extras -c requirements/dev.txt pyproject.toml -o requirements/extras.txt
	$(BIN)/uv pip compile $(LOCK_FLAGS) --group bench -c requirements/dev.txt pyproject.toml -o requirements/bench.txt

LOCK_FLAGS := --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
	--custom-compile-command "make lock"

.PHONY: clean
clean: ## Remove the virtual environment and all caches; the data in var/ stays
	rm -rf .venv .venv-* build dist src/*.egg-info .mypy_cache .pytest_cache .ruff_cache .coverage htmlcov

# A stamp is older than its lock when the lock has changed, and the environment is then brought up to date. The lock is
# complete (`pip check` sees to it), so that pip need not resolve anything, which some versions of it do wrongly: for a
# pinned package that another one asks for with an extra they take the newest.
$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Carboy needs Python 3.11 or newer; name one with: make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/%.stamp: requirements/%.txt pyproject.toml $(VENV)/pyvenv.cfg
	@echo "Installing what $< pins ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r $<
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(BIN)/python -m pip check --quiet --disable-pip-version-check
	@touch $@

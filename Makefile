# Everything that developers and CI run. `make` without a target lists it.
.DEFAULT_GOAL := help
SHELL := /bin/sh
# Compiling the packages once makes every command start seconds faster.
export UV_COMPILE_BYTECODE := 1
UV := tools/uv
# Each worker has its own lakeFS and Prefect server. A module stays on one worker, which builds its fixtures once.
PYTEST := $(UV) run --no-sync pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

.PHONY: help install setup setup-spark demo demo-stack test test-quick test-faults test-spark test-stack bench docs wheel models check format

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

install: ## Install the locked packages in .venv
	@echo "setting up the locked packages in .venv"
	@$(UV) sync --locked --quiet

setup: install ## Install the packages, and build lakeFS once per machine
	@$(UV) run --no-sync python -m orchestration.servers.build

demo: setup ## Run the pipeline on sample data, on real servers
	@$(UV) run --no-sync python -m examples.demo

demo-stack: ## Run the whole stack in Docker on sample data (needs Docker, and no Python package)
	@python3 -m examples.demo_stack

test: setup ## Run the whole test suite
	@$(PYTEST)

test-quick: install ## Run the unit tests, without servers
	@$(PYTEST) tests/unit

test-faults: setup ## Inject every fault into every request of a run, and print the matrix (an hour or more)
	@$(UV) run --no-sync pytest tests/faults -s

setup-spark: setup ## Install Spark too, and fetch its jars for S3 once per user (needs Java 17 or 21)
	@$(UV) sync --locked --quiet --extra spark
	@$(UV) run --no-sync python -m orchestration.spark.jars

# The tests of cleaning, of the values in docs/malformed-responses.md, and of the imitated APIs. The longest come first,
# so that both processes end at about the same time.
ON_BOTH_ENGINES := tests/integration/clean tests/spark tests/integration/test_malformed_responses.py::test_each_unusual_record_among_valid_ones_has_its_own_outcome tests/integration/run/test_published_apis.py
# Most builds have a Java of their own, which would compile for longer than its code runs.
FOR_SHORT_JAVA := JAVA_TOOL_OPTIONS="-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m -XX:+UseSerialGC"
test-spark: setup-spark ## Compare both engines, and test a real Spark cluster (14 minutes)
	@$(FOR_SHORT_JAVA) $(UV) run --no-sync pytest --numprocesses 2 --dist loadscope --no-loadscope-reorder --both-engines $(ON_BOTH_ENGINES) -k "not source_failed or line_that_is_not_json" --durations=10

test-stack: setup ## Run docker-compose.yml in real containers of podman, as root (20 minutes for each of two stores; the first time also images)
	@$(UV) run --locked --group containers pytest tests/stack -s --durations=0

# small: 3 minutes; medium: 20 minutes; large: an hour, and 50 GB of disk for a while.
SIZE := medium
bench: setup ## Compare the pipeline with a bare script, dbt, pandas, polars and dlt (SIZE=small, medium or large)
	@$(UV) run --no-sync python -m benchmarks.compare --size $(SIZE)

docs: install ## Write the dbt docs as one static page, target/docs/index.html
	@$(UV) run --no-sync python -m orchestration.dbt_runner.docs

wheel: ## Build the package in dist/
	$(UV) build --out-dir dist

models: install ## Write the tables' dbt models from the sources' YAML
	@$(UV) run --no-sync elt models

check: install ## Check lock file, words, format, lint of Python and SQL, layers, types, generated models, containers
	$(UV) lock --check
	$(UV) lock --check --project orchestration/servers/lakefs_build
	$(UV) lock --check --project benchmarks/contenders
	$(UV) run --no-sync codespell $$(git ls-files '*.md' '*.py' '*.sql')
	$(UV) run --no-sync ruff check
	$(UV) run --no-sync ruff format --check
	$(UV) run --no-sync lint-imports
	$(UV) run --no-sync mypy
	$(UV) run --no-sync elt models --check
	$(UV) run --no-sync hadolint Dockerfile orchestration/servers/lakefs_build/Dockerfile
	$(UV) run --no-sync check-jsonschema --builtin-schema vendor.compose-spec docker-compose*.yml examples/demo_stack.yml
	$(UV) run --no-sync sqlfluff lint --disable-progress-bar models tests/data

format: ## Format the code
	$(UV) run --no-sync ruff check --fix
	$(UV) run --no-sync ruff format

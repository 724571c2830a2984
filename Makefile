# python3 (3.11 or later, with venv) and make are all that is needed: every target prepares what it uses.

PYTHON ?= python3
VENV_PYTHON := .venv/bin/python
PIP := $(VENV_PYTHON) -m pip -qq --no-input --disable-pip-version-check install --require-hashes --only-binary :all:

# A stamp is named after what it was made from: another lock, project file or place of the checkout asks
# for another stamp. cksum, because every system has it and this is no defence against anybody.
stamp = .venv/.$(1)-$(firstword $(shell { pwd; cat pyproject.toml requirements/link.py $(2); } | cksum))
RUN_STAMP := $(call stamp,run,requirements/run.lock)
TEST_STAMP := $(call stamp,test,requirements/run.lock requirements/test.lock)

# What `check` asks of the whole code; `test` does not ask it again.
WHOLE := $(patsubst %,tests/test_%.py,layers routes docs i18n locks)

.DEFAULT_GOAL := help
.PHONY: help install demo test prove prove-ci check figures clean

help: ## Montrer cette liste
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' Makefile

install: $(RUN_STAMP) ## Préparer les commandes seere (le centre) et carnet (le terrain), et dire où elles sont
	@echo "Prêt : .venv/bin/seere, .venv/bin/carnet. Dans chaque nouveau terminal : . .venv/bin/activate"

# Tests start our programs a hundred times: each module is compiled once, whatever the terminal says of it.
test prove prove-ci check: export PYTHONDONTWRITEBYTECODE =

# What every change has to pass fails where a program is missing.
prove-ci: export CI ?= 1

# PORT, ONCE and ONLY given on the command line reach the program through the environment: make exports them.
demo: $(RUN_STAMP) ## La démonstration, puis le centre sur 127.0.0.1:8000 (PORT=8001 ; ONCE=1 : raconter et finir)
	@exec $(VENV_PYTHON) -m fixtures.demo

test: $(TEST_STAMP) ## Les tests, sur SQLite ; ceux du stockage et de la réception aussi sur PostgreSQL (ARGS="tests/server/store" : une partie)
	@$(VENV_PYTHON) -m pytest -n 2 --dist worksteal -m "not prove and not ci" $(WHOLE:%=--deselect %) $(ARGS)

prove: $(TEST_STAMP) ## Tout le reste : PostgreSQL, pannes en vraie grandeur, programmes du système
	@for tool in 7zz age cc chromium minisign nginx node; do \
	  command -v $$tool >/dev/null || echo "Il manque $$tool (requirements/debian.txt) : ses preuves seront sautées."; \
	done
	@$(VENV_PYTHON) -m pytest -m "prove or ci" $(ARGS)

# Proofs one after the other: some are about who comes first, and some about how long it takes. Where ARGS leaves
# nothing of one half, pytest says 5.
prove-ci: $(TEST_STAMP) ## La part de ce reste que chaque changement doit passer
	@run() { $(VENV_PYTHON) -m pytest "$$@" $(ARGS) || [ $$? -eq 5 ]; }; \
	run -n 2 --dist worksteal -m "ci and not prove"; beside=$$?; run -m "ci and prove" && exit $$beside

check: $(TEST_STAMP) ## Style, types, couches, documents, traductions, verrous
	@$(VENV_PYTHON) -m ruff check .
	@$(VENV_PYTHON) -m mypy --strict server client_sync
	@$(VENV_PYTHON) -m pytest $(WHOLE)

figures: $(TEST_STAMP) ## Les mesures, un objet JSON par ligne (ONLY=intake : une seule)
	@exec $(VENV_PYTHON) -m tests.benchmarks

# Never var/hub: complaints may live there.
clean: ## Effacer ce qui peut être refait : .venv, caches, var/demo, var/figures
	@rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis var/demo var/figures
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(RUN_STAMP):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Il faut Python 3.11 ou plus récent : make PYTHON=python3.12 …"; exit 1; }
	@echo "Préparation (une fois, environ 40 s)…"
	@$(VENV_PYTHON) -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	@$(PIP) -r requirements/run.lock
	@# Python 3.11 puts setuptools into every environment, where no lock of ours asked for it.
	@$(VENV_PYTHON) -m pip -qq uninstall --yes setuptools
	@$(VENV_PYTHON) requirements/link.py
	@rm -f .venv/.run-* && touch $@

$(TEST_STAMP): | $(RUN_STAMP)
	@echo "Préparation des tests (une fois, environ 30 s)…"
	@$(PIP) -r requirements/test.lock
	@rm -f .venv/.test-* && touch $@

VENV := .venv
BIN := $(VENV)/bin
TEST_PACKAGES := fluidsynth fluid-soundfont-gm pulseaudio libasound2-plugins libportaudio2 chromium strace openssl espeak-ng

# What make fast takes of the tests: the rules of the house, the names in the documents, and rooms whose tests are quick.
FAST_TESTS := tests/test_house.py tests/test_names.py tests/test_docs.py tests/a2m_edge/bundle tests/a2m_edge/sound \
	tests/a2m_edge/composer tests/a2m_edge/rendering tests/a2m_edge/test_soundscape.py tests/kiosk/test_config.py

.DEFAULT_GOAL := help
.PHONY: help demo test fast check docs clean system-packages
.DELETE_ON_ERROR:

help: ## these lines
	@sed -nE 's/^([a-z]+):[^#]*## (.*)/make \1	\2/p' $(MAKEFILE_LIST) | expand -t 14

demo: $(VENV)/demo.installed ## installs a2m-edge into .venv and renders the pictures of examples/ to out/
	$(BIN)/python examples/demo.py

test: $(VENV)/test.installed system-packages check ## installs the test extras too and runs every check

fast: $(VENV)/test.installed ## what takes two minutes: ruff, mypy, and the tests of a few rooms
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q -n 2 -m "not slow and not realtime" $(FAST_TESTS)

# What must keep time runs by itself, and again if another program on this machine took the processor from it.
check: ## every check, with what is installed: ruff, mypy, pytest
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 4 --dist worksteal -m "not slow and not realtime"
	$(BIN)/python -m pytest --reruns 2 -m "realtime and not slow"

docs: $(VENV)/test.installed ## draws the architecture and builds docs/ to out/site, which opens from disk
	$(BIN)/python -m tools.draw_architecture
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "open out/site/index.html"

clean: ## removes .venv and out/
	rm -rf $(VENV) out

$(VENV)/pyvenv.cfg:
	@command -v python3 >/dev/null || \
		{ echo "python3 is not installed: run  sudo apt install python3 python3-venv" >&2; exit 1; }
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "a2m-edge needs Python 3.11 or newer, and python3 is $$(python3 -V)" >&2; exit 1; }
	@python3 -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "Python cannot make environments here: run  sudo apt install python3-venv" >&2; exit 1; }
	python3 -m venv $(VENV)

$(VENV)/demo.installed: pyproject.toml | $(VENV)/pyvenv.cfg
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[cpu]"
	@touch $@

$(VENV)/test.installed: pyproject.toml | $(VENV)/pyvenv.cfg
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[cpu,kiosk,phones,ray,train,speech,dev,docs]"
	@touch $@ $(VENV)/demo.installed

# What cannot be installed is named, and the tests that need it skip with the reason.
system-packages:
	@missing=""; \
	for package in $(TEST_PACKAGES); do \
		dpkg-query --show --showformat='$${db:Status-Status}' $$package 2>/dev/null | grep -qx installed \
			|| missing="$$missing $$package"; \
	done; \
	[ -n "$$missing" ] || exit 0; \
	if [ "$$(id -u)" = 0 ]; then root=""; \
	elif sudo -n true 2>/dev/null; then root="sudo -n"; \
	else root=none; fi; \
	[ "$$root" != none ] && $$root apt-get update -qq && \
		$$root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $$missing || \
		echo "some tests will be skipped: they need  sudo apt install$$missing" >&2

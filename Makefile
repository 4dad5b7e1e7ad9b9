# make demo   installs a2m-edge into .venv and renders the pictures of examples/ to out/
# make test   installs the test extras too and runs every check: ruff, mypy, pytest
# make clean  removes .venv and out/

VENV := .venv
BIN := $(VENV)/bin
TEST_PACKAGES := fluidsynth fluid-soundfont-gm pulseaudio libasound2-plugins libportaudio2 chromium strace

.PHONY: demo test check clean system-packages
.DELETE_ON_ERROR:

demo: $(VENV)/demo.installed
	$(BIN)/python examples/demo.py

test: $(VENV)/test.installed system-packages check

# What must keep time runs by itself, and again if another program on this machine took the processor from it.
check:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 3 --dist worksteal -m "not slow and not realtime"
	$(BIN)/python -m pytest --reruns 2 -m "realtime and not slow"

clean:
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
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[cpu,kiosk,phones,ray,train,dev]"
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

"""What several tests of the exhibit share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fixtures.exhibit.rooms import Examples, Paintings


@pytest.fixture(scope="session")
def paintings(shared: Path) -> Paintings:
    """Real paintings; skips without the public data."""
    return Paintings(shared / "data")


@pytest.fixture(scope="session")
def examples() -> Examples:
    """The pictures of ``examples/``."""
    return Examples()

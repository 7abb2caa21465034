"""These tests import other libraries, so that a run without them does not even look inside."""

from pathlib import Path

import pytest


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    without = "not integrations" in config.getoption("markexpr")
    return True if without and collection_path.suffix == ".py" else None

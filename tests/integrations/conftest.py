"""These tests import other libraries: only a run that asks for them looks inside."""

from pathlib import Path

import pytest


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    asked = "integrations" in config.getoption("markexpr").replace("not integrations", "")
    return None if asked or collection_path.suffix != ".py" else True

"""Most of these tests import other libraries: only a run that asks for them looks inside."""

from pathlib import Path

import pytest


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    if collection_path.suffix != ".py":
        return None
    asked = "integrations" in config.getoption("markexpr").replace("not integrations", "")
    return None if asked or "mark.integrations" not in collection_path.read_text() else True

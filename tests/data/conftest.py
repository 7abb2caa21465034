"""What several tests of data share."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from pyvae.batch import Batch
from pyvae.data.form import Wanted
from pyvae.data.labels import as_classes
from pyvae.data.readers import reader_of
from pyvae.data.values import read_numbers
from pyvae.data.whole import join
from pyvae.registry import readers

sys.path.append(str(Path(__file__).parent))  # for row_files.py


@pytest.fixture
def whole() -> Callable[..., tuple[Batch, int | None]]:
    """Reads a file in its own order: all rows, and their highest level."""
    return read_whole


def read_whole(path: Path, labels: str | None = None, **options: Any) -> tuple[Batch, int | None]:
    kind = reader_of(path)
    own = inspect.signature(readers.get(kind)).parameters
    part = readers.create(kind, **{n: v for n, v in options.items() if n in own})
    wanted = Wanted(**{n: v for n, v in options.items() if n not in own})
    with part.rows(path, [] if labels is None else [labels]) as rows:
        whole = join([rows], labels, [])
        found = read_numbers(whole, wanted, torch.arange(sum(whole.sizes)))
    y = None
    if whole.labels is not None:
        where = f"{path}: {whole.labels}"
        y = as_classes(whole.fields[whole.labels], where, len(found.rows))[0]
    return Batch(found.rows.x, y, found.rows.extras), found.levels

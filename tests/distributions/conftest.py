"""What every test of distributions starts from."""

import sys
from pathlib import Path

import pytest
import torch
from torch.distributions import Distribution

sys.path.append(str(Path(__file__).parent))  # for torch_families.py


@pytest.fixture(autouse=True)
def validation_as_torch_starts():
    """torch.compile turns torch's default validation off for the whole process."""
    before = Distribution._validate_args
    Distribution.set_default_validate_args(True)
    torch.manual_seed(0)
    yield
    Distribution.set_default_validate_args(before)

"""The sweep runs on every op of ours."""

import pytest

from pyvae.testing import CASES


@pytest.fixture(params=CASES.values(), ids=CASES.keys())
def case(request):
    return request.param

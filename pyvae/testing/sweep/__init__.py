"""The tests that pyvae's own ops pass, for any density: they take one fixture, ``case``.

A test file of another package runs them all with a row of its own::

    import pytest
    from pyvae.testing import density_case, draw
    from pyvae.testing.sweep import *  # noqa: F403

    CASE = density_case(...)

    @pytest.fixture(params=[CASE], ids=lambda c: c.name)
    def case(request):
        return request.param

or those of one subject: ``from pyvae.testing.sweep.values import *``. Needs pytest.
"""

import pytest

_SUBJECTS = (
    "arguments",
    "autograd",
    "compiling",
    "determinism",
    "gradients",
    "inplace",
    "layouts",
    "masks",
    "memory",
    "short_rows",
    "transforms",
    "values",
)
pytest.register_assert_rewrite(*(f"{__name__}.{subject}" for subject in _SUBJECTS))

from . import (  # noqa: E402
    arguments,
    autograd,
    compiling,
    determinism,
    gradients,
    inplace,
    layouts,
    masks,
    memory,
    short_rows,
    transforms,
    values,
)
from .arguments import *  # noqa: E402, F403
from .autograd import *  # noqa: E402, F403
from .compiling import *  # noqa: E402, F403
from .determinism import *  # noqa: E402, F403
from .gradients import *  # noqa: E402, F403
from .inplace import *  # noqa: E402, F403
from .layouts import *  # noqa: E402, F403
from .masks import *  # noqa: E402, F403
from .memory import *  # noqa: E402, F403
from .short_rows import *  # noqa: E402, F403
from .transforms import *  # noqa: E402, F403
from .values import *  # noqa: E402, F403

__all__ = [
    *arguments.__all__,
    *autograd.__all__,
    *compiling.__all__,
    *determinism.__all__,
    *gradients.__all__,
    *inplace.__all__,
    *layouts.__all__,
    *masks.__all__,
    *memory.__all__,
    *short_rows.__all__,
    *transforms.__all__,
    *values.__all__,
]

"""A module that cannot be imported, as happens to plugins."""

import a_module_that_nobody_has  # noqa: F401


class Encoder:
    pass

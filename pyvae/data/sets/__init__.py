"""Data sets of the papers. One import for each: importing it registers it."""

from pyvae.data.sets import (  # noqa: F401
    binarized_mnist,
    digits,
    freyface,
    mnist,
    pbmc,
    sprites,
    toy2d,
)

"""Pictures: grids of images, curves. Arrays in, PNG files out."""

from pyvae.plots.curves import curve, curves
from pyvae.plots.images import filters, image_grid, is_image, pairs, save_image

__all__ = [
    "curve",
    "curves",
    "filters",
    "image_grid",
    "is_image",
    "pairs",
    "save_image",
]

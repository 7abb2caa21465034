"""Pictures: grids of images, curves. Arrays in, PNG files out."""

from pyvae.plots.curves import curve, curves
from pyvae.plots.images import image_grid, is_image, pairs, save_image

__all__ = [
    "curve",
    "curves",
    "image_grid",
    "is_image",
    "pairs",
    "save_image",
]

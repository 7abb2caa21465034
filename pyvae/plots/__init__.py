"""Pictures: grids of images, latents, curves. Arrays in, PNG files out."""

from pyvae.plots.curves import curve, curves, curves_figure, rate_distortion
from pyvae.plots.images import filters, image_grid, is_image, pairs, save_image
from pyvae.plots.latents import factor_map, kl_bars, scatter

__all__ = [
    "curve",
    "curves",
    "curves_figure",
    "factor_map",
    "filters",
    "image_grid",
    "is_image",
    "kl_bars",
    "pairs",
    "rate_distortion",
    "save_image",
    "scatter",
]

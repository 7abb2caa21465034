"""What is done with a trained model: codes, scores, pictures of what the latents mean, repairs."""

from pyvae.analysis.codes import decode, encode
from pyvae.analysis.paths import between, interpolate, prior_moments, traverse
from pyvae.analysis.plane import manifold, manifold_latents
from pyvae.analysis.projections import project
from pyvae.analysis.regions import missing_region
from pyvae.analysis.repair import bicubic, inpaint, restore, root_mean_square
from pyvae.analysis.rows import Selection, select
from pyvae.analysis.scores import Scores, score
from pyvae.analysis.units import Usage, usage

__all__ = [
    "Scores",
    "Selection",
    "Usage",
    "between",
    "bicubic",
    "decode",
    "encode",
    "inpaint",
    "interpolate",
    "manifold",
    "manifold_latents",
    "missing_region",
    "prior_moments",
    "project",
    "restore",
    "root_mean_square",
    "score",
    "select",
    "traverse",
    "usage",
]

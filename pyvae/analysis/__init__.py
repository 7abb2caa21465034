"""What is done with a trained model."""

from pyvae.analysis.codes import decode, encode
from pyvae.analysis.plane import manifold, manifold_latents
from pyvae.analysis.rows import Selection, select
from pyvae.analysis.scores import Scores, score

__all__ = [
    "Scores",
    "Selection",
    "decode",
    "encode",
    "manifold",
    "manifold_latents",
    "score",
    "select",
]

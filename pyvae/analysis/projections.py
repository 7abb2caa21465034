"""Latents in the plane, for the eye."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from pyvae.errors import optional

__all__ = ["METHODS", "project"]

METHODS = ("none", "pca", "tsne", "umap")


def project(
    z: Tensor, method: Literal["none", "pca", "tsne", "umap"] = "pca", seed: int = 0
) -> Tensor:
    """Codes (N, D) as points of the plane (N, 2).

    Args:
        z: the codes
        method: "pca": the two directions of largest variance; "tsne" (van der Maaten & Hinton
            2008) and "umap" (McInnes et al. 2018): neighbours stay neighbours, distances mean
            little; "none": the first two latents
        seed: of what is drawn

    Raises:
        ValueError: an unknown method, fewer than two latents, or fewer than ten rows.
        MissingExtraError: scikit-learn, or for "umap" umap-learn, is not installed.

    >>> project(torch.randn(50, 5), "pca").shape
    torch.Size([50, 2])
    """
    if method not in METHODS:
        raise ValueError(f"project: method must be one of {', '.join(METHODS)}, got {method!r}")
    if z.ndim != 2 or z.shape[1] < 2 or len(z) < 10:
        raise ValueError(
            f"project: z must hold ten rows or more of two latents or more, got {tuple(z.shape)}"
        )
    if method == "none":
        return z[:, :2]
    made: Any
    if method == "pca":
        made = optional("sklearn.decomposition").PCA(2, random_state=seed)
    elif method == "tsne":
        perplexity = min(30.0, (len(z) - 1) / 3)
        made = optional("sklearn.manifold").TSNE(2, perplexity=perplexity, random_state=seed)
    else:
        made = optional("umap", "umap").UMAP(n_components=2, random_state=seed)
    return torch.as_tensor(made.fit_transform(z.cpu().numpy()))

"""Figures as a table for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyvae.metrics import Evaluation

__all__ = ["listing", "table"]


def table(figures: Evaluation, dataset: str, split: str = "test") -> str:
    """The figures of an evaluation, one to a line."""
    has_latents = figures.kl_per_dim is None or len(figures.kl_per_dim) > 0
    rows = [
        ("ELBO", f"{figures.elbo:.2f}"),
        ("rate, KL(q(z|x) || p(z))", f"{figures.rate:.2f}"),
        ("distortion, -E log p(x|z)", f"{figures.distortion:.2f}"),
    ]
    if figures.log_likelihood is not None:
        way = f"{figures.num_samples} samples" if has_latents else "exact"
        name = f"log p(x), {way}"
        rows.append((name, f"{figures.log_likelihood:.2f} +- {figures.log_likelihood_error:.2f}"))
    if figures.bits_per_dim is not None:
        rows.append(("bits per dimension", f"{figures.bits_per_dim:.4f}"))
    if figures.active_units is not None and has_latents:
        of = f" of {len(figures.kl_per_dim)}" if figures.kl_per_dim is not None else ""
        rows.append(("active units", f"{figures.active_units}{of}"))
    if figures.kl_per_dim:
        largest = sorted(figures.kl_per_dim, reverse=True)[:8]
        more = ", ..." if len(figures.kl_per_dim) > len(largest) else ""
        rows.append(("KL per latent", ", ".join(f"{kl:.2f}" for kl in largest) + more))
    if figures.kl_per_layer is not None and len(figures.kl_per_layer) > 1:
        rows.append(("KL per layer", ", ".join(f"{kl:.2f}" for kl in figures.kl_per_layer)))
    if figures.aggregate is not None:
        parts = figures.aggregate
        rows += [
            ("mutual information I(x; z)", f"{parts.mutual_information:.2f}"),
            ("KL(q(z) || p(z))", f"{parts.marginal_kl:.2f}"),
            ("total correlation", f"{parts.total_correlation:.2f}"),
        ]
    if figures.accuracy is not None:
        rows.append(("accuracy", f"{100 * figures.accuracy:.2f} %"))
    if figures.mmd is not None:
        rows.append(("MMD^2(q(z), p(z))", f"{figures.mmd:.4f}"))
    return listing(f"{dataset}, {split} ({figures.count} data, nats per datum)", rows)


def listing(title: str, rows: Sequence[tuple[str, str]]) -> str:
    """A title, and names beside their values."""
    width = max(len(name) for name, _ in rows)
    return "\n".join([title, *(f"  {name:<{width}}  {value}" for name, value in rows)])

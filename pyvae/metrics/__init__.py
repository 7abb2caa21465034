"""Figures of a trained model, from its distributions alone, in bounded memory."""

from pyvae.metrics.aggregate import Aggregate, aggregate_figures, prior_mmd
from pyvae.metrics.ais import ais_log_likelihood, annealed_importance_sampling
from pyvae.metrics.evaluation import Evaluation, bits_per_dim, evaluate, seeded
from pyvae.metrics.factors import Disentanglement, disentanglement
from pyvae.metrics.labels import FewLabels, few_labels
from pyvae.metrics.moments import Moments

__all__ = [
    "Aggregate",
    "Disentanglement",
    "Evaluation",
    "FewLabels",
    "Moments",
    "aggregate_figures",
    "ais_log_likelihood",
    "annealed_importance_sampling",
    "bits_per_dim",
    "disentanglement",
    "evaluate",
    "few_labels",
    "prior_mmd",
    "seeded",
]

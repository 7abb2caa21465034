"""Diagonal Gaussians."""

from __future__ import annotations

from pyvae import functional as F

from ..case import OpCase, tensors
from ..draw import noise_seed


def _log_ratio(name: str, prior: bool, path_derivative: bool) -> OpCase:
    learned = ("mean", "logvar", *(("prior_mean", "prior_logvar") if prior else ()))
    native = "gaussian_rsample_log_ratio" + "_standard" * (not prior) + "_path" * path_derivative
    return OpCase(
        name=name,
        function=F.gaussian_rsample_log_ratio,
        native=native,
        sizes=("samples", "batch", "latent"),
        small=(3, 5, 7),
        shapes=lambda k, b, d: {
            **{n: (b, d) for n in learned[:2]},
            **{n: (d,) for n in learned[2:]},
            "seed": (),
        },
        options=lambda k, b, d: {"num_samples": k, "path_derivative": path_derivative},
        arguments=lambda a: (
            *(a[n] for n in (*learned, "seed")),
            (a["num_samples"], *a["mean"].shape),
            a.get("batch_ndim", 1) + 1,
        ),
        differentiable=learned,
        learned=learned,
        broadcasts=learned[1:],
        draw={"seed": noise_seed},
        stops_gradient=path_derivative,
    )


ROWS = [
    OpCase(
        name="gaussian_rsample",
        function=F.gaussian_rsample,
        sizes=("samples", "batch", "latent"),
        small=(3, 5, 7),
        shapes=lambda k, b, d: {"mean": (b, d), "logvar": (b, d), "seed": ()},
        options=lambda k, b, d: {"sample_shape": (k,)},
        arguments=lambda a: (
            a["mean"],
            a["logvar"],
            a["seed"],
            (*a.get("sample_shape", ()), *a["mean"].shape),
        ),
        differentiable=("mean", "logvar"),
        learned=("mean", "logvar"),
        broadcasts=("logvar",),
        draw={"seed": noise_seed},
    ),
    OpCase(
        name="gaussian_kl",
        function=F.gaussian_kl,
        native="gaussian_kl_standard",
        sizes=("batch", "latent"),
        small=(5, 7),
        shapes=lambda b, d: {"mean": (b, d), "logvar": (b, d)},
        arguments=tensors("mean", "logvar"),
        differentiable=("mean", "logvar"),
        learned=("mean", "logvar"),
        broadcasts=("logvar",),
    ),
    OpCase(
        name="gaussian_kl_prior",
        function=F.gaussian_kl,
        native="gaussian_kl",
        sizes=("batch", "latent"),
        small=(5, 7),
        shapes=lambda b, d: {
            "mean": (b, d),
            "logvar": (b, d),
            "prior_mean": (d,),
            "prior_logvar": (d,),
        },
        arguments=tensors("mean", "logvar", "prior_mean", "prior_logvar"),
        differentiable=("mean", "logvar", "prior_mean", "prior_logvar"),
        learned=("mean", "logvar", "prior_mean", "prior_logvar"),
        broadcasts=("logvar", "prior_mean", "prior_logvar"),
    ),
    OpCase(
        name="gaussian_rsample_kl",
        function=F.gaussian_rsample_kl,
        sizes=("batch", "latent"),
        small=(5, 7),
        shapes=lambda b, d: {"mean": (b, d), "logvar": (b, d), "seed": ()},
        arguments=lambda a: (
            *(a[n] for n in ("mean", "logvar", "seed")),
            a["mean"].shape,
            a.get("batch_ndim", 1),
        ),
        differentiable=("mean", "logvar"),
        learned=("mean", "logvar"),
        broadcasts=("logvar",),
        draw={"seed": noise_seed},
    ),
    _log_ratio("gaussian_rsample_log_ratio", prior=False, path_derivative=False),
    _log_ratio("gaussian_rsample_log_ratio_prior", prior=True, path_derivative=False),
    _log_ratio("gaussian_rsample_log_ratio_path", prior=True, path_derivative=True),
    _log_ratio("gaussian_rsample_log_ratio_standard_path", prior=False, path_derivative=True),
    OpCase(
        name="gaussian_log_prob",
        function=F.gaussian_log_prob,
        sizes=("batch", "event"),
        small=(5, 19),
        shapes=lambda b, d: {"x": (b, d), "mean": (b, d), "logvar": (b, d)},
        arguments=tensors("x", "mean", "logvar"),
        differentiable=("x", "mean", "logvar"),
        learned=("mean", "logvar"),
        broadcasts=("logvar",),
    ),
]

"""Gradients without differentiable samples."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["BASELINES", "ScoreFunction"]

BASELINES = ("none", "moving_average", "leave_one_out")


class ScoreFunction(nn.Module):
    r"""The score-function gradient of E_q f(z), as a loss whose value is 0.

    .. math::
        \nabla_\phi \mathbb E_q f = \mathbb E_q\big[(f(z_k) - b_k)\, \nabla_\phi \log q(z_k)\big]

    Williams 1992 (REINFORCE), unbiased for every baseline b_k that does not depend on z_k:

    - "none": 0
    - "moving_average": an exponential mean of f over the steps before (Mnih & Gregor 2014)
    - "leave_one_out": the mean of f over the other samples of the same datum (Mnih & Rezende 2016)

    Args:
        baseline: one of these
        num_samples: samples for each datum
        decay: of the moving average

    Raises:
        ValueError: an unknown baseline, or "leave_one_out" with a single sample.

    >>> log_q = torch.zeros(2, 1, requires_grad=True)
    >>> loss = ScoreFunction("leave_one_out", 2)(torch.tensor([[3.0], [1.0]]), log_q)
    >>> torch.autograd.grad(loss, log_q)[0].flatten().tolist()
    [-1.0, 1.0]
    """

    average: Tensor
    weight: Tensor

    def __init__(self, baseline: str, num_samples: int, decay: float = 0.99) -> None:
        super().__init__()
        if baseline not in BASELINES:
            raise ValueError(
                f"reinforce: baseline must be one of {', '.join(BASELINES)}, got {baseline!r}"
            )
        if baseline == "leave_one_out" and num_samples < 2:
            raise ValueError(
                "reinforce: the baseline leave_one_out needs num_samples of 2 or more, "
                f"got {num_samples}"
            )
        self.baseline = baseline
        self.decay = decay
        if baseline == "moving_average":
            self.register_buffer("average", torch.zeros(()))
            self.register_buffer("weight", torch.zeros(()))

    def forward(self, signal: Tensor, log_q: Tensor) -> Tensor:
        """A scalar 0 whose gradient is minus that of the mean of E_q f.

        Args:
            signal: f(z_k) (K, B), or (B,) for one sample
            log_q: log q(z_k), of the same shape, differentiable
        """
        signal = signal.detach()
        if self.baseline == "leave_one_out":  # f_k - mean of the others = (f_k - mean) K / (K - 1)
            signal = (signal - signal.mean(0)) * (len(signal) / (len(signal) - 1))
        elif self.baseline == "moving_average":
            mean = signal.mean()
            signal = signal - self.average / self.weight.clamp_min(1e-8)
            if self.training:
                self.average.lerp_(mean.to(self.average.dtype), 1 - self.decay)
                self.weight.lerp_(torch.ones_like(self.weight), 1 - self.decay)
        return -(signal * (log_q - log_q.detach())).mean()

"""The learning rate of each step, as a function of the settings and of the step."""

from __future__ import annotations

import math

from pyvae.config import TrainConfig

__all__ = ["Schedule"]


class Schedule:
    r"""The rate of a step t, counted from 0, after a warm-up of W steps and in T steps in all.

    .. math::
        \text{warm-up:} &\ \eta\,(t + 1) / W, \quad t < W \\
        \text{step:} &\ \eta\,\gamma^{\text{milestones that the epoch has reached}} \\
        \text{linear:} &\ \eta + (\eta_{\text{end}} - \eta)\,s, \quad s = (t - W) / (T - W) \\
        \text{cosine:} &\ \eta_{\text{end}}
            + (\eta - \eta_{\text{end}})\,(1 + \cos \pi s) / 2 \\
        \text{plateau:} &\ \eta\,\gamma^{\text{reductions}}

    Cosine: Loshchilov & Hutter 2017, eq. 5, without restarts. The warm-up multiplies the rate of
    schedules that go by epochs or evaluations, and comes before those that go by steps.

    Args:
        config: the settings
        steps: of the whole run, T

    >>> from pyvae.config import TrainConfig
    >>> schedule = Schedule(TrainConfig(lr=1.0, lr_schedule="linear", lr_warm_up=2), steps=6)
    >>> [schedule.rate(step, epoch=0) for step in range(6)]
    [0.5, 1.0, 1.0, 0.75, 0.5, 0.25]
    """

    def __init__(self, config: TrainConfig, steps: int) -> None:
        self.config, self.steps = config, steps

    def rate(self, step: int, epoch: int, reductions: int = 0) -> float:
        """The learning rate of a step in an epoch, both counted from 0.

        Args:
            step, epoch: which one
            reductions: how often a plateau has reduced it
        """
        config = self.config
        rate, end, warm_up = config.lr, config.lr_end, config.lr_warm_up
        if config.schedule == "step":
            rate *= config.lr_gamma ** sum(epoch >= one for one in config.lr_milestones)
        elif config.schedule == "plateau":
            rate *= config.lr_gamma**reductions
        if step < warm_up:
            return rate * (step + 1) / warm_up
        share = min(1.0, (step - warm_up) / max(1, self.steps - warm_up))
        if config.schedule == "linear":
            return rate + (end - rate) * share
        if config.schedule == "cosine":
            return end + (rate - end) * (1 + math.cos(math.pi * share)) / 2
        return rate

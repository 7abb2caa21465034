"""How a training step changes the weights: optimizers, their rate, gradients, noise, averages."""

from __future__ import annotations

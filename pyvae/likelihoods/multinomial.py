"""Wide rows of counts, of which most are 0."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pyvae.distributions import Multinomial
from pyvae.likelihoods.counts import CountLikelihood
from pyvae.registry import likelihoods

__all__ = ["MultinomialLikelihood"]


@likelihoods.register("multinomial")
class MultinomialLikelihood(CountLikelihood):
    """p(x|z) = Mult(x; library, softmax(l)), the decoder's output being the logits l.

    The total of a row, the side input ``library`` (*batch,), is taken as known: all that is
    explained is which variables it fell on. Liang, Krishnan, Hoffman & Jebara 2018 (Mult-VAE),
    whose rows are what a user clicked on. The encoder sees rows of length 1, x / |x|, as in the
    paper; the dropout of its input is ``input_dropout`` of the encoder.

    Args:
        data_shape: the shape of one datum
        fractions: take any numbers of at least 0
        coefficient: count the logarithm of n! / prod x_i!, which no parameter moves. Without it, as
            in the paper, the number is no log-probability

    >>> p = MultinomialLikelihood((4,))(torch.zeros(3, 4), library=torch.full((3,), 20.0))
    >>> p.mean[0]
    tensor([5., 5., 5., 5.])
    """

    side_inputs = ("library",)
    separable = False

    def __init__(
        self, data_shape: Sequence[int], fractions: bool = False, coefficient: bool = True
    ) -> None:
        super().__init__(data_shape, fractions)
        self.coefficient = coefficient

    def forward(self, params: Tensor, **side: Tensor) -> Multinomial:
        return Multinomial(
            side["library"].to(params.dtype),
            logits=params,
            event_ndim=len(self.data_shape),
            coefficient=self.coefficient,
            validate_args=False,
        )

    def as_input(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        """x / |x|; a row of zeros stays one."""
        x = x.to(dtype)
        event = tuple(range(-len(self.data_shape), 0))
        length: Tensor = torch.linalg.vector_norm(x, dim=event, keepdim=True)
        return x / length.clamp(min=torch.finfo(dtype).tiny)

    def as_masked_input(self, x: Tensor, mask: Tensor, dtype: torch.dtype) -> Tensor:
        """Of length 1 by what is observed."""
        return self.as_input(torch.where(mask, x, x.new_zeros(())), dtype)

    def init_from_mean(self, data_mean: Tensor) -> Tensor:
        """The logarithms of the shares."""
        return data_mean.clamp(min=1e-6).log()

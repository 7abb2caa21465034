"""The objective of models with a class, which some rows of data state."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from pyvae.functional import categorical_log_prob
from pyvae.models.base import Model
from pyvae.models.m1m2 import M1M2
from pyvae.models.m2 import M2
from pyvae.objectives.base import Batch, Phase, Result
from pyvae.objectives.kl_weight import KLWeight, WeightsKL
from pyvae.objectives.sampling import need_rsample, sample_kl
from pyvae.registry import objectives

__all__ = ["SemiSupervised"]


@objectives.register("semi_supervised")
class SemiSupervised(WeightsKL):
    r"""The bound of rows with a label and of rows without, and a classifier's loss on the former.

    .. math::
        L(x, y) &= E_{q(z|x, y)}[\log p(x|z, y)] + \log p(y)
                       - \beta\, \mathrm{KL}(q(z|x, y) \,\|\, p(z)) \\
        U(x) &= \sum_y q(y|x)\, (L(x, y) - \log q(y|x)) \\
        \text{loss} &= -\frac1B \Big[ \sum_{\text{labelled}} L(x, y)
                       + \sum_{\text{others}} U(x) \Big]
                       - \alpha\, \mathrm{mean}_{\text{labelled}} \log q(y|x)

    Kingma, Mohamed, Rezende & Welling 2014, eq. 6 to 9. Their alpha, 0.1 N, weighs the classifier
    in a sum over N data; here it is per datum and counts nats beside those of the bound. All
    pairs of a row and a class that count go through the model in one batch. p(y) is learned,
    with a symmetric Dirichlet prior on its weights. A label that is none of the classes is a
    missing one: below 0, or that of the rows without a label in a file, which comes after all
    others. Rows that come more than once so that a batch has labels count what the side input
    "weight" (B,) says in all bounds.

    The terms are ``elbo``, of L or U per row in nats and with beta = 1; ``log_likelihood`` and
    ``kl`` of z, as means over q(y|x) or at the label; ``classification``, -log q(y|x) in nats; and
    ``accuracy``, both over the labelled rows of the batch (0 where it has none). With ``m1m2`` the
    first three are those of M1, and ``elbo_of_codes`` is the bound of M2.

    Args:
        alpha: the weight of the classifier's loss
        beta: the weight of the KL of z (with ``m1m2``, of that of M2). Above 1 the code says less
            of the data, so that the class has to say more (Higgins et al. 2017)
        warm_up_steps, warm_up_epochs: how long beta takes to come to its value; 0: has it at once
        warm_up_from: where it comes from, from above where the bound itself is what shall be left
        concentration: of the Dirichlet prior; 1: flat
        num_samples: samples of z for each datum and class

    Raises:
        ValueError: a negative weight, a concentration that is not positive, or no samples.
        TypeError: a model without a class, or with a posterior without reparameterized samples.

    >>> model = M2((1, 8, 8), classes=3, latent_dim=2)
    >>> batch = Batch(torch.zeros(4, 1, 8, 8), torch.tensor([0, 2, -1, -1]))
    >>> sorted(SemiSupervised()(model, batch).terms)
    ['accuracy', 'classification', 'elbo', 'kl', 'log_likelihood']
    """

    models = ("m2", "m1m2")
    needs_labels = True

    def __init__(
        self,
        alpha: float = 1.0,
        concentration: float = 1.0,
        num_samples: int = 1,
        beta: float = 1.0,
        warm_up_steps: int = 0,
        warm_up_epochs: int = 0,
        warm_up_from: float = 0.0,
    ) -> None:
        super().__init__()
        if alpha < 0 or concentration <= 0 or num_samples < 1:
            raise ValueError(
                f"semi_supervised: alpha must not be negative, concentration positive and "
                f"num_samples at least 1, got {alpha}, {concentration} and {num_samples}"
            )
        self.alpha, self.concentration, self.num_samples = alpha, concentration, num_samples
        self.kl_weight = KLWeight(
            "semi_supervised",
            beta,
            warm_up_steps=warm_up_steps,
            warm_up_epochs=warm_up_epochs,
            warm_up_from=warm_up_from,
        )

    def forward(self, model: Model, batch: Tensor | Batch, *, phase: str | None = None) -> Result:
        batch = Batch.of(batch)
        if isinstance(model, M1M2):
            return self._of_codes(model, batch) if phase == "m2" else self._of_m1(model.m1, batch)
        if not isinstance(model, M2):
            raise TypeError(
                f"semi_supervised needs a model with a class, m2 or m1m2, got a "
                f"{type(model).__name__}"
            )
        return self._of_classes(model, batch)

    def phases(self, model: Model) -> list[Phase]:
        if not isinstance(model, M1M2):
            return super().phases(model)
        return [Phase("m1", list(model.m1.parameters())), Phase("m2", list(model.m2.parameters()))]

    def _of_m1(self, model: Model, batch: Batch) -> Result:
        """The bound of M1."""
        q, p = model.infer(batch)
        z, kl_each = sample_kl("semi_supervised", q, p, self.num_samples, "auto")
        each = model.decode(z, **batch.extras).log_prob(batch.target)
        mean = _mean_over(batch)
        log_likelihood, kl = mean(each), mean(kl_each)
        elbo = log_likelihood - kl
        terms = {"elbo": elbo, "log_likelihood": log_likelihood, "kl": kl}
        return Result(-elbo, {name: term.detach() for name, term in terms.items()})

    def _of_codes(self, model: M1M2, batch: Batch) -> Result:
        """M2 on codes of M1; its terms beside those of M1."""
        with torch.no_grad():
            codes = model.m1.encode(batch.x).sample()
        result = self._of_classes(model.m2, Batch(codes, batch.y, batch.side(["weight"])))
        kept = {"classification": "classification", "accuracy": "accuracy", "elbo": "elbo_of_codes"}
        return Result(result.loss, {new: result.terms[name] for name, new in kept.items()})

    def _of_classes(self, model: M2, batch: Batch) -> Result:
        """The loss of a model of a class, and its terms."""
        mean = _mean_over(batch)
        every = torch.arange(model.classes, device=batch.device)[:, None]
        y = torch.full_like(every[0].expand(len(batch)), -1) if batch.y is None else batch.y
        known = (y >= 0) & (y < model.classes)
        own = (every == y) & known  # one-hot, (K, B)
        log_likelihood, kl = self._of_pairs(model, batch, own | ~known)
        log_p = torch.log_softmax(model.prior_logits, 0)
        bound = log_likelihood - kl + log_p[:, None]  # (K, B), where the pair counts
        log_q = categorical_log_prob(every, model.class_logits(batch.x), batch_ndim=2)
        weight = torch.where(known, own.to(log_q.dtype), log_q.exp())
        entropy = torch.where(known, 0, -(log_q.exp() * log_q).sum(0))
        elbo = mean((weight * bound).sum(0) + entropy)
        kl_of_code = mean((weight * kl).sum(0))
        labelled = known.sum().clamp(min=1)
        classification = -torch.where(own, log_q, 0).sum() / labelled
        right = known & (log_q.argmax(0) == y)
        loss = self.alpha * classification + (self.kl_weight.weight - 1) * kl_of_code - elbo
        if self.concentration != 1:
            loss = loss - (self.concentration - 1) * log_p.sum() / self.rows()
        terms = {
            "elbo": elbo,
            "log_likelihood": mean((weight * log_likelihood).sum(0)),
            "kl": kl_of_code,
            "classification": classification,
            "accuracy": right.sum() / labelled,
        }
        return Result(loss, {name: term.detach() for name, term in terms.items()})

    def _of_pairs(self, model: M2, batch: Batch, counts: Tensor) -> tuple[Tensor, Tensor]:
        """E log p(x|z, y) and the KL of z, (K, B) each, of the pairs of class and row that count.

        The others are 0. On the CPU they are not computed; elsewhere they are, since shapes that
        depend on values have to be waited for, and fit neither a compiler's graph nor a device's.
        """
        if counts.device.type == "cpu" and not torch.compiler.is_compiling():
            y, row = counts.nonzero(as_tuple=True)
        else:
            pair = torch.arange(counts.numel(), device=counts.device)
            y, row = pair // len(batch), pair % len(batch)
        pairs = batch.take(row)
        code = torch.eye(model.classes, dtype=model.dtype, device=batch.device)[y]
        q, p = model.encode_given(pairs.x, code), model.prior_given(code)
        need_rsample("semi_supervised", q)
        z, kl = sample_kl("semi_supervised", q, p, self.num_samples, "auto")
        latents = torch.cat([code.expand(*z.shape[:-1], -1), z.to(code.dtype)], -1)
        log_likelihood = model.decode(latents, **pairs.extras).log_prob(pairs.target)
        if self.num_samples > 1:
            log_likelihood = log_likelihood.mean(0)
            kl = kl.mean(0) if kl.ndim == 2 else kl

        def spread(values: Tensor) -> Tensor:
            return values.new_zeros(counts.shape).index_put((y, row), values)

        return spread(log_likelihood), spread(kl)


def _mean_over(batch: Batch) -> Callable[[Tensor], Tensor]:
    """The mean of values (*, B) over the rows of a batch, each by its weight."""
    weight = batch.extras.get("weight")
    if weight is None:
        return torch.mean
    share = weight / weight.sum()
    return lambda values: (values * share).sum(-1).mean()

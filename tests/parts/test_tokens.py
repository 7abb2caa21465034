"""Sequences of tokens: a grammar's counts are learned, alone and with latents."""

from __future__ import annotations

import pytest
import torch

from pyvae import VAE
from pyvae.likelihoods import CategoricalLikelihood
from pyvae.models import AutoregressiveModel
from pyvae.objectives import ELBO

V, L = 4, 6
TOKENS = {"levels": V, "one_hot": True}
NET = {"width": 32, "layers": 2, "heads": 2}


def grammar(rows: int) -> torch.Tensor:
    """Token 0 is followed by 1 or 2 (3 : 1), 1 by 0, 2 by 3, 3 by 0."""
    torch.manual_seed(0)
    x = torch.zeros(rows, L, dtype=torch.int64)
    for i in range(1, L):
        turn = torch.where(torch.rand(rows) < 0.75, 1, 2)
        last = x[:, i - 1]
        x[:, i] = torch.where(last == 0, turn, torch.where(last == 2, 3, 0))
    return x


def trained(model, x, steps, lr=3e-3):
    optimizer = torch.optim.Adam(model.parameters(), lr)
    for step in range(steps):
        optimizer.zero_grad()
        few = x[torch.randint(len(x), (64,), generator=torch.Generator().manual_seed(step))]
        ELBO()(model, few).loss.backward()
        optimizer.step()
    return model.eval()


def test_a_grammar_is_learned() -> None:
    """log p(x) comes near the grammar's own, and samples have its counts."""
    torch.manual_seed(0)
    model = AutoregressiveModel(
        (L,),
        "transformer",
        "categorical",
        decoder_args={"levels": V, **NET},
        likelihood_args=TOKENS,
    )
    x = grammar(2000)
    trained(model, x, 200)
    zeros = (x[:, :-1] == 0).sum(1).float().mean()
    entropy = -(0.75 * torch.tensor(0.75).log() + 0.25 * torch.tensor(0.25).log()) * zeros
    with torch.no_grad():
        assert abs(-model.log_prob(x).mean() - entropy) < 0.1
    drawn = model.sample(500, mean=False)
    after = drawn[:, 1:][drawn[:, :-1] == 0]
    assert abs((after == 1).float().mean() - 0.75) < 0.06
    assert (drawn[:, 1:][drawn[:, :-1] == 2] == 3).float().mean() > 0.95


def test_a_vae_of_tokens_uses_every_part() -> None:
    torch.manual_seed(0)
    model = VAE(
        (L,),
        3,
        encoder="transformer",
        decoder="transformer",
        likelihood="categorical",
        encoder_args=NET,
        decoder_args={"levels": V, **NET},
        likelihood_args=TOKENS,
    )
    x = grammar(64)
    before = ELBO()(model, x).loss
    trained(model, x, 30)
    assert ELBO()(model, x).loss < before - 1
    assert model.reconstruct(x, mean=False).shape == x.shape


@pytest.mark.parametrize("shape", [(5,), (2, 3), (2, 3, 2)], ids=str)
def test_one_hot_codes_are_channels(shape) -> None:
    likelihood = CategoricalLikelihood(shape, levels=V, one_hot=True)
    x = torch.randint(V, (7, *shape))
    seen = likelihood.as_input(x, torch.float32)
    assert seen.shape == (7, *likelihood.input_shape)
    codes = seen.unflatten(1, (-1, V)) if len(shape) > 1 else seen.unsqueeze(1)
    found = codes.argmax(2).reshape(7, *shape)
    assert torch.equal(found, x) and torch.equal(codes.sum(2), torch.ones_like(codes.sum(2)))


def test_what_does_not_fit_is_said() -> None:
    with pytest.raises(ValueError, match="heads divide the width, got 2 layers, 5 heads"):
        VAE((2, 6), 2, encoder="transformer", encoder_args={"heads": 5})
    with pytest.raises(ValueError, match="takes signals"):
        VAE((6,), 2, encoder="transformer")

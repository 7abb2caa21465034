"""Conditions: what q(z|x, c), p(x|z, c) and p(z|c) are given."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from pyvae import VAE, registry
from pyvae.batch import Batch
from pyvae.decoders import Decoder
from pyvae.encoders import Encoder
from pyvae.models import AutoregressiveModel
from pyvae.networks import ConditionEmbedding
from pyvae.objectives import ELBO, IWAE
from pyvae.priors import ConditionalGaussianPrior

C = 3


def conditions(rows):
    return torch.eye(C)[torch.arange(rows) % C]


def vae(**options):
    torch.manual_seed(0)
    return VAE((1, 8, 8), 2, condition_dim=C, **options)


def batch(rows=6):
    return Batch(torch.rand(rows, 1, 8, 8).round(), extras={"condition": conditions(rows)})


@pytest.mark.parametrize("encoder", registry.encoders.names())
@pytest.mark.parametrize("decoder", ["mlp", "conv", "gated_pixelcnn"])
def test_every_encoder_and_decoder_takes_a_condition(encoder, decoder):
    model = vae(encoder=encoder, decoder=decoder)
    b = batch()
    for name, tensor in (("encoder", model.infer(b)[0].mean), ("decoder", None)):
        if name == "decoder":
            z = torch.zeros(6, 2)
            tensor = model.decode(z, **b.extras).log_prob(b.x)
        same = replaced(model, b, conditions(6).roll(1, 0), name)
        assert not torch.equal(tensor, same), f"the {name} does not see the condition"


def replaced(model, b, condition, name):
    if name == "encoder":
        return model.encode(b.x, condition=condition).mean
    return model.decode(torch.zeros(6, 2), condition=condition).log_prob(b.x)


@pytest.mark.parametrize("prior", ["standard_normal", "conditional_gaussian"])
@pytest.mark.parametrize("name", registry.objectives.names())
def test_every_objective_trains_a_conditional_model(name, prior):
    if registry.objectives.get(name).models is not None:
        pytest.skip("it is for models of its own")
    model, b = vae(prior=prior), batch()
    options = {"objective": "elbo"} if name == "denoising" else {}
    objective = registry.objectives.create(name, **options)
    objective.data_size = 6
    objective.bind(model)
    objective.step_begin(0, 0)
    for phase in objective.phases(model):
        assert objective(model, b, phase=phase.name).loss.isfinite()


def test_a_conditional_prior_starts_as_the_standard_normal_and_learns():
    model, b = vae(prior="conditional_gaussian"), batch(300)
    plain = ELBO(estimator="analytic")(model, b).terms["kl"]
    q, p = model.infer(b)
    assert p.batch_shape == (300,)
    standard = torch.distributions.Normal(0.0, 1.0)
    torch.testing.assert_close(p.log_prob(q.mean), standard.log_prob(q.mean).sum(-1))
    IWAE(5)(model, b).loss.backward()
    assert model.prior.output.weight.grad.abs().sum() > 0
    assert plain.isfinite()


def test_samples_of_a_condition():
    model = vae(prior="conditional_gaussian")
    with torch.no_grad():
        model.prior.output.bias[:2] = 100.0
    one = torch.tensor([0.0, 1.0, 0.0])
    assert model.sample_prior(4, {"condition": one.expand(4, C)}).min() > 50
    assert model.sample(4, condition=one.expand(4, C)).shape == (4, 1, 8, 8)
    assert model.log_marginal(batch().x, 7, condition=conditions(6)).shape == (6,)


def test_a_density_model_takes_a_condition():
    """The probabilities of all images sum to one under each condition."""
    model = AutoregressiveModel((1, 2, 2), "gated_pixelcnn", condition_dim=C)
    x = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 4).reshape(16, 1, 2, 2)
    totals = []
    for c in torch.eye(C):
        log_prob = model.log_prob(x, condition=c.expand(16, C))
        totals.append(log_prob)
        torch.testing.assert_close(log_prob.exp().sum(), torch.tensor(1.0))
    assert not torch.equal(totals[0], totals[1])


def test_a_conditional_model_is_saved_and_loaded(tmp_path):
    model, b = vae(prior="conditional_gaussian", encoder="conv"), batch()
    model.save_pretrained(tmp_path)
    same = VAE.from_pretrained(tmp_path)
    assert torch.equal(same.infer(b)[0].mean, model.infer(b)[0].mean)


def embedded(**options):
    """A model that is given the numbers of categories, 0 to C - 1, the last one for missing."""
    torch.manual_seed(0)
    return VAE((1, 8, 8), 2, condition_dim=1, condition_embeddings=[(0, C, C)], **options)


@pytest.mark.parametrize("encoder", ["mlp", "conv"])
@pytest.mark.parametrize("prior", ["standard_normal", "conditional_gaussian"])
def test_an_embedding_whose_vectors_are_those_of_one_hot_is_the_same_model(encoder, prior):
    plain, other = (f(encoder=encoder, prior=prior) for f in (vae, embedded))
    state = {n.replace("prior.", "prior.inner.", 1): v for n, v in plain.state_dict().items()}
    state["condition_embedding.tables.0.weight"] = torch.eye(C)
    other.load_state_dict(state)
    b = batch()
    numbers = Batch(b.x, extras={"condition": b.extras["condition"].argmax(1, keepdim=True)})
    for model_q, other_q in zip(plain.infer(b), other.infer(numbers), strict=True):
        torch.testing.assert_close(other_q.mean, model_q.mean)
    z = torch.randn(5, 6, 2)
    means = [m.decode(z, **one.extras).mean for m, one in ((plain, b), (other, numbers))]
    torch.testing.assert_close(*means)


def test_an_embedding_learns_the_categories_that_it_sees():
    model = embedded(prior="conditional_gaussian")
    nn.init.normal_(model.prior.inner.output.weight)
    b = batch()
    numbers = torch.tensor([[0.0], [1.0], [0.0], [1.0], [0.0], [1.0]])
    ELBO()(model, Batch(b.x, extras={"condition": numbers})).loss.backward()
    slopes = model.condition_embedding.tables["0"].weight.grad.abs().sum(1)
    assert (slopes[:2] > 0).all() and slopes[2] == 0
    assert (model.condition_embedding.tables["0"].weight[2] == 0).all()  # nothing is known
    assert not {id(p) for p in model.recognition_parameters()} & {
        id(p) for p in model.condition_embedding.parameters()
    }


def test_numbers_beside_an_embedding_stay_where_they_are():
    embed = ConditionEmbedding(4, [(3, 2, 2), (1, 3, 4)])
    vectors = [embed.tables[name].weight for name in ("1", "3")]
    c = torch.tensor([[0.5, 2.0, -1.0, 1.0]])
    expected = torch.cat([c[0, :1], vectors[0][2], c[0, 2:3], vectors[1][1]])
    torch.testing.assert_close(embed(c)[0], expected)
    assert embed(c.expand(3, 1, 4)).shape == (3, 1, embed.out_features)


def test_embedded_conditions_are_saved_loaded_and_copied(tmp_path):
    model = embedded(prior="conditional_gaussian")
    nn.init.normal_(model.prior.inner.output.weight)
    model.save_pretrained(tmp_path)
    x, c = batch().x, torch.tensor([[0.0], [1.0], [2.0]] * 2)
    with torch.no_grad():
        for same in (VAE.from_pretrained(tmp_path), copy.deepcopy(model)):
            q, p = same.infer(Batch(x, extras={"condition": c}))
            assert torch.equal(q.mean, model.encode(x, condition=c).mean)
            assert torch.equal(p.mean, model.prior(condition=c).mean)
            same.condition_embedding.tables["0"].weight += 1
            assert not torch.equal(same.prior(condition=c).mean, p.mean)


def test_a_density_model_takes_an_embedded_condition():
    model = AutoregressiveModel((1, 2, 2), condition_dim=1, condition_embeddings=[(0, 2, 5)])
    x, c = torch.ones(2, 1, 2, 2), torch.tensor([[0.0], [1.0]])
    low, high = model.log_prob(x, condition=c)
    assert low != high


class Net(nn.Module):
    out_features = 4

    def forward(self, x):
        return x.flatten(1)[:, :4]


class Named(Encoder):
    """An encoder of another package, which is given the condition by its name."""

    side_inputs = ("condition",)
    out_features = 4

    def __init__(self, data_shape, condition_dim=0):
        super().__init__(data_shape)
        self.condition_dim = condition_dim

    def forward(self, x, condition=None):
        self.seen = condition
        return x.flatten(1)[:, :4]


class Behind(Decoder):
    """A decoder of another package, which finds the condition behind the latents."""

    def forward(self, z):
        self.seen = z[..., 2:]
        return z.sum(-1)[..., None, None, None].expand(*z.shape[:-1], *self.out_shape)


@pytest.mark.parametrize("tables", [[], [(0, 4, 5)]])
def test_parts_of_other_packages_take_conditions_by_the_documented_interface(tables, monkeypatch):
    for kind, part in ((registry.encoders, Named), (registry.decoders, Behind)):
        known = kind.get
        monkeypatch.setattr(kind, "get", lambda n, p=part, k=known: p if n == "theirs" else k(n))
    both = {"encoder": "theirs", "decoder": "theirs"}
    model = VAE((1, 8, 8), 2, condition_dim=C, condition_embeddings=tables, **both)
    b = batch()
    width = model.encoder.condition_dim
    assert width == (7 if tables else C)
    given = model.condition_embedding(conditions(6)) if tables else conditions(6)
    ELBO()(model, b)
    for part in (model.encoder, model.decoder):
        torch.testing.assert_close(part.seen.reshape(6, width), given)


def test_a_bare_module_sees_the_condition_as_channels():
    model = vae(encoder=Net())
    assert model.encode(batch().x, condition=conditions(6)).mean.shape == (6, 2)


def test_what_does_not_fit_is_said():
    with pytest.raises(ValueError, match=r"encode: the model is conditional .* \(B, 3\), got none"):
        vae().encode(torch.zeros(2, 1, 8, 8))
    with pytest.raises(ValueError, match=r"decode: .* \(B, 3\), got the shape \(2, 4\)"):
        vae().decode(torch.zeros(2, 2), condition=torch.zeros(2, 4))
    with pytest.raises(ValueError, match=r"ConditionalGaussianPrior is .* no condition"):
        VAE((1, 8, 8), 2, prior="conditional_gaussian")
    with pytest.raises(ValueError, match=r"vampprior: .* takes condition besides"):
        vae(prior="vampprior")
    with pytest.raises(ValueError, match=r"needs the condition \(B, 3\)"):
        ConditionalGaussianPrior(2, 3)()
    with pytest.raises(ValueError, match="condition_dim must not be negative, got -1"):
        VAE((1, 8, 8), 2, condition_dim=-1)
    with pytest.raises(ValueError, match=r"place 0 .* whole numbers from 0 to 2"):
        embedded().decode(torch.zeros(2, 2), condition=torch.tensor([[0.0], [3.0]]))
    with pytest.raises(ValueError, match=r"places below 1, .* got \[\(1, 3, 8\)\]"):
        VAE((1, 8, 8), 2, condition_dim=1, condition_embeddings=[(1, 3, 8)])
    with pytest.raises(TypeError, match="condition_dim of the encoder is set by the model"):
        vae(encoder_args={"condition_dim": 5})

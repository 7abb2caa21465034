"""The model: shapes, errors, the marginal likelihood, and the folder it is saved in."""

import json
import math
import os
import sys

import pytest
import torch

from pyvae import VAE, decoders, encoders, priors


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.fixture
def vae():
    return VAE((1, 6, 5), 3, encoder_args={"hidden": [8]}, decoder_args={"hidden": [8]})


def test_shapes(vae):
    x = torch.rand(4, 1, 6, 5)
    q = vae.encode(x)
    assert (q.batch_shape, q.event_shape) == ((4,), (3,))
    for batch in [(), (4,), (7, 4), (2, 7, 4), (0,)]:
        p = vae.decode(torch.randn(*batch, 3))
        assert (p.batch_shape, p.event_shape) == (batch, (1, 6, 5))
    assert vae.decode(q.rsample((7,))).log_prob(x).shape == (7, 4)
    assert (vae.prior().batch_shape, vae.prior().event_shape) == ((), (3,))
    assert vae.reconstruct(x).shape == x.shape
    assert vae.sample(9).shape == (9, 1, 6, 5)
    assert vae.encode(x[:0]).rsample().shape == (0, 3)
    assert not vae.sample(2).requires_grad and not vae.reconstruct(x).requires_grad


def test_samples_and_means(vae):
    drawn = vae.sample(50, mean=False)
    assert set(drawn.unique().tolist()) == {0.0, 1.0}
    assert 0 < vae.sample(50).min() < vae.sample(50).max() < 1
    x = torch.rand(4, 1, 6, 5)
    assert torch.equal(vae.reconstruct(x), vae.reconstruct(x))
    assert not torch.equal(vae.reconstruct(x, mean=False), vae.reconstruct(x, mean=False))
    torch.manual_seed(1)
    first = vae.sample(5)
    torch.manual_seed(1)
    assert torch.equal(first, vae.sample(5))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.bool, torch.float64, torch.float16])
def test_data_of_any_dtype(vae, dtype):
    x = (torch.rand(4, 1, 6, 5) < 0.5).to(dtype)
    q = vae.encode(x)
    assert q.mean.dtype == torch.float32
    torch.testing.assert_close(q.mean, vae.encode(x.float()).mean)
    log_prob = vae.decode(q.mean).log_prob(x)
    torch.testing.assert_close(log_prob.float(), vae.decode(q.mean).log_prob(x.float()))


@pytest.mark.parametrize(
    "shape", [(4, 3, 6, 5), (4, 1, 28, 28), (4, 30), (1, 6, 5), (), (4, 1, 5, 6)]
)
def test_data_of_another_size_raise(vae, shape):
    with pytest.raises(ValueError) as error:
        vae.encode(torch.zeros(shape))
    assert "(B, 1, 6, 5)" in str(error.value) and str(tuple(shape)) in str(error.value)


@pytest.mark.parametrize("shape", [(4, 2), (), (3, 4)])
def test_latents_of_another_size_raise(vae, shape):
    with pytest.raises(ValueError, match=r"z must have shape \(\*batch, 3\), got"):
        vae.decode(torch.zeros(shape))


def test_parts_as_instances():
    encoder = encoders.ConvEncoder((1, 6, 5), channels=(4,), hidden=(7,))
    prior = priors.DiagonalGaussianPrior(3)
    vae = VAE((1, 6, 5), 3, encoder=encoder, prior=prior)
    assert vae.encoder is encoder and vae.prior is prior
    assert vae.encode(torch.zeros(2, 1, 6, 5)).batch_shape == (2,)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"encoder": "mlpp"}, KeyError, "unknown encoder 'mlpp'; did you mean 'mlp'"),
        ({"encoder_args": {"widths": 3}}, TypeError, "encoder 'mlp' has no option 'widths'"),
        ({"prior_args": {"latent_dim": 3}}, TypeError, "latent_dim of the prior is set by"),
        ({"encoder": 3}, TypeError, "encoder must be a registered name or a module, got 3"),
        (
            {"encoder": encoders.MLPEncoder((1, 28, 28))},
            ValueError,
            r"the encoder MLPEncoder does not fit: expected data_shape \(1, 6, 5\), "
            r"got \(1, 28, 28\)",
        ),
        (
            {"decoder": decoders.MLPDecoder(5, (1, 6, 5))},
            ValueError,
            "the decoder MLPDecoder does not fit: expected latent_dim 3, got 5",
        ),
        (
            {"prior": priors.StandardNormalPrior(3), "prior_args": {"x": 1}},
            TypeError,
            "prior_args belong to a part given by name",
        ),
        ({"data_shape": ()}, ValueError, "data_shape must hold one or more positive sizes"),
        ({"data_shape": (1, 0)}, ValueError, "positive"),
        ({"latent_dim": 0}, ValueError, "latent_dim must be positive"),
    ],
)
def test_bad_parts_raise(options, error, message):
    if isinstance(options.get("encoder"), int):
        options = {**options, "encoder": 3}
    with pytest.raises(error, match=message):
        VAE(**{"data_shape": (1, 6, 5), "latent_dim": 3, **options})


def test_the_prior_is_bound_to_the_whole_model():
    bound = []

    class Bound(priors.StandardNormalPrior):
        def bind(self, model):
            bound.append((model, model.encoder, model.decoder))

    vae = VAE((1, 6, 5), 3, prior=Bound(3))
    assert bound == [(vae, vae.encoder, vae.decoder)]


@pytest.mark.parametrize("network", ["mlp", "conv"])
@pytest.mark.parametrize(
    ("likelihood", "options"),
    [("bernoulli", {}), ("gaussian", {}), ("gaussian", {"variance": "per_pixel"})],
)
def test_the_output_starts_at_the_mean_of_the_data(network, likelihood, options):
    vae = VAE((2, 6, 5), 3, decoder=network, likelihood=likelihood, likelihood_args=options)
    mean = torch.tensor([0.2, 0.9])[:, None, None].expand(2, 6, 5)
    vae.init_output(mean)
    for parameter in vae.decoder.parameters():
        if parameter.ndim > 1:
            parameter.data.zero_()  # only the bias of the output is left
    torch.testing.assert_close(vae.decode(torch.randn(4, 3)).mean, mean.expand(4, 2, 6, 5))


def test_log_marginal_is_exact_for_the_true_posterior(linear_gaussian):
    model, truth = linear_gaussian()
    x = torch.randn(6, 5, dtype=torch.float64)
    for k in (1, 10):  # no weight differs from any other
        torch.testing.assert_close(model.log_marginal(x, k), truth.log_prob(x))


def test_log_marginal_rises_with_the_samples_to_the_truth(linear_gaussian):
    model, truth = linear_gaussian()
    with torch.no_grad():
        model.posterior.linear.bias[:2] += 0.3
        model.posterior.linear.bias[2:] += 0.3
    x = torch.randn(1, 5, dtype=torch.float64).expand(2000, 5)
    log_p = truth.log_prob(x[0])
    gaps = []
    for k in (1, 5, 50):
        values = model.log_marginal(x, k)
        gaps.append((log_p - values.mean()).item())
    assert gaps[0] > gaps[1] > gaps[2] > -0.01
    assert gaps[2] < 0.05 * gaps[0]


def test_log_marginal_holds_few_samples_at_a_time(linear_gaussian, monkeypatch):
    model, truth = linear_gaussian()
    sizes = []
    model.decoder.register_forward_hook(lambda m, args, out: sizes.append(args[0].numel() // 2))
    x = torch.randn(7, 5, dtype=torch.float64)
    torch.testing.assert_close(model.log_marginal(x, 25, chunk=10), truth.log_prob(x))
    assert sizes == [1, 70, 70, 35]  # one datum to see how wide the layers are
    sizes.clear()
    monkeypatch.setattr("pyvae.models.capacity.BUDGET", 5 * 20)  # 20 data at a time
    torch.testing.assert_close(model.log_marginal(x, 25), truth.log_prob(x))
    assert max(sizes) <= 20 and sum(sizes) == 1 + 7 * 25
    sizes.clear()
    x = torch.randn(50, 5, dtype=torch.float64)
    torch.testing.assert_close(model.log_marginal(x, 3), truth.log_prob(x))
    assert max(sizes) <= 20 and sum(sizes) == 1 + 50 * 3


def test_log_marginal_of_nothing_and_bad_arguments(vae):
    assert vae.log_marginal(torch.zeros(0, 1, 6, 5), 3).shape == (0,)
    assert not vae.log_marginal(torch.zeros(2, 1, 6, 5), 3).requires_grad
    for options in ({"num_samples": 0}, {"num_samples": 3, "chunk": 0}):
        with pytest.raises(ValueError, match="must be at least 1"):
            vae.log_marginal(torch.zeros(2, 1, 6, 5), **options)


def test_log_marginal_survives_extreme_weights(linear_gaussian):
    model, _ = linear_gaussian()
    x = torch.full((2, 5), 1e4, dtype=torch.float64)
    assert model.log_marginal(x, 20, chunk=3).isfinite().all()


# the folder


def test_saved_and_loaded(vae, tmp_path):
    folder = tmp_path / "deep" / "folder"
    vae.save_pretrained(folder)
    assert sorted(os.listdir(folder)) == ["config.json", "model.safetensors"]
    again = VAE.from_pretrained(str(folder))
    assert again.config == vae.config == json.loads(json.dumps(vae.config))
    x = torch.rand(4, 1, 6, 5)
    assert torch.equal(again.reconstruct(x), vae.reconstruct(x))
    vae.double().save_pretrained(folder)  # over what is there
    assert VAE.from_pretrained(folder).dtype == torch.float64


@pytest.mark.parametrize("prior", ["standard_normal", "diagonal_gaussian"])
def test_all_parts_are_saved(prior, tmp_path):
    options = {"variance": "learned", "sigma": 0.3}
    vae = VAE((3, 6, 5), 2, "conv", "conv", prior, "diagonal_gaussian", "gaussian",
              likelihood_args=options)  # fmt: skip
    for parameter in vae.parameters():
        parameter.data.add_(torch.randn_like(parameter))
    vae.save_pretrained(tmp_path)
    again = VAE.from_pretrained(tmp_path)
    assert again.state_dict().keys() == vae.state_dict().keys()
    assert all(torch.equal(a, b) for a, b in zip(again.parameters(), vae.parameters(), strict=True))


def test_an_instance_cannot_be_saved(tmp_path):
    vae = VAE((1, 6, 5), 3, encoder=encoders.MLPEncoder((1, 6, 5)))
    with pytest.raises(
        TypeError, match=r"encoder was given as an instance of MLPEncoder.*register"
    ):
        vae.save_pretrained(tmp_path / "run")
    assert not (tmp_path / "run").exists()


def cut(path, size):
    path.write_bytes(path.read_bytes()[:size])


def test_missing_and_damaged_folders_raise(vae, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"holds no saved VAE: config.json is missing"):
        VAE.from_pretrained(tmp_path / "nowhere")
    config, weights = tmp_path / "config.json", tmp_path / "model.safetensors"
    for size in (0, 5, 200, -4):
        vae.save_pretrained(tmp_path)
        cut(weights, size)
        with pytest.raises(ValueError, match=r"model.safetensors is damaged or does not fit"):
            VAE.from_pretrained(tmp_path)
    for text in ("", "{", "[]", "3", "{}", '{"model": "VAE", "dtype": "no"}'):
        vae.save_pretrained(tmp_path)
        config.write_text(text)
        with pytest.raises(ValueError, match=r"config.json is damaged"):
            VAE.from_pretrained(tmp_path)
    weights.unlink()
    with pytest.raises(FileNotFoundError, match=r"model.safetensors is missing"):
        VAE.from_pretrained(tmp_path)


def test_a_flipped_bit_in_the_weights_is_noticed(vae, tmp_path):
    vae.save_pretrained(tmp_path)
    weights = tmp_path / "model.safetensors"
    whole = weights.read_bytes()
    for place in (len(whole) - 1, len(whole) - 200, len(whole) // 2):
        weights.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        with pytest.raises(ValueError, match=r"model.safetensors is damaged"):
            VAE.from_pretrained(tmp_path)
        again = VAE.from_pretrained(tmp_path, verify=False)
        same = [
            torch.equal(a, b) for a, b in zip(again.parameters(), vae.parameters(), strict=True)
        ]
        assert same.count(False) == 1
    weights.write_bytes(whole)
    VAE.from_pretrained(tmp_path)


def test_tied_weights_are_saved_and_loaded(tmp_path):
    vae = VAE((4,), 4, encoder_args={"hidden": [4]}, decoder_args={"hidden": [4]})
    vae.decoder.layers[0].weight = vae.encoder.layers[0].weight
    vae.save_pretrained(tmp_path)
    again = VAE.from_pretrained(tmp_path)
    assert torch.equal(again.decoder.layers[0].weight, vae.encoder.layers[0].weight)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "Other"}, "holds a Other, expected a VAE"),
        ({"latent_dim": 4}, "model.safetensors is damaged or does not fit config.json"),
        ({"colour": 1}, "does not describe a VAE: .*colour"),
        ({"latent_dim": "many"}, r"config.json does not describe a VAE"),
        ({"latent_dim": 2**62}, r"config.json does not describe a VAE"),
        ({"data_shape": "abc"}, r"config.json does not describe a VAE"),
        ({"encoder_args": {"hidden": "x"}}, "does not describe a VAE: encoder 'mlp': hidden must"),
        ({"encoder_args": 3}, r"config.json does not describe a VAE"),
        ({"dtype": "zeros"}, r"config.json is damaged"),
        ({"dtype": "int64"}, r"config.json is damaged"),
        ({"encoder_args": {"colour": 1}}, "does not describe a VAE: .*no option 'colour'"),
    ],
)
def test_a_config_of_something_else_raises(vae, tmp_path, change, message):
    vae.save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ValueError, match=message):
        VAE.from_pretrained(tmp_path)


def test_a_failed_save_leaves_what_was_there(vae, tmp_path, monkeypatch):
    vae.save_pretrained(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        vae.save_pretrained(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_folder_that_cannot_be_made_raises(vae, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        vae.save_pretrained(tmp_path / "file" / "run")
    assert os.listdir(tmp_path) == ["file"]


def test_without_safetensors_the_error_says_what_to_install(vae, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(ImportError, match=r"pyvae-fused\[train\]"):
        vae.save_pretrained(tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_saved_files_are_as_readable_as_others(vae, tmp_path):
    vae.save_pretrained(tmp_path)
    (tmp_path / "other").write_text("")
    modes = {path.stat().st_mode for path in tmp_path.iterdir()}
    assert len(modes) == 1


def test_nan_propagates(vae):
    x = torch.full((2, 1, 6, 5), math.nan)
    assert vae.log_marginal(x, 2).isnan().all()

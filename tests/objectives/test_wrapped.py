"""An objective takes a model that something is wrapped around, and its numbers stay the same."""

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn.parallel import DistributedDataParallel
from torch.testing import assert_close

from pyvae import VAE
from pyvae.objectives import AAE, ELBO, FactorVAE

WIDTHS = {"encoder_args": {"hidden": [8]}, "decoder_args": {"hidden": [8]}}


def model(**options):
    torch.manual_seed(0)
    return VAE((6,), latent_dim=2, **WIDTHS, **options)


def step(wrapped, vae, x, objective=None):
    """The loss and the gradients of one step with one seed."""
    vae.zero_grad()
    torch.manual_seed(1)
    result = (objective or ELBO())(wrapped, x)
    result.loss.backward()
    return result.loss.detach(), [p.grad for p in vae.parameters()]


@pytest.fixture(scope="module")
def group():
    """One gloo process: what wrappers do in one, they do in many."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("MASTER_ADDR", "127.0.0.1")
        environment.setenv("MASTER_PORT", "0")
        dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
        yield
        dist.destroy_process_group()


def test_the_forward_of_a_model_is_its_reconstruction():
    vae, x = model(), torch.rand(5, 6)
    torch.manual_seed(3)
    ours = vae(x)
    torch.manual_seed(3)
    assert_close(ours, vae.decode(vae.encode(x).rsample()).mean)
    assert ours.requires_grad and ours.shape == x.shape


@pytest.mark.parametrize("kind", ["ddp", "data_parallel", "compile", "ddp of compile", "hook"])
def test_a_wrapped_model_gives_the_loss_of_the_bare_one(kind, group):
    vae, x = model(likelihood="gaussian", likelihood_args={"variance": "learned"}), torch.rand(5, 6)
    expected = step(vae, vae, x)
    calls = []
    vae.register_forward_hook(lambda *_: calls.append(1))
    wrapped = {
        "ddp": lambda: DistributedDataParallel(vae),
        "data_parallel": lambda: nn.DataParallel(vae),
        "compile": lambda: torch.compile(vae, backend="aot_eager"),
        "ddp of compile": lambda: DistributedDataParallel(torch.compile(vae, backend="aot_eager")),
        "hook": lambda: vae,
    }[kind]()
    assert_close(step(wrapped, vae, x), expected)
    assert calls, "the forward of the model has run"


def test_a_sharded_model_gives_the_loss_of_the_bare_one(group):
    from torch.distributed.fsdp import fully_shard

    vae = model(
        likelihood="gaussian", likelihood_args={"variance": "learned"}, prior="diagonal_gaussian"
    )
    x = torch.rand(5, 6)
    loss, grads = step(vae, vae, x)
    fully_shard(vae, mesh=dist.init_device_mesh("cpu", (1,)))
    sharded, shards = step(vae, vae, x)
    assert_close(sharded, loss)
    assert_close([g.full_tensor() for g in shards], grads)


def test_an_objective_with_networks_of_its_own_says_what_to_wrap(group):
    vae = model()
    objective = FactorVAE(hidden=(4,))
    objective.bind(vae)
    with pytest.raises(TypeError, match="FactorVAE has networks of its own"):
        objective(DistributedDataParallel(vae), torch.rand(5, 6))


@pytest.mark.parametrize("objective", [FactorVAE(), AAE()], ids=lambda o: type(o).__name__)
def test_an_objective_that_was_not_bound_says_so(objective):
    for use in (
        lambda: objective.phases(model()),
        lambda: objective(model(), torch.rand(5, 6), phase="discriminator"),
    ):
        with pytest.raises(AttributeError, match=r"after objective\.bind\(model\)"):
            use()


@pytest.mark.parametrize("name", ["variance", "scale"])
def test_learned_spreads_have_a_dimension_and_old_files_load(name):
    likelihood = {"variance": "gaussian", "scale": "laplace"}[name]
    vae = model(likelihood=likelihood, likelihood_args={name: "learned"})
    spread = vae.likelihood.spread
    state = vae.state_dict()
    assert state[f"likelihood.{spread}"].shape == (1,)
    state[f"likelihood.{spread}"] = torch.tensor(0.25)
    vae.load_state_dict(state)
    assert_close(getattr(vae.likelihood, spread).detach(), torch.tensor([0.25]))


def test_a_model_is_a_graph():
    """For torch.export and make_fx, at any batch."""
    vae, x = model().requires_grad_(False), torch.rand(5, 6)
    batch = {"x": {0: torch.export.Dim("batch")}}
    exported = torch.export.export(vae, (x,), dynamic_shapes=batch).module()
    traced = make_fx(vae, tracing_mode="symbolic", _allow_non_fake_inputs=True)(x)
    for graph in (exported, traced):
        ours, expected = (
            torch.stack([torch.manual_seed(i) and f(torch.ones(7, 6)) for i in range(3)])
            for f in (graph, vae)
        )
        assert_close(ours, expected)

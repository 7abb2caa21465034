"""Aggressive inference: whose turn a step is, and what it then moves."""

import copy
import math

import pytest
import torch
from torch import distributed

from pyvae import VAE, registry
from pyvae.objectives import ELBO, AggressiveInference, Batch, Denoising, FullVB
from pyvae.objectives.aggressive_inference import _information
from pyvae.objectives.aggressive_stage import AggressiveStage

ROWS = 40


# The stage


def turns(stage, losses, information=(), rows=10):
    """What is trained at each step, as letters, when its loss is given if q(z|x) is trained."""
    said, informations, start = "", iter(information), 0
    for step, loss in enumerate(losses):
        stage.begin(step, ROWS)
        if stage.starts:
            start += 1
            stage.add_information(torch.tensor(float(next(informations, start))), rows)
        stage.add_loss(torch.tensor(float(loss)))
        said += stage.trained[0]
    return said


def test_inference_ends_where_a_window_is_no_better_than_the_one_before():
    falls = [9, 8, 7, 6, 5, 5.5]  # in windows of two 8.5, 6.5, 5.25
    losses = [*falls, 5.5, 5.0, 0, 4, 4, 4, 4, 0, 1, 1]
    assert turns(AggressiveStage(2, 100, None), losses) == "rrrrrrrrgrrrrgrr"


def test_inference_takes_no_more_than_so_many_steps():
    """In the middle of a window too, whose steps do not count for the next one."""
    stage = AggressiveStage(2, 5, None)
    losses = [10, 9, 8, 7, 1000, 0, 10, 9, 8, 7, 6, 0, 10]
    assert turns(stage, losses) == "rrrrrgrrrrrgr"
    assert stage.loss_sum == 10


def test_a_loss_that_is_no_number_does_not_hold_it():
    assert turns(AggressiveStage(1, 100, None), [2, math.nan, 0, 1]) == "rrgr"


def test_the_stage_ends_when_the_information_no_longer_rises():
    """Epochs of 40 rows in batches of 10: means 1, 2 and 1.5 of four starts each."""
    information = [0.5, 0.5, 1.5, 1.5, 2, 2, 2, 2, 1, 2, 1, 2, 5]
    said = turns(AggressiveStage(1, 1, None), 40 * [1], information)
    assert said == 11 * "rg" + "r" + 17 * "b"


def test_the_stage_may_have_a_length():
    assert turns(AggressiveStage(1, 1, 5), 9 * [1]) == "rgrgrbbbb"
    assert turns(AggressiveStage(10, 100, 5), 9 * [1]) == "rrrrrbbbb"


def test_the_stage_goes_on_from_its_state_dict():
    """At any step, whatever was decided before."""
    losses = torch.rand(60).tolist()
    information = [*range(8), *(60 * [3.0])]  # falls in the third epoch of p(x|z)
    expected = turns(AggressiveStage(1, 2, None), losses, information)
    assert set(expected) == {"r", "g", "b"}
    for stop in range(60):
        stage, used = AggressiveStage(1, 2, None), 0
        said = ""
        for step, loss in enumerate(losses):
            if step == stop:
                state = {key: value.clone() for key, value in stage.state_dict().items()}
                stage = AggressiveStage(1, 2, None)
                stage.load_state_dict(state)
            stage.begin(step, ROWS)
            if stage.starts:
                stage.add_information(torch.tensor(float(information[used])), 10)
                used += 1
            stage.add_loss(torch.tensor(loss))
            said += stage.trained[0]
        assert said == expected


# The objective


def made(model, **options):
    objective = AggressiveInference(**options)
    objective.data_size = ROWS
    objective.bind(model)
    return objective


def groups(model):
    return {"r": model.recognition_parameters(), "g": model.generative_parameters()}


INNER = {
    "elbo": {},
    "elbo with a prior": {"objective": "elbo", "weight_prior": "normal"},
    "reinforce": {"objective": "elbo", "estimator": "reinforce"},
    "iwae": {"objective": "iwae", "num_samples": 3},
    "tc_vae": {"objective": "tc_vae"},
    "mmd_vae": {"objective": "mmd_vae"},
    "full_vb": {"objective": "full_vb"},
    "denoising": {"objective": Denoising(objective="elbo", corruption="gaussian")},
}


@pytest.mark.parametrize("prior", ["diagonal_gaussian", "vampprior"])
@pytest.mark.parametrize("inner", INNER)
def test_a_step_moves_what_it_is_for_and_nothing_else(inner, prior):
    """Bitwise, also where an optimizer has moments from the steps before."""
    model = VAE((6,), 2, prior=prior, encoder_args={"hidden": [8]}, decoder_args={"hidden": [8]})
    options = {name: copy.deepcopy(value) for name, value in INNER[inner].items()}
    objective = made(model, window=1, max_steps=2, stage_steps=9, **options)
    (phase,) = objective.phases(model)
    optimizer = torch.optim.AdamW(phase.parameters, lr=0.01, weight_decay=0.1)
    x, said = torch.rand(8, 6).round(), ""
    for step in range(12):
        before = copy.deepcopy(groups(model))
        own = copy.deepcopy(list(objective.parameters()))
        objective.step_begin(step, 0)
        optimizer.zero_grad()
        result = objective(model, x, phase=phase.name)
        result.loss.backward()
        optimizer.step()
        trained = objective.stage.trained[0]
        said += trained
        for name, parameters in groups(model).items():
            changed = [not torch.equal(a, b) for a, b in zip(before[name], parameters, strict=True)]
            assert any(changed) == (trained in ("b", name)), (step, name)
        changed = [not torch.equal(a, b) for a, b in zip(own, objective.parameters(), strict=True)]
        assert any(changed) == (bool(own) and trained != "r")  # q(theta) goes with p(x|z)
        assert result.terms["generative_updates"] == (trained != "r")
    assert set(said[:9]) == {"r", "g"} and said[9:] == "bbb"


@pytest.mark.parametrize("stage", ["recognition", "generative", "both"])
def test_loss_and_gradients_are_those_of_the_inner_objective(linear_gaussian, stage):
    model, _ = linear_gaussian(exact=False)
    x = torch.randn(6, 5, dtype=torch.float64)
    parameters = list(model.parameters())
    torch.manual_seed(1)
    plain = ELBO(beta=2.0)(model, x)
    expected = torch.autograd.grad(plain.loss, parameters)
    objective = made(model, beta=2.0).eval()
    objective.stage.trained, objective.stage.progress.steps = stage, 1
    torch.manual_seed(1)
    result = objective(model, x)
    found = torch.autograd.grad(result.loss, parameters, allow_unused=True)
    assert torch.equal(result.loss, plain.loss)
    recognition = {id(p) for p in model.recognition_parameters()}
    for parameter, a, b in zip(parameters, found, expected, strict=True):
        own = "recognition" if id(parameter) in recognition else "generative"
        assert (a is None) == (stage not in (own, "both"))
        if a is not None:
            torch.testing.assert_close(a, b)


def test_before_the_decoder_moves_the_posterior_is_the_models_own(linear_gaussian):
    """The gap between the bound and log p(x), which is known, is nearly closed each time."""
    model, truth = linear_gaussian(exact=False)
    objective = made(model, window=20, max_steps=1000, num_samples=50)
    objective.data_size = 10_000  # so that the stage does not end
    (phase,) = objective.phases(model)
    optimizer = torch.optim.Adam(phase.parameters, lr=0.02)
    x = truth.sample((ROWS,))

    def gap():
        """Of the model as it is, whose decoder has moved since."""
        w, b = model.decoder.output.weight, model.decoder.output.bias
        sigma = 0.7**2 * torch.eye(len(b), dtype=w.dtype)
        p = torch.distributions.MultivariateNormal(b, w @ w.T + sigma)
        return (p.log_prob(x).mean() - ELBO(num_samples=2000)(model, x).terms["elbo"]).item()

    first, gaps = gap(), []
    for step in range(1500):
        objective.step_begin(step, 0)
        if objective.stage.trained == "generative":
            gaps.append(gap())
        optimizer.zero_grad()
        objective(model, x).loss.backward()
        optimizer.step()
        if len(gaps) == 3:
            break
    assert len(gaps) == 3
    assert max(gaps) < 0.1 < first


def test_the_information_of_codes():
    """0 where every row has the same posterior, log B where none could be another's."""

    class Codes:
        def __init__(self, means):
            self.means = means

        def infer(self, batch):
            normal = torch.distributions.Normal(self.means[: len(batch)], 1.0)
            return torch.distributions.Independent(normal, 1), None

    x = Batch(torch.zeros(8, 1))
    assert _information(Codes(torch.zeros(8, 2)), x).item() == pytest.approx(0, abs=1e-6)
    apart = 100 * torch.arange(8.0)[:, None].expand(8, 2)
    assert _information(Codes(apart), x).item() == pytest.approx(math.log(8), abs=1e-5)
    many = 1000 * torch.arange(700.0, dtype=torch.float64)[:, None]
    assert _information(Codes(many), Batch(torch.zeros(700, 1))).item() == pytest.approx(
        math.log(500)
    )


@pytest.mark.parametrize("posterior", registry.posteriors.names())
def test_every_posterior_has_information(posterior):
    if posterior in ("iaf", "spline"):
        pytest.importorskip("zuko")
    options = {"posterior": posterior}
    if posterior in ("bernoulli", "categorical"):
        options["prior"] = "uniform_categorical"
    if posterior == "categorical":
        options |= {"posterior_args": {"classes": 2}, "prior_args": {"classes": 2}}
    model = VAE((6,), 4, **options)
    found = _information(model, Batch(torch.rand(20, 6).round()))
    assert -0.1 < found.item() < math.log(20) + 0.1


def test_wrappers_around_it():
    model, x = VAE((6,), 2), torch.rand(8, 6)
    outer = Denoising(objective="aggressive_inference", window=1, max_steps=1)
    outer.data_size = ROWS
    outer.bind(model)
    outer.step_begin(0, 0)
    outer(model, x).loss.backward()
    assert all(p.grad is None for p in model.generative_parameters())
    with pytest.raises(TypeError, match="aggressive_inference goes around full_vb, not inside"):
        FullVB(objective=Denoising(objective="aggressive_inference"))
    for inner in (AggressiveInference(), Denoising(objective="aggressive_inference")):
        with pytest.raises(TypeError, match="aggressive_inference: the inner objective cannot be"):
            AggressiveInference(objective=inner)


def test_what_does_not_fit(monkeypatch):
    for name in ("window", "max_steps", "stage_steps"):
        with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
            AggressiveInference(**{name: 0})
    vae = VAE((6,), 2)
    with pytest.raises(TypeError, match=r"must have one phase, .* got WakeSleep"):
        made(vae, objective="wake_sleep")
    with pytest.raises(ValueError, match="AggressiveInference needs the number of training data"):
        AggressiveInference().step_begin(0, 0)
    frozen = VAE((6,), 2)
    for parameter in frozen.recognition_parameters():
        parameter.requires_grad_(False)
    with pytest.raises(TypeError, match=r"model VAE has none of q\(z\|x\)"):
        made(frozen)
    monkeypatch.setattr(distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(distributed, "get_world_size", lambda: 2)
    with pytest.raises(RuntimeError, match=r"trains in one process, .* got 2 processes"):
        made(vae).step_begin(0, 0)


def test_the_notes():
    inner = ELBO(warm_up_steps=9_000).notes(900, 3)
    said = AggressiveInference(warm_up_steps=9_000).notes(900, 3)
    assert said[:-1] == inner
    assert said[-1] == (
        "while inference is aggressive, 20 to 100 steps of the encoder come before each of the "
        "decoder: at most 42 of the decoder in 900 steps"
    )
    (said,) = AggressiveInference(max_steps=3, stage_steps=100).notes(900, 3)
    assert said == (
        "while inference is aggressive, 3 steps of the encoder come before each of the decoder: at "
        "most 25 of the decoder in 100 steps"
    )


def test_rows_of_data_are_what_an_epoch_is():
    model = VAE((6,), 2)
    objective = made(model, window=1, max_steps=1)
    for step in range(3):
        objective.step_begin(step, 0)
        objective(model, Batch(torch.rand(20, 6)))
    assert objective.stage.progress.rows == ROWS
    objective.step_begin(3, 0)
    assert objective.stage.progress.rows == 0 and objective.stage.progress.information > -math.inf

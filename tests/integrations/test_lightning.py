"""Models and objectives that Lightning trains."""

import math

import pytest
import torch
from torch.utils.data import DataLoader, Dataset, TensorDataset

pytestmark = [pytest.mark.integrations, pytest.mark.filterwarnings("ignore")]

pytest.importorskip("lightning")
import lightning  # noqa: E402
from lightning.pytorch.callbacks import Callback, ModelCheckpoint  # noqa: E402

import pyvae  # noqa: E402
from pyvae import objectives  # noqa: E402
from pyvae.batch import Batch  # noqa: E402
from pyvae.integrations.lightning import VAEModule, as_batch  # noqa: E402

ROWS, PIXELS, L = 64, (1, 4, 4), 2


def images():
    generator = torch.Generator().manual_seed(0)
    return (torch.rand(ROWS, *PIXELS, generator=generator) > 0.7).float()


def vae(**options):
    torch.manual_seed(0)
    hidden = {"hidden": [16]}
    return pyvae.VAE(PIXELS, L, encoder_args=hidden, decoder_args=hidden, **options)


def loader(data=None, **options):
    data = TensorDataset(images()) if data is None else data
    return DataLoader(data, batch_size=16, shuffle=False, **options)


def trainer(folder, epochs=2, **options):
    options = {"enable_checkpointing": False, "logger": False, **options}
    return lightning.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        default_root_dir=folder,
        enable_progress_bar=False,
        enable_model_summary=False,
        **options,
    )


def adam(parameters):
    return torch.optim.Adam(parameters, lr=1e-2)


def by_hand(epochs=2):
    """The same training as a plain loop."""
    model, elbo = vae(), objectives.ELBO()
    optimizer = adam(model.parameters())
    for epoch in range(epochs):
        for step, (x,) in enumerate(loader()):
            torch.manual_seed(4 * epoch + step)
            optimizer.zero_grad()
            elbo(model, x).loss.backward()
            optimizer.step()
    return model


class Seeded(Callback):
    """The noise of each step is its own; loaders draw from the generator at other times."""

    def on_train_batch_start(self, trainer, module, *rest):
        torch.manual_seed(trainer.global_step)


def test_training_is_that_of_a_plain_loop(tmp_path):
    module = VAEModule(vae(), objectives.ELBO(), adam)
    trainer(tmp_path, callbacks=[Seeded()]).fit(module, loader())
    for mine, plain in zip(module.model.parameters(), by_hand().parameters(), strict=True):
        torch.testing.assert_close(mine, plain)


class Log(Callback):
    """What is logged, step by step."""

    def __init__(self):
        self.rows = []

    def on_train_batch_end(self, trainer, module, *rest):
        self.rows.append({name: float(v) for name, v in trainer.logged_metrics.items()})


def test_the_terms_are_logged_for_training_and_validation(tmp_path):
    module, log = VAEModule(vae(), objectives.ELBO(beta=2.0), adam), Log()
    fit = trainer(tmp_path, epochs=20, callbacks=[log])
    fit.fit(module, loader(), loader())
    for row in log.rows:
        assert {"train/loss", "train/elbo", "train/kl", "train/log_likelihood"} <= row.keys()
        assert row["train/elbo"] == pytest.approx(
            row["train/log_likelihood"] - row["train/kl"], rel=1e-5
        )
        loss = 2 * row["train/kl"] - row["train/log_likelihood"]
        assert row["train/loss"] == pytest.approx(loss, rel=1e-5)
    values = {name: float(value) for name, value in fit.callback_metrics.items()}
    assert values["val/elbo"] > log.rows[0]["train/elbo"] + 0.5
    (tested,) = trainer(tmp_path).test(module, loader(), verbose=False)
    assert tested["test/elbo"] == pytest.approx(values["val/elbo"], abs=0.5)


def test_a_validation_figure_is_the_mean_over_the_rows(tmp_path):
    """The last batch is smaller; a deterministic objective has no noise to hide behind."""
    module = VAEModule(vae(), objectives.Autoencoder(), adam)
    uneven = loader(TensorDataset(images()[:21]))
    (figures,) = trainer(tmp_path).validate(module, uneven, verbose=False)
    with torch.no_grad():
        module.eval()
        whole = module.objective(module.model, images()[:21]).loss
    assert figures["val/loss"] == pytest.approx(whole.item(), rel=1e-5)


class Rows(Dataset):
    """Rows as a loader may give them."""

    def __init__(self, make):
        self.x, self.make = images(), make

    def __len__(self):
        return len(self.x)

    def __getitem__(self, index):
        return self.make(self.x[index], index)


@pytest.mark.parametrize(
    "make",
    [
        lambda x, i: x,
        lambda x, i: (x,),
        lambda x, i: (x, i % 3),
        lambda x, i: {"x": x, "y": i % 3},
    ],
    ids=["tensor", "alone", "labelled", "mapping"],
)
def test_batches_of_any_form_are_the_same_training(tmp_path, make):
    module = VAEModule(vae(), objectives.ELBO(), adam)
    trainer(tmp_path, callbacks=[Seeded()]).fit(module, loader(Rows(make)))
    for mine, plain in zip(module.model.parameters(), by_hand().parameters(), strict=True):
        torch.testing.assert_close(mine, plain)


def test_side_inputs_reach_the_likelihood(tmp_path):
    counts = torch.poisson(torch.full((ROWS, 5), 3.0))
    rows = [{"x": x, "library": x.sum()} for x in counts]
    model = pyvae.VAE((5,), L, likelihood="negative_binomial")
    fit = trainer(tmp_path)
    fit.fit(VAEModule(model, objectives.ELBO(), adam), loader(rows))
    assert math.isfinite(float(fit.callback_metrics["train/elbo"]))
    batches = [Batch(counts, extras={"library": counts.sum(1)})]
    whole = DataLoader(batches, batch_size=None)
    fit = trainer(tmp_path)
    fit.fit(VAEModule(model, objectives.ELBO(), adam), whole)
    assert math.isfinite(float(fit.callback_metrics["train/elbo"]))


@pytest.mark.parametrize("batch", [(), (1, 2, 3), {"y": 0}, {}, 3], ids=str)
def test_a_batch_of_another_form_is_told(batch):
    with pytest.raises(TypeError, match=r"a batch must be .*, got a (int|tuple of|dict with)"):
        as_batch(batch)


def test_an_adversarial_objective_steps_each_of_its_optimizers(tmp_path):
    factor = objectives.FactorVAE(hidden=(8,), discriminator_lr=0.5)
    module = VAEModule(vae(), factor, adam)
    before = [[p.clone() for p in part.parameters()] for part in (module.model, factor)]
    log = Log()
    fit = trainer(tmp_path, callbacks=[log])
    fit.fit(module, loader(), loader())
    groups = [optimizer.param_groups[0] for optimizer in fit.optimizers]
    assert [group["lr"] for group in groups] == [1e-2, 0.5e-2]
    assert [group["betas"] for group in groups] == [(0.9, 0.999), (0.5, 0.9)]
    for part, old in zip((module.model, factor), before, strict=True):
        assert not any(torch.equal(a, b) for a, b in zip(part.parameters(), old, strict=True))
    assert {"train/loss_model", "train/loss_discriminator", "train/accuracy"} <= log.rows[0].keys()
    assert "val/elbo" in fit.callback_metrics


@pytest.mark.parametrize("adversarial", [False, True])
def test_schedules_see_the_true_step_and_epoch(tmp_path, adversarial):
    kind = objectives.FactorVAE if adversarial else objectives.ELBO
    seen = []

    class Watched(kind):
        def step_begin(self, step, epoch):
            seen.append((step, epoch))
            super().step_begin(step, epoch)

    objective = Watched(hidden=(8,)) if adversarial else Watched()
    module = VAEModule(
        vae(),
        objective,
        adam,
        scheduler=lambda optimizer: torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.1),
    )
    fit = trainer(tmp_path)
    fit.fit(module, loader())
    assert seen == [(step, step // 4) for step in range(8)]
    assert fit.optimizers[0].param_groups[0]["lr"] == pytest.approx(1e-4)


def test_accumulated_batches_are_one_step(tmp_path):
    steps = []

    class Watched(objectives.ELBO):
        def step_begin(self, step, epoch):
            steps.append(step)

    module = VAEModule(vae(), Watched(), adam)
    trainer(tmp_path, epochs=1, accumulate_grad_batches=2, gradient_clip_val=1.0).fit(
        module, loader()
    )
    assert steps == [0, 0, 1, 1]


def test_a_run_resumed_goes_on_where_it_was(tmp_path):
    """Weights, optimizer, and the step that the schedule sees."""

    def run(epochs, path=None):
        module = VAEModule(vae(), objectives.ELBO(warm_up_steps=8), adam)
        keep = ModelCheckpoint(tmp_path, filename="{epoch}", save_top_k=-1)
        fit = trainer(tmp_path, epochs, callbacks=[Seeded(), keep], enable_checkpointing=True)
        fit.fit(module, loader(), ckpt_path=path)
        return module

    whole = run(2)
    run(1)
    resumed = run(2, tmp_path / "epoch=0.ckpt")
    for a, b in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(a, b)


def test_data_size_reaches_the_objective(tmp_path):
    module = VAEModule(vae(), objectives.TCVAE(), adam, data_size=ROWS)
    assert module.objective.data_size == ROWS
    trainer(tmp_path).fit(module, loader())


def test_latents_are_predicted(tmp_path):
    module = VAEModule(vae(), objectives.ELBO(), adam)
    latents = torch.cat(trainer(tmp_path).predict(module, loader()))
    torch.testing.assert_close(latents, module.model.encode(images()).mean.detach())


def test_bfloat16_precision_trains(tmp_path):
    fit = trainer(tmp_path, precision="bf16-mixed")
    fit.fit(VAEModule(vae(), objectives.ELBO(), adam), loader())
    assert math.isfinite(float(fit.callback_metrics["train/elbo"]))

"""Schedules, clipping, skipped steps, accumulation, averages, early stopping: what a loop does."""

from __future__ import annotations

import csv
import math
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.optim import lr_scheduler
from torch.testing import assert_close

from pyvae import VAE
from pyvae.cli import main
from pyvae.config import TrainConfig
from pyvae.errors import UserError
from pyvae.models.base import Model
from pyvae.objectives import ELBO, Batch, Result
from pyvae.registry import objectives
from pyvae.training import RunFolder, StopRequest, Trainer, build
from pyvae.training.evaluation import evaluate_split
from pyvae.training.monitor import Monitor
from pyvae.training.optimization.noise import Noise
from pyvae.training.optimization.schedule import Schedule

WIDTHS: dict[str, Any] = {"encoder_args": {"hidden": [8]}, "decoder_args": {"hidden": [8]}}
SMALL = ["--encoder-args", "hidden=8", "--decoder-args", "hidden=8", "--quiet"]
SMALL += ["--eval-samples", "0", "--batch-size", "300", "--log-every", "4"]


class Bad(ELBO):
    """The ELBO with a buffer, whose gradient or KL is not finite in some steps."""

    steps: frozenset[int] = frozenset()
    how = "gradient"

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(()))
        self.now = 0

    def step_begin(self, step: int, epoch: int) -> None:
        self.now = step

    def forward(self, model: Model, batch: Tensor | Batch, *, phase: str | None = None) -> Result:
        result = super().forward(model, batch, phase=phase)
        self.seen += result.loss.detach()
        if self.now not in Bad.steps:
            return result
        self.seen += math.nan
        if Bad.how == "gradient":
            zero = next(model.parameters()).flatten()[0] * 0
            return Result(result.loss + 0 * zero.sqrt(), result.terms)
        return Result(result.loss * math.nan, {**result.terms, "kl": torch.tensor(math.nan)})


class WithoutNoise(ELBO):
    """The ELBO at the mean of q(z|x)."""

    def forward(self, model: Model, batch: Tensor | Batch, *, phase: str | None = None) -> Result:
        batch = Batch.of(batch)
        q = model.encode(batch.x)
        loss = -model.decode(q.mean).log_prob(batch.x).mean()
        return Result(loss, {"elbo": -loss.detach()})


for name, part in (("test_bad", Bad), ("test_without_noise", WithoutNoise)):
    if name not in objectives.names():
        objectives.register(name)(part)


@pytest.fixture(autouse=True)
def _alone(one_thread: None) -> Iterator[None]:
    yield
    Bad.steps, Bad.how = frozenset(), "gradient"


def trained(folder: Path, **settings: Any) -> Trainer:
    """A run of a small model."""
    config = TrainConfig(**{"batch_size": 300, "eval_samples": 0, "lr": 0.01, **WIDTHS, **settings})
    parts = build(config)
    run = RunFolder(folder)
    run.create(config, parts.model, {})
    trainer = Trainer(config, parts, run, quiet=True)
    trainer.fit(StopRequest())
    run.release()
    return trainer


def plain_loop(
    config: TrainConfig, schedule: Callable[[torch.optim.Optimizer], Any] | None = None
) -> tuple[dict[str, Tensor], list[float]]:
    """The same as a hand-written loop; the weights it ends with, and the norms of its gradients."""
    parts = build(config)
    model, objective, batches = parts.model, parts.objective, parts.batches(config)
    noise = Noise(config.seed, torch.device("cpu"))
    optimizer = torch.optim.Adam(model.parameters(), lr=config.lr)
    rates = schedule(optimizer) if schedule else None
    average = None
    norms = []
    for step in range(config.steps or 0):
        epoch = batches.epoch
        objective.step_begin(step, epoch)
        batch = batches.next()
        optimizer.zero_grad()
        rows = batch.x.tensor_split(config.accumulate)
        for i, x in enumerate(rows):
            x = parts.view.train_values(x, noise.of_data(step, i))
            noise.begin(step, i, 0)
            (objective(model, x).loss * len(x) / len(batch)).backward()
        norm = torch.nn.utils.clip_grad_norm_(
            model.parameters(), config.clip_grad_norm or math.inf, foreach=False
        )
        norms.append(float(norm))
        if not math.isfinite(norms[-1]):
            continue
        optimizer.step()
        if rates is not None:
            rates.step()
        weights = {name: p.detach().clone() for name, p in model.named_parameters()}
        if average is None or config.ema is None:
            average = weights
        else:
            decay = config.ema
            average = {n: decay * average[n] + (1 - decay) * w for n, w in weights.items()}
    assert average is not None
    return average, norms


def warmed_up(steps: int, then: Callable[[torch.optim.Optimizer], Any]) -> Any:
    def build(optimizer: torch.optim.Optimizer) -> Any:
        rise = lr_scheduler.LinearLR(optimizer, 1 / steps, 1.0, steps - 1)
        return lr_scheduler.SequentialLR(optimizer, [rise, then(optimizer)], [steps])

    return build


SCHEDULES: dict[str, tuple[dict[str, Any], Any]] = {
    "constant": ({}, lambda o: lr_scheduler.ConstantLR(o, 1.0)),
    "warm-up": (
        {"lr_warm_up": 4},
        warmed_up(4, lambda o: lr_scheduler.ConstantLR(o, 1.0)),
    ),
    "step": (
        {"lr_milestones": (1, 3), "lr_gamma": 0.5},
        lambda o: lr_scheduler.MultiStepLR(o, [5, 15], 0.5),  # 5 steps are an epoch
    ),
    "linear": (
        {"lr_schedule": "linear", "lr_end": 0.001},
        lambda o: lr_scheduler.LinearLR(o, 1.0, 0.1, 18),
    ),
    "cosine": (
        {"lr_schedule": "cosine"},
        lambda o: lr_scheduler.CosineAnnealingLR(o, 18),
    ),
    "cosine after a warm-up": (
        {"lr_schedule": "cosine", "lr_warm_up": 4, "lr_end": 0.002},
        warmed_up(4, lambda o: lr_scheduler.CosineAnnealingLR(o, 14, eta_min=0.002)),
    ),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_rates_are_those_of_torch(name: str) -> None:
    settings, torchs = SCHEDULES[name]
    schedule = Schedule(TrainConfig(lr=0.01, **settings), steps=18)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.01)
    rates = torchs(optimizer)
    for step in range(18):
        assert schedule.rate(step, step // 5) == pytest.approx(optimizer.param_groups[0]["lr"])
        optimizer.step()
        rates.step()


@pytest.mark.parametrize("patience", [0, 1, 3])
def test_a_plateau_is_that_of_torch(patience: int) -> None:
    schedule = Schedule(TrainConfig(lr=1.0, lr_schedule="plateau", lr_gamma=0.5), steps=1)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    plateau = lr_scheduler.ReduceLROnPlateau(
        optimizer, "max", factor=0.5, patience=patience, threshold=0, eps=0
    )
    monitor, draw = Monitor(), random.Random(patience)
    for step in range(60):
        figure = draw.gauss(math.log(step + 1) / 4, 1.0)
        monitor.see(figure, patience)
        plateau.step(figure)
        assert schedule.rate(0, 0, monitor.reductions) == optimizer.param_groups[0]["lr"]
    assert monitor.reductions > 3 and monitor.best == plateau.best
    monitor.see(math.nan, patience)
    assert monitor.best == plateau.best and monitor.waited > 0


CARE: dict[str, dict[str, Any]] = {
    "cosine": {"lr_schedule": "cosine", "lr_warm_up": 3},
    "clipping": {"clip_grad_norm": 3.7},
    "accumulation": {"accumulate": 3},
    "averaging": {"ema": 0.8},
    "all": {
        "clip_grad_norm": 3.7,
        "accumulate": 2,
        "ema": 0.7,
        "max_skipped": 2,
        "lr_schedule": "cosine",
        "lr_warm_up": 3,
    },
}


@pytest.mark.parametrize("name", CARE)
def test_a_run_equals_a_plain_loop(name: str, tmp_path: Path) -> None:
    settings = CARE[name]
    trainer = trained(tmp_path / "run", steps=12, log_every=1, **settings)
    cosine = "lr_schedule" in settings
    schedule = warmed_up(3, lambda o: lr_scheduler.CosineAnnealingLR(o, 9)) if cosine else None
    expected, norms = plain_loop(trainer.config, schedule)
    found = dict(trainer.outcome.named_parameters())
    for key, value in expected.items():
        assert_close(found[key].detach(), value, rtol=1e-5, atol=1e-6)
    saved = load_file(tmp_path / "run" / "model.safetensors")
    assert all(torch.equal(saved[key], value.detach()) for key, value in found.items())
    recorded = [row.get("train/grad_norm") for row in rows(tmp_path / "run")]
    if "clip_grad_norm" in settings:
        assert [float(one or "nan") for one in recorded] == pytest.approx(norms, rel=1e-4)
        assert min(norms) < 3.7 < max(norms)
    else:
        assert not any(recorded)


def test_averaged_weights_are_what_is_evaluated(tmp_path: Path) -> None:
    trainer = trained(tmp_path / "run", steps=10, ema=0.9, eval_every=5, eval_subset=100)
    last = float(rows(tmp_path / "run")[-1]["valid/elbo"])
    view, model = trainer.parts.view, VAE.from_pretrained(tmp_path / "run")
    figures = evaluate_split(model, view, view.data.valid, num_samples=0, rows=100)
    assert figures.elbo == pytest.approx(last)
    raw = evaluate_split(trainer.parts.model, view, view.data.valid, num_samples=0, rows=100)
    assert raw.elbo != pytest.approx(last, abs=0.1)


@pytest.mark.parametrize("parts", [2, 7])
def test_accumulation_without_noise_changes_nothing(parts: int, tmp_path: Path) -> None:
    same = {"objective": "test_without_noise", "binarize": "fixed", "steps": 7}
    whole = trained(tmp_path / "a", **same)
    cut = trained(tmp_path / "b", accumulate=parts, **same)
    for a, b in zip(whole.outcome.parameters(), cut.outcome.parameters(), strict=True):
        assert_close(a, b, rtol=1e-4, atol=1e-5)
    one, other = rows(tmp_path / "a")[-1], rows(tmp_path / "b")[-1]
    assert float(one["train/elbo"]) == pytest.approx(float(other["train/elbo"]), rel=1e-5)
    assert one["samples"] == other["samples"]


def test_every_part_has_the_rows_that_the_objective_needs(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"at least 4 rows, got .* in batches of 3"):
        build(TrainConfig(objective="tc_vae", batch_size=3, accumulate=2, **WIDTHS))
    trainer = trained(tmp_path / "a", objective="tc_vae", batch_size=359, accumulate=2, steps=8)
    assert trainer.batches.steps_per_epoch == 4  # 1437 rows: the last one joins those before it
    with pytest.raises(UserError, match="--batch-size must be at least the 4 parts"):
        TrainConfig(batch_size=3, accumulate=4)


@pytest.mark.parametrize("how", ["gradient", "kl"])
def test_a_step_whose_gradient_is_not_finite_leaves_no_trace(how: str, tmp_path: Path) -> None:
    Bad.steps, Bad.how = frozenset({2, 3, 6}), how
    trainer = trained(tmp_path / "run", objective="test_bad", steps=9, max_skipped=2, log_every=3)
    expected, norms = plain_loop(trainer.config)
    assert [step for step, norm in enumerate(norms) if not math.isfinite(norm)] == [2, 3, 6]
    for key, value in expected.items():
        found = dict(trainer.outcome.named_parameters())[key].detach()
        assert_close(found, value, rtol=1e-5, atol=1e-6)
    assert trainer.parts.objective.get_buffer("seen").isfinite()
    counters = trainer.state.counters
    assert (counters.step, counters.skipped, counters.skipped_last) == (9, 3, 0)
    assert float(rows(tmp_path / "run")[-1]["train/skipped"]) == 3
    assert all(math.isfinite(float(row["train/kl"])) for row in rows(tmp_path / "run"))


def test_too_many_steps_in_a_row_end_the_run_and_name_the_term(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["train", *SMALL, "--objective", "test_bad", "--steps", "40", "--max-skipped", "3"]
    for how, said in (("kl", "kl (nan)"), ("gradient", "grad_norm (nan)")):
        Bad.steps, Bad.how = frozenset(range(11, 15)), how
        assert main([*command, "--out", str(tmp_path / how)]) == 2
        told = capsys.readouterr().err
        assert f"training has diverged: at step 15 {said} is the first term" in told
    assert not (tmp_path / "kl" / "results.json").exists()


def rows(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open(newline="") as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def test_early_stopping_and_the_best_models(tmp_path: Path) -> None:
    """With a rate at which the bound soon moves up and down."""
    run = tmp_path / "run"
    trainer = trained(
        run, steps=400, eval_every=2, early_stopping=4, keep=3, lr=0.3, eval_subset=50
    )
    figures = {int(row["step"]): float(row["valid/elbo"]) for row in rows(run)}
    best = max(figures, key=lambda step: figures[step])
    assert trainer.step == best + 4 * 2 < 400
    assert trainer.finished and trainer.state.monitor.best == figures[best]
    ranked = sorted(figures, key=lambda step: -figures[step])[:3]
    assert {path.name for path in (run / "best").iterdir()} == {str(step) for step in ranked}
    assert trainer.state.best.best == run / "best" / str(best)
    view = trainer.parts.view
    for step in ranked:
        model = VAE.from_pretrained(run / "best" / str(step))
        again = evaluate_split(model, view, view.data.valid, num_samples=0, rows=50)
        assert again.elbo == pytest.approx(figures[step])


def test_a_run_that_stopped_early_is_complete(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    more = ["--steps", "400", "--eval-every", "2", "--early-stopping", "2", "--lr", "0.3"]
    assert main(["train", "--out", str(run), *SMALL, *more]) == 0
    stopped = int(rows(run)[-1]["step"])
    assert stopped < 400
    again = ["train", "--resume", str(run), "--quiet"]
    assert main(again) == 2
    said = capsys.readouterr().err
    assert f"is complete ({stopped} steps); give a larger --early-stopping" in said
    assert main([*again, "--early-stopping", "5"]) == 0
    assert int(rows(run)[-1]["step"]) > stopped


RESUMED = {
    "schedule": "--lr-schedule cosine --lr-warm-up 5 --clip-grad-norm 3.7",
    "skips": "--objective test_bad --max-skipped 2",
    "averaging": "--accumulate 2 --ema 0.9 --keep 2 --eval-every 3",
    "plateau": "--lr-schedule plateau --lr-patience 0 --early-stopping 9 --eval-every 2 --keep 1 "
    "--lr 0.1",
}


@pytest.mark.parametrize("name", RESUMED)
def test_a_resumed_run_equals_one_in_one_go(
    name: str, tmp_path: Path, stop_at: Callable[[int], None]
) -> None:
    Bad.steps = frozenset({4, 8, 9})
    options = [*SMALL, "--steps", "14", *RESUMED[name].split()]
    assert main(["train", "--out", str(tmp_path / "whole"), *options]) == 0
    stop_at(9)
    assert main(["train", "--out", str(tmp_path / "parts"), *options]) == 130
    torch.manual_seed(99)
    assert main(["train", "--resume", str(tmp_path / "parts"), "--quiet"]) == 0
    assert rows(tmp_path / "whole") == rows(tmp_path / "parts")
    models = [
        {str(p.relative_to(run)): p.read_bytes() for p in run.rglob("model.safetensors")}
        for run in (tmp_path / "whole", tmp_path / "parts")
    ]
    assert models[0] == models[1]
    whole, parts = (load_file(tmp_path / r / "checkpoint.safetensors") for r in ("whole", "parts"))
    assert whole.keys() == parts.keys()
    assert not [key for key in whole if not torch.equal(whole[key], parts[key])]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"lr_schedule": "cosine", "lr_milestones": [3]}, "--lr-milestones go with --lr-schedule"),
        ({"lr_end": 0.1}, "--lr-end must be at most --lr, which is 0.001, got 0.1"),
        ({"ema": 1.0}, "--ema must be below 1, got 1.0"),
        ({"keep": 1, "monitor": "test/elbo"}, "is never evaluated, because --eval-split is valid"),
        ({"early_stopping": 1, "monitor": "valid/log_likelihood"}, "needs --eval-every"),
        ({"lr_schedule": "cosin"}, "did you mean 'cosine'"),
    ],
)
def test_settings_that_do_not_go_together(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        TrainConfig(**settings)


def test_a_limit_that_no_gradient_reaches_changes_nothing(tmp_path: Path) -> None:
    plain = trained(tmp_path / "a", steps=4)
    other = trained(tmp_path / "b", steps=4, clip_grad_norm=1e9)
    for a, b in zip(plain.outcome.parameters(), other.outcome.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_compiled_run_learns_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Traced, and run by PyTorch itself instead of by a compiled program, which takes a minute."""
    calls = []

    def compiled(module: torch.nn.Module, **_: Any) -> Any:
        calls.append(module)
        return traced(module, backend="eager")

    traced = torch.compile
    same = {"objective": "test_without_noise", "binarize": "fixed", "steps": 3, "optimizer": "sgd"}
    plain = trained(tmp_path / "a", **same)
    monkeypatch.setattr(torch, "compile", compiled)
    other = trained(tmp_path / "b", compile=True, **same)
    assert calls and calls[0] is other.engine.losses
    for a, b in zip(plain.outcome.parameters(), other.outcome.parameters(), strict=True):
        assert_close(a, b, rtol=1e-4, atol=1e-5)
    one, two = (load_file(tmp_path / name / "checkpoint.safetensors") for name in ("a", "b"))
    assert one.keys() == two.keys()


@pytest.mark.recorded
def test_a_run_of_a_compiled_program_learns_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compiled by Inductor, which takes a minute or two; with what every run may have."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "cache"))
    same = {"objective": "test_without_noise", "binarize": "fixed", "steps": 6, "ema": 0.5}
    same |= {"clip_grad_norm": 1.0, "optimizer": "sgd", "log_every": 2}
    plain = trained(tmp_path / "a", **same)
    other = trained(tmp_path / "b", compile=True, **same)
    for a, b in zip(plain.outcome.parameters(), other.outcome.parameters(), strict=True):
        assert_close(a, b, rtol=1e-4, atol=1e-5)

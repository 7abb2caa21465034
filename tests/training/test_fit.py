"""``pyvae.fit``: the command's loop from Python, on what people have, kept, stopped and resumed."""

from __future__ import annotations

import csv
import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

import pyvae
import pyvae.data
from pyvae.batch import Batch
from pyvae.cli import main
from pyvae.errors import RunError, UserError
from pyvae.fitting import History
from pyvae.fitting.inputs import as_batch
from pyvae.fitting.loader import LoaderBatches
from pyvae.storage import digest

SMALL: dict[str, Any] = {"encoder_args": {"hidden": [8]}, "decoder_args": {"hidden": [8]}}


@pytest.fixture(autouse=True)
def _alone(one_thread: None) -> Iterator[None]:
    yield


def bits(rows: int = 60, columns: int = 6) -> Tensor:
    generator = torch.Generator().manual_seed(7)
    return (torch.rand(rows, columns, generator=generator) < 0.3).float()


def vae(columns: int = 6, **options: Any) -> pyvae.VAE:
    torch.manual_seed(1)
    return pyvae.VAE((columns,), 2, **{**SMALL, **options})


def fit(model: Any, data: Any, **options: Any) -> History:
    return pyvae.fit(model, data, **{"progress": False, "batch_size": 20, "epochs": 2, **options})


def weights(model: nn.Module) -> str:
    return digest(model.state_dict())


# The same loop


def test_it_gives_the_numbers_of_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same model, data and settings: each weight and each figure but the clock."""
    monkeypatch.setattr("pyvae.fitting.runs.pictures", lambda *_, **__: ([], []))
    monkeypatch.setattr("pyvae.training.report.AGGREGATE", 20)
    small = ["--encoder-args", "hidden=8", "--decoder-args", "hidden=8", "--quiet"]
    small += ["--steps", "20", "--seed", "3", "--log-every", "5", "--eval-samples", "0"]
    assert main(["train", "--out", str(tmp_path / "run"), *small]) == 0
    torch.manual_seed(3)
    model = pyvae.VAE((1, 8, 8), 2, **SMALL)
    settings = {"steps": 20, "seed": 3, "log_every": 5, "eval_samples": 0, "epochs": None}
    history = fit(model, pyvae.data.load("digits"), **settings, batch_size=100)
    assert weights(model) == digest(load_file(tmp_path / "run" / "model.safetensors"))
    with (tmp_path / "run" / "metrics.csv").open(newline="") as file:
        rows = [{n: float(v) for n, v in row.items() if v} for row in csv.DictReader(file)]
    for row in [*rows, *history.rows]:
        del row["seconds"]
    assert history.rows == rows


def test_it_depends_on_its_seed_alone_and_leaves_the_random_state() -> None:
    x, found = bits(), []
    for noise, seed in ((0, 5), (9, 5), (0, 6)):
        model = vae()
        torch.manual_seed(noise)
        before = torch.get_rng_state()
        fit(model, x, seed=seed)
        assert torch.equal(before, torch.get_rng_state())
        found.append(weights(model))
    assert found[0] == found[1] != found[2]


def test_training_raises_the_bound() -> None:
    x = (torch.rand(400, 1) < 0.5).float().repeat(1, 12)
    history = fit(vae(12), x, epochs=25, lr=1e-2)
    assert history["valid/elbo"][-1] > history["valid/elbo"][0] + 3
    assert history["train/elbo"] == pytest.approx([-v for v in history["train/loss"]])


def test_objectives_by_name_and_as_they_are() -> None:
    x, found = bits(), []
    for objective in ("iwae", pyvae.objectives.IWAE(num_samples=3)):
        options = {"objective_args": {"num_samples": 3}} if objective == "iwae" else {}
        model = vae()
        fit(model, x, objective=objective, **options)
        found.append(weights(model))
    assert found[0] == found[1]
    history = fit(vae(), x, objective="factor_vae", objective_args={"hidden": [4]})
    assert "train/loss_model" in history.columns


def test_settings_of_the_command_are_those_of_fit() -> None:
    model = vae()
    averaged = fit(model, bits(), ema=0.5, clip_grad_norm=0.1, lr_schedule="cosine")
    assert weights(model) != weights(vae()) and averaged["lr"][-1] < averaged["lr"][0]
    stopped = fit(vae(), bits(), epochs=50, lr=1e-12, early_stopping=2)
    assert stopped.step < stopped.total and not stopped.stopped


def test_double_precision_and_a_model_that_was_loaded(tmp_path: Path) -> None:
    model = vae(likelihood="gaussian", likelihood_args={"standardize": True}).double()
    x = 5 + torch.randn(60, 6, dtype=torch.float64)
    fit(model, x)
    assert model.dtype == torch.float64 and not model.training
    shift = model.likelihood.shift.clone()
    assert torch.allclose(shift, x.mean(0), atol=0.5)
    model.save_pretrained(tmp_path)
    for other in (model, pyvae.VAE.from_pretrained(tmp_path)):  # both know their data
        fit(other, x + 100)
        assert torch.equal(other.likelihood.shift, shift)
    fit(model, x + 100, fresh=True)
    assert (model.likelihood.shift > 90).all()


# What people have


class Rows(Dataset[Any]):
    """Rows one by one, with labels."""

    def __init__(self, x: Tensor) -> None:
        self.x = x

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        return self.x[row], row % 3


def test_every_form_of_the_same_rows_gives_the_same_model() -> None:
    x = bits()
    forms = {
        "tensor": x,
        "double array": x.double().numpy(),
        "fortran order": np.asfortranarray(x.numpy()),
        "big-endian": x.numpy().astype(">f4"),
        "int64": x.long(),
        "uint16": x.numpy().astype(np.uint16),
        "batch": Batch(x),
        "tensor data set": TensorDataset(x),
        "sparse tensor": x.to_sparse(),
    }
    found = {}
    for name, data in forms.items():
        model = vae()
        fit(model, data)
        found[name] = weights(model)
    assert len(set(found.values())) == 1, found


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_data_frames(kind: str) -> None:
    library = pytest.importorskip(kind, reason='pip install "pyvae-fused[notebook]"')
    x = bits()
    columns = {f"c{i}": column for i, column in enumerate(x.numpy().T)}
    frame = library.DataFrame({**columns, "kind": ["a", "b", "c"] * 20})
    batch = as_batch(frame, "kind")
    assert torch.equal(batch.x, x) and batch.y is not None and batch.y[:3].tolist() == [0, 1, 2]
    with pytest.raises(UserError, match=r"the column 'kind' holds .*labels='kind'"):
        fit(vae(), frame)
    with pytest.raises(UserError, match="no column 'sort' of labels; it has c0, c1"):
        fit(vae(), frame, labels="sort")
    assert fit(vae(), frame, labels="kind").step == 6


@pytest.mark.parametrize("sparse", [False, True])
def test_anndata_and_counts(sparse: bool) -> None:
    anndata = pytest.importorskip("anndata", reason='pip install "anndata"')
    scipy = pytest.importorskip("scipy.sparse")
    counts = torch.poisson(torch.full((60, 6), 3.0), torch.Generator().manual_seed(0)).numpy()
    cells = anndata.AnnData(scipy.csr_matrix(counts) if sparse else counts)
    cells.obs["kind"] = ["a", "b"] * 30
    model = vae(likelihood="negative_binomial")
    history = fit(model, cells, labels="kind")
    assert history["valid/elbo"][-1] < 0
    batch = as_batch(cells, "kind")
    assert batch.y is not None and batch.y[:2].tolist() == [0, 1]
    counts[4] = 0
    with pytest.raises(UserError, match="row 4 has no counts at all"):
        fit(model, counts, valid=0)


def test_missing_values_are_masked_by_a_model_that_takes_a_mask() -> None:
    x = torch.randn(60, 6)
    x[::3, 2] = torch.nan
    model = vae(likelihood="gaussian", masked=True)
    history = fit(model, x)
    assert np.isfinite(history["valid/elbo"]).all()
    with pytest.raises(UserError, match="must be real"):
        fit(vae(likelihood="gaussian"), x)


def test_bytes_are_grey_levels() -> None:
    levels = (bits() * 255).to(torch.uint8)
    levels[0, 0] = 100
    model, other = vae(), vae()
    fit(model, levels)
    values = levels.float()
    fit(other, values, levels=255)
    assert weights(model) == weights(other)
    assert torch.equal(values, levels.float())  # what was given stays as it is
    fit(vae(), bits().to(torch.bool))
    with pytest.raises(UserError, match="values from 0 to 255"):
        fit(vae(), levels.float())


@pytest.mark.parametrize("workers", [0, 1])
def test_loaders_and_data_sets(workers: int) -> None:
    x, found = bits(), []
    for _ in range(2):
        torch.manual_seed(len(found))  # which the order of a loader depends on elsewhere
        loader = DataLoader(Rows(x), batch_size=15, shuffle=True, num_workers=workers)
        model = vae()
        history = fit(model, loader, valid=x[:20])
        found.append(weights(model))
        assert (history.step, len(history["valid/elbo"])) == (8, 2)
    assert found[0] == found[1]
    if not workers:
        assert "valid/elbo" not in fit(vae(), loader).columns
        history = fit(vae(), Rows(x))
        assert history.rows[-1]["samples"] == 2 * 54 and "valid/elbo" in history.columns


def test_a_loader_resumes_in_the_middle_of_a_pass() -> None:
    def start(generator: bool) -> LoaderBatches:
        own = torch.Generator() if generator else None
        loader = DataLoader(Rows(bits()), batch_size=8, shuffle=True, generator=own)
        return LoaderBatches(loader, 3, torch.device("cpu"))

    for generator in (False, True):
        source = start(generator)
        torch.manual_seed(0)
        whole = [source.next_parts(1)[0].x for _ in range(21)]
        source = start(generator)
        for _ in range(11):
            source.next_parts(2)
        state = source.state_dict()
        other = start(generator)
        torch.manual_seed(9)
        other.load_state_dict(state)
        rest = [torch.cat([part.x for part in other.next_parts(3)]) for _ in range(10)]
        assert all(torch.equal(a, b) for a, b in zip(whole[11:], rest, strict=True))
        assert torch.cat(whole[:8]).sum(0).equal(bits().sum(0))  # each row once
        assert not torch.equal(whole[0], whole[8])


class Endless(IterableDataset[Any]):
    def __iter__(self) -> Iterator[Tensor]:
        while True:
            yield torch.zeros(6)


@pytest.mark.parametrize(
    ("data", "options", "said"),
    [
        ([1, 2], {}, "data must be a tensor, a numpy array, .* got a list"),
        (torch.zeros(5), {}, "data must have rows and columns, .* got 5"),
        (torch.zeros(0, 6), {}, "got 0 x 6"),
        (np.array([["a"]]), {}, "must hold numbers, got an array of <U1"),
        (torch.zeros(30, 6, dtype=torch.complex64), {}, "must hold real numbers"),
        (torch.full((30, 6), 2**24), {}, r"whole numbers must be below 2\^24"),
        (torch.zeros(30, 5), {}, r"x must have shape \(B, 6\), got"),
        (torch.full((30, 6), 2.0), {}, r"must be in \[0, 1\], got values from 2 to 2"),
        (torch.zeros(30, 6), {"labels": [1, 2]}, "there are 30 rows and 2 of labels"),
        (torch.zeros(30, 6), {"labels": "kind"}, "names a column, which a tensor has not"),
        (torch.zeros(30, 6), {"valid": 1.5}, "a share below 1 of the rows"),
        (torch.zeros(30, 6), {"valid": 0.99}, "leaves none for training; give valid=0"),
        (torch.zeros(30, 6), {"valid": torch.zeros(3, 5)}, "valid has rows of 3 x 5"),
        (torch.zeros(30, 6), {"learning_rate": 1}, "fit has no setting 'learning_rate'"),
        (torch.zeros(30, 6), {"encoder": "conv"}, "fit has no setting 'encoder'"),
        (torch.zeros(30, 6), {"lr": "fast"}, "--lr must be a finite number"),
        (torch.zeros(30, 6), {"objective": "elbow"}, "unknown objective 'elbow'; did you mean"),
        (torch.zeros(30, 6), {"objective": 3}, "must be a name or a pyvae.objectives.Objective"),
        (torch.zeros(30, 6), {"keep": 1}, "keep= needs a run folder"),
        (torch.zeros(30, 6), {"early_stopping": 1, "valid": 0}, "needs held-out rows"),
        (torch.zeros(30, 6), {"resume": History()}, "a history without a state"),
        (torch.zeros(30, 6), {"resume": "nowhere"}, "nowhere is not a run folder"),
        (DataLoader(Endless(), batch_size=5), {}, "a DataLoader must have a length"),
        (Endless(), {}, "a Dataset must have a length"),
        (
            DataLoader(TensorDataset(torch.zeros(31, 6)), batch_size=10),
            {"objective": "infovae"},
            "the last batch of the loader has 1 rows.*drop_last=True",
        ),
    ],
)
def test_what_does_not_fit_is_said(data: Any, options: dict[str, Any], said: str) -> None:
    model = vae()
    before = weights(model)
    with pytest.raises((UserError, TypeError), match=said):
        fit(model, data, **{"epochs": 1, **options})
    assert weights(model) == before


# Stopping, going on, keeping


@pytest.mark.parametrize("kept", ["in memory", "in a folder"])
def test_ctrl_c_returns_what_is_trained_and_it_goes_on(
    kept: str, tmp_path: Path, stop_at: Callable[[int], None], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run" if kept == "in a folder" else None
    x, settings = bits(), {"epochs": 6, "lr": 3e-3, "log_every": 2}
    whole = vae()
    expected = fit(whole, x, **settings)
    model = vae()
    stop_at(10)
    history = fit(model, x, **settings, folder=folder)
    assert history.stopped and 10 <= history.step < 18 and history.total == 18
    assert "stopped after" in capsys.readouterr().err and "stopped before" in repr(history)
    torch.manual_seed(77)
    again = fit(model, x, epochs=None, batch_size=None, resume=history)
    assert not again.stopped and again.step == 18 and again.config.lr == 3e-3
    assert weights(model) == weights(whole)
    for row in [*again.rows, *expected.rows]:
        del row["seconds"]
    assert again.rows == expected.rows
    more = fit(model, x, epochs=8, resume=again)
    assert more.step == 24 and len(more["valid/elbo"]) == 8
    with pytest.raises(UserError, match="--objective is elbo in the run that is resumed"):
        fit(model, x, objective="iwae", resume=more)


def test_a_run_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, x, model = tmp_path / "run", bits(), vae()
    history = fit(model, x, folder=run, keep=1)
    assert history.folder == run and not (run / "lock").exists()
    assert {path.name for path in run.iterdir()} >= {
        *("config.json", "config.yaml", "train.json", "model.safetensors", "metrics.csv"),
        *("checkpoint.safetensors", "best"),
    }
    assert weights(pyvae.VAE.from_pretrained(run)) == weights(model)
    settings = json.loads((run / "train.json").read_text())["settings"]
    assert (settings["encoder_args"], settings["latent_dim"]) == ({"hidden": [8]}, 2)
    with pytest.raises(RunError, match="holds a run already; go on with it by resume="):
        fit(model, x, folder=run)
    more = fit(vae(), x, epochs=3, resume=run)
    assert more.step == 9 and len(more["valid/elbo"]) == 3
    capsys.readouterr()
    for command in (["train", "--resume", str(run)], ["evaluate", str(run)]):
        assert main(command) == 2
        assert "were given to pyvae.fit in Python" in capsys.readouterr().err
    assert main(["sample", str(run), "-n", "3", "--out", str(tmp_path / "x.npy")]) == 0


def test_parts_that_cannot_be_written_down_train_without_a_folder(tmp_path: Path) -> None:
    class Narrow(nn.Linear):
        out_features: int

    model = pyvae.VAE((6,), 2, encoder=Narrow(6, 5))
    assert fit(model, bits()).step == 6
    with pytest.raises(UserError, match="the encoder was given as an instance of Narrow"):
        fit(model, bits(), folder=tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_a_training_that_diverges_leaves_the_last_finite_weights(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pyvae.training.saving.SaveClock.due", lambda clock: True)
    model = vae(likelihood="gaussian")
    with pytest.raises(UserError, match=r"training has diverged: at step .* pyvae.fit\(..., lr="):
        fit(model, torch.randn(60, 6), lr=1e30, epochs=50)
    assert all(p.isfinite().all() for p in model.parameters())


def test_a_request_to_end_the_process_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from pyvae.training import Trainer

    step, ended = Trainer._train_step, []

    def asked(trainer: Trainer) -> None:
        if trainer.step == 2:
            signal.raise_signal(signal.SIGTERM)
        step(trainer)

    monkeypatch.setattr(Trainer, "_train_step", asked)
    before = signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
    try:
        history = fit(vae(), bits())
    finally:
        signal.signal(signal.SIGTERM, before)
    assert history.stopped and ended == [True]


# What it gives back


def test_the_history() -> None:
    history = fit(vae(), bits(), epochs=14)
    text = repr(history)
    assert text.startswith("History: 42 of 42 training steps\n")
    lines = text.splitlines()
    assert len(lines) == 1 + 1 + 10 + 1 and len({len(line) for line in lines[1:3]}) == 1
    assert lines[1].split()[:3] == ["step", "epoch", "seconds"]
    assert repr(History()) == "History: 0 of 0 training steps"
    with pytest.raises(KeyError, match="no figure 'elbo'; there are step, epoch"):
        history["elbo"]
    drawn = history.plot().axes[0]
    labels = [line.get_label() for line in drawn.lines]
    assert labels == ["train elbo", "valid elbo"]
    assert list(drawn.lines[1].get_ydata()) == history["valid/elbo"]
    (line,) = history.plot(["train/kl"]).axes[0].lines
    assert list(line.get_ydata()) == history["train/kl"]
    with pytest.raises(KeyError):
        history.plot(["kl"])


def test_the_history_as_a_data_frame() -> None:
    pytest.importorskip("pandas", reason='pip install "pyvae-fused[notebook]"')
    history = fit(vae(), bits(), log_every=2)
    frame = history.to_pandas()
    assert list(frame.columns) == history.columns and len(frame) == len(history.rows)
    assert frame["valid/elbo"].dropna().tolist() == history["valid/elbo"]


def test_progress_is_told_unless_it_is_not_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    fit(vae(), bits())
    assert capsys.readouterr().err == ""
    x = 1e2 * torch.randn(60, 6)
    pyvae.fit(vae(likelihood="gaussian"), x, epochs=1, lr=1e-6)
    assert "pyvae: note: the training data have a mean" in capsys.readouterr().err


def test_no_step_makes_the_incoming_gradient_of_its_loss_anew() -> None:
    def made(epochs: int) -> int:
        with torch.profiler.profile() as profile:
            fit(vae(), bits(), epochs=epochs)
        return sum(event.name == "aten::ones_like" for event in profile.events())

    assert made(4) == made(2)

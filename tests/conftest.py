"""Fixtures that several test files share."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from pyvae import VAE


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fuzz", type=float, default=0, help="seconds for each op and dtype")
    parser.addoption("--kills", type=int, default=3, help="kills for each number of processes")


def pytest_configure(config: pytest.Config) -> None:
    """A shell that starts tests in the background ignores Ctrl-C for them; some send it.

    The workers of pytest-xdist share the cores, and so do the processes that their tests start. One
    that crashes ends the run, which might never end otherwise.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(config.option, "maxworkerrestart"):
        config.option.maxworkerrestart = "0"
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers > 1:
        threads = max(1, (os.cpu_count() or 1) // workers)
        torch.set_num_threads(threads)
        os.environ.setdefault("OMP_NUM_THREADS", str(threads))


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command that must fail as the user's fault, and gives its one sentence."""
    from pyvae.cli import main

    def run(*arguments: str) -> str:
        capsys.readouterr()
        assert main(list(arguments)) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert re.match(r"pyvae( [\w-]+)?: error: ", said.err)
        assert said.err.count("\n") == 1
        return said.err

    return run


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real data sets; a test that needs it is skipped where there is none."""
    folder = os.environ.get("PYVAE_DATA_DIR")
    if not folder:
        pytest.skip("needs real data sets: set PYVAE_DATA_DIR to their folder")
    path = Path(folder)
    if not path.is_dir():
        pytest.skip(f"needs real data sets: PYVAE_DATA_DIR={folder} is no folder")
    return path


@pytest.fixture(scope="session")
def grey_digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An HDF5 file of 100 digits of 8 x 8 pixels, with levels from 0 to 255."""
    import h5py
    from sklearn.datasets import load_digits

    path = tmp_path_factory.mktemp("data") / "grey_digits.h5"
    with h5py.File(path, "w") as file:
        file["images"] = (load_digits().images[:100] * (255 / 16)).astype("uint8")
    return path


@pytest.fixture
def linear_gaussian():
    """Builds a VAE whose marginal likelihood and posterior are known in closed form."""
    return build_linear_gaussian


def build_linear_gaussian(exact=True, latents=2, pixels=5, sigma=0.7):
    """p(z) = N(0, I), p(x|z) = N(W z + b, s^2 I) with orthogonal columns in W: then

    p(x) = N(b, W W^T + s^2 I) and p(z|x) = N(V W^T (x - b) / s^2, V), V = (I + W^T W / s^2)^-1
    diagonal. With ``exact`` the encoder is that posterior.
    """
    no_hidden = {"hidden": ()}
    model = VAE(
        (pixels,),
        latents,
        likelihood="gaussian",
        likelihood_args={"sigma": sigma},
        encoder_args=no_hidden,
        decoder_args=no_hidden,
    ).double()
    w = torch.linalg.qr(torch.randn(pixels, latents, dtype=torch.float64)).Q
    w = w * torch.linspace(2.0, 0.5, latents)
    b = torch.randn(pixels, dtype=torch.float64)
    variance = 1 / (1 + w.square().sum(0) / sigma**2)
    with torch.no_grad():
        model.decoder.output.weight.copy_(w)
        model.decoder.output.bias.copy_(b)
        if exact:
            gain = variance[:, None] * w.T / sigma**2
            model.posterior.linear.weight.copy_(torch.cat([gain, torch.zeros(latents, pixels)]))
            model.posterior.linear.bias.copy_(torch.cat([-gain @ b, variance.log()]))
    covariance = w @ w.T + sigma**2 * torch.eye(pixels, dtype=torch.float64)
    return model, torch.distributions.MultivariateNormal(b, covariance)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Small models are faster, and machines are shared."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def stop_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Asks for a Ctrl-C before the training step of a number, once."""
    from pyvae.training import Trainer

    def ask(step: int) -> None:
        train_step = Trainer._train_step
        stopped = []

        def step_or_stop(trainer: Trainer) -> None:
            if trainer.step == step and not stopped:
                stopped.append(step)
                signal.raise_signal(signal.SIGINT)
            train_step(trainer)

        monkeypatch.setattr(Trainer, "_train_step", step_or_stop)

    return ask

"""The VAE of Pyro's examples, 784-400-50 at batch 256, in Pyro's classes and in ours."""

from __future__ import annotations

from typing import Any

import pyro
import torch
from common import Options, Section
from pyro import distributions as dist
from pyro import infer, poutine
from torch import Tensor, nn

from integration.table import Table
from pyvae.benchmarking import Variant, race
from pyvae.integrations import pyro as ours

B, D, HIDDEN, L = 256, 784, 400, 50
ELBOS = {
    "Trace_ELBO": infer.Trace_ELBO,
    "TraceMeanField_ELBO": infer.TraceMeanField_ELBO,
    "TraceGraph_ELBO": infer.TraceGraph_ELBO,
    "TraceEnum_ELBO": infer.TraceEnum_ELBO,
    "JitTrace_ELBO": infer.JitTrace_ELBO,
    "JitTraceMeanField_ELBO": infer.JitTraceMeanField_ELBO,
}


class Example(nn.Module):
    def __init__(self, name: str, own: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.name, self.own = name, own
        self.encoder = nn.Sequential(nn.Linear(D, HIDDEN), nn.Softplus(), nn.Linear(HIDDEN, 2 * L))
        self.decoder = nn.Sequential(nn.Linear(L, HIDDEN), nn.Softplus(), nn.Linear(HIDDEN, D))

    def prior(self, rows: int) -> Any:
        if self.own:
            return ours.StandardNormal((L,)).expand([rows])
        return dist.Normal(torch.zeros(rows, L), torch.ones(rows, L)).to_event(1)

    def posterior(self, mean: Tensor, logvar: Tensor) -> Any:
        if self.own:
            return ours.DiagonalGaussian(mean, logvar, event_ndim=1)
        return dist.Normal(mean, (logvar / 2).exp()).to_event(1)

    def pixels(self, logits: Tensor) -> Any:
        if self.own:
            return ours.Bernoulli(logits=logits, event_ndim=1)
        return dist.Bernoulli(logits=logits, validate_args=False).to_event(1)

    def model(self, x: Tensor) -> None:
        pyro.module(f"{self.name}.decoder", self.decoder)
        with pyro.plate("data", len(x)):
            z = pyro.sample("z", self.prior(len(x)))
            pyro.sample("x", self.pixels(self.decoder(z)), obs=x)

    def guide(self, x: Tensor) -> None:
        pyro.module(f"{self.name}.encoder", self.encoder)
        with pyro.plate("data", len(x)):
            pyro.sample("z", self.posterior(*self.encoder(x).chunk(2, -1)))


def run(how: Options) -> Section:
    table = Table("pyro", "A step of SVI, 784-400-50 at batch 256")
    x = torch.rand(B, D).round()
    before, after = Example("before", False), Example("after", True)
    notes = []
    pyro.enable_validation(False)
    drawn = poutine.trace(before.guide).get_trace(x)
    densities = []
    for example in (before, after):
        replayed = poutine.trace(poutine.replay(example.model, trace=drawn)).get_trace(x)
        guide = poutine.trace(poutine.replay(example.guide, trace=drawn)).get_trace(x)
        densities.append(replayed.log_prob_sum() - guide.log_prob_sum())
    torch.testing.assert_close(*densities, rtol=1e-5, atol=1e-2)
    for name, kind in ELBOS.items():
        steps = {}
        for example in (before, after):
            pyro.clear_param_store()
            elbo = kind(ignore_jit_warnings=True) if name.startswith("Jit") else kind()
            optimizer = pyro.optim.Adam({"lr": 1e-5})
            svi = infer.SVI(example.model, example.guide, optimizer, elbo)
            steps[example.name] = Variant(lambda _, svi=svi: svi.step(x))
        try:
            table.add(name, race(steps, seconds=how.seconds))
        except RuntimeError as error:
            notes.append(f"{name} is left out: {str(error).splitlines()[0]}")
    return table.section(*notes)

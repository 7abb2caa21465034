"""Beyond the table: a plain loop, 16-bit, noise, allocations, cost of a call, samples."""

from __future__ import annotations

import torch
from common import Options, Section, verdict
from sampling import sampling

from pyvae import functional as F
from pyvae import reference
from pyvae.benchmarking import Contest, Variant, Work, bench_sizes, markdown, race, run_contest
from pyvae.benchmarking.tables import si_bytes, si_seconds
from pyvae.testing import CASES, OpCase

SCRATCH = 32  # bytes per row and per column that an op may use besides results and gradients


def plain_loop(how: Options) -> Section:
    """Value and gradient of Bernoulli in one pass against adding two tensors."""
    inputs = CASES["bernoulli_log_prob"].inputs(4096, 784)
    x, logits = inputs["x"], inputs["logits"]
    existing, in_place, added = (torch.empty_like(x), logits.clone(), logits.clone())
    value_grad = torch.ops.pyvae._bernoulli_log_prob_value_grad
    value_grad_ = torch.ops.pyvae._bernoulli_log_prob_value_grad_
    value, _, grad = value_grad(x, logits, 1, [False, True])
    torch.testing.assert_close(value, reference.bernoulli_log_prob(x, logits), rtol=1e-5, atol=1e-3)
    truth = x - logits.sigmoid()  # the op may multiply it by a number, for a mean
    grad = grad * ((truth * truth).sum() / (grad * truth).sum())
    torch.testing.assert_close(grad, truth, rtol=1e-4, atol=1e-5)
    small = torch.zeros(4096, 1)
    leaf = logits.clone().requires_grad_()
    times = race(
        {
            "loop, new result": Variant(lambda _: torch.add(x, logits)),
            "loop, existing result": Variant(lambda _: torch.add(x, logits, out=existing)),
            "loop, in place": Variant(lambda _: added.add_(x)),
            "value + gradient": Variant(lambda _: value_grad(x, logits, 1, [False, True])),
            "value + gradient in place": Variant(
                lambda _: value_grad_(x, in_place, 1, [False, True])
            ),
            "elbo_loss and its backward": Variant(
                lambda _: torch.autograd.grad(F.elbo_loss(x, leaf, small, small), leaf)
            ),
        },
        seconds=how.seconds,
    )
    pairs = [
        ("value + gradient", "loop, new result", 1.3),
        ("value + gradient", "loop, existing result", 1.3),
        ("value + gradient in place", "loop, in place", None),
        ("elbo_loss and its backward", "loop, new result", None),
    ]
    rows, data = [], []
    for ours, loop, most in pairs:
        ratio = times[ours].median / times[loop].median
        told = f"{ratio:.2f}x" + ("" if most is None else f" (<= {most}: {verdict(ratio <= most)})")
        both = [si_seconds(times[name].median) for name in (ours, loop)]
        rows.append([f"{ours} / {loop}", *both, told])
        data.append({"ours": ours, "loop": loop, "ratio": ratio, "target": most})
    text = markdown(["Bernoulli 4096 x 784 / two reads, one write", "us", "loop us", "ratio"], rows)
    summaries = {name: t.summary() for name, t in times.items()}
    return Section("loop", "Distance from a plain loop", text, {"pairs": data, "us": summaries})


def half_precision(how: Options) -> Section:
    """bfloat16 against float32."""
    works = [
        Work("bernoulli_log_prob", (4096, 784)),
        Work("gaussian_log_prob", (4096, 784)),
        Work("gaussian_log_prob", (1024, 784)),  # which a cache holds
        Work("gaussian_rsample_kl", (4096, 128)),
        Work("elbo_loss", (4096, 784, 64)),
    ]
    rows, data = [], []
    for work in works:
        full = Contest(work).variant("pyvae")
        half = Contest(Work(work.op, work.sizes, torch.bfloat16)).variant("pyvae")
        times = race({"float32": full, "again": full, "bfloat16": half}, seconds=how.seconds)
        single, ratio = times["float32"].median, times["bfloat16"].median / times["float32"].median
        floor = abs(times["again"].median / single - 1)
        told = f"{ratio:.2f}x (<= 1: {verdict(ratio <= 1 + floor)})"
        half_us = si_seconds(times["bfloat16"].median)
        rows.append([work.name, si_seconds(single), half_us, told, f"{100 * floor:.1f} %"])
        data.append({"work": work.name, "bfloat16 / float32": ratio, "noise_floor": floor})
    head = ["forward + backward, microseconds", "float32", "bfloat16", "ratio", "noise"]
    return Section("bfloat16", "bfloat16 against float32", markdown(head, rows), data)


def noise(how: Options) -> Section:
    """A sample with its mean and variance against the bare noise of torch."""
    rows, data = [], []
    for shape, samples in (((4096, 128), ()), ((100, 50), (50,)), ((128, 20), ())):
        mean, logvar = torch.zeros(shape), torch.zeros(shape)
        z = F.gaussian_rsample(mean, logvar, sample_shape=(400,))
        assert abs(z.mean()) < 5e-3 and abs(z.var() - 1) < 1e-2, "no standard normals"
        times = race(
            {
                "torch.randn": Variant(lambda _, s=(*samples, *shape): torch.randn(s)),
                "gaussian_rsample": Variant(
                    lambda _, m=mean, v=logvar, s=samples: F.gaussian_rsample(m, v, sample_shape=s)
                ),
            },
            seconds=how.seconds,
        )
        n = torch.Size((*samples, *shape)).numel()
        ours, theirs = times["gaussian_rsample"].median, times["torch.randn"].median
        ratio, big = theirs / ours, n > 100_000
        told = f"{ratio:.2f}x" + (f" (>= 3: {verdict(ratio >= 3)})" if big else "")
        name = " x ".join(map(str, (*samples, *shape)))
        rows.append([name, f"{1e9 * theirs / n:.2f}", f"{1e9 * ours / n:.2f}", told])
        data.append({"shape": name, "ratio": ratio, "target": 3 if big else None})
    head = ["forward, nanoseconds per element", "torch.randn", "gaussian_rsample", "ratio"]
    return Section("noise", "Noise", markdown(head, rows), data)


def _allowance(case: OpCase, sizes: tuple[int, ...]) -> int:
    """Scratch for a few numbers per row and per column."""
    size = dict(zip(case.sizes, sizes, strict=True))
    rows = size["batch"] * size.get("samples", 1)
    return SCRATCH * (rows + size.get("event", 0) + size.get("latent", 0))


def allocations(how: Options) -> Section:
    """Bytes beyond results and gradients, for every op."""
    rows, data = [], []
    for case in CASES.values():
        sizes = bench_sizes(case)["large"]
        for dtype in (torch.float32, torch.bfloat16):
            used = []
            for threads in (1, how.threads):
                torch.set_num_threads(threads)
                used.append(Contest(Work(case.name, sizes, dtype)).memory("pyvae"))
            most = _allowance(case, sizes)
            passed = used[0] == used[1] and used[0].extra <= most
            work = Work(case.name, sizes, dtype).name
            told = f"<= {si_bytes(most)}: {verdict(passed)}"
            rows.append([work, si_bytes(used[1].kept), si_bytes(used[1].extra), told])
            extra = {"kept": used[1].kept, "extra": used[1].extra, "allowed": most}
            data.append({"work": work, **extra, "passed": passed})
    head = ["forward + backward", "results and gradients", "beyond them", "rows and columns"]
    text = markdown(head, rows) + f"\n\nThe same for 1 and {how.threads} threads."
    return Section("allocations", "Allocations", text, data)


def calls(how: Options) -> Section:
    """What one call costs where there is nothing to compute."""
    rows, data = [], []
    for work in (
        Work("bernoulli_log_prob", (8, 16)),
        Work("gaussian_rsample_kl", (8, 16)),
        Work("elbo_loss", (8, 16, 16)),
        Work("bernoulli_log_prob", (8, 16), backward=False),
    ):
        result = run_contest(
            work, seconds=how.seconds, leave_out=how.leave_out, memory=False, calls=10
        )
        names = [n for n in ("eager", "compile", "pyvae") if n in result.times]
        by_name = {n: si_seconds(result.times[n].median) for n in names}
        title = f"{work.name}{'' if work.backward else ', forward only'}"
        rows.append([title, *(by_name.get(n, "-") for n in ("eager", "compile", "pyvae"))])
        data.append(result.to_dict())
    head = ["forward + backward, microseconds", "eager", "compile", "pyvae"]
    return Section("calls", "Cost of a call", markdown(head, rows), data)


SECTIONS = (plain_loop, half_precision, noise, allocations, calls, sampling)

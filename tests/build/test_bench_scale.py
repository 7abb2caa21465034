"""bench/scale.py: the laws of its simulation, its bytes as torch counts them, and its page."""

import itertools
import json
import math
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

from pyvae.registry import objectives
from pyvae.training.distributed.ranks import keep_constants
from pyvae.training.optimization.step import Losses

ROOT = Path(__file__).parents[2]
COUNTS = (1, 2, 3, 4, 7, 8, 64, 1000, 1024, 10**6)


@pytest.fixture(autouse=True)
def scripts(monkeypatch, one_thread):
    monkeypatch.syspath_prepend(str(ROOT / "bench"))


def simulations(**fixed: Any) -> list[Any]:
    """Of all kinds: bound by computing, by latency and by bandwidth."""
    from scale_costs import ALGORITHMS, Link, Simulation, Step

    draw = random.Random(0)

    def one(algorithm: Any, overlap: bool) -> Any:
        step = Step(10 ** draw.uniform(-4, 0), draw.choice((0.0, 1e-3)), draw.uniform(0.3, 0.9))
        link = Link(10 ** draw.uniform(7, 11), 10 ** draw.uniform(-6, -3))
        sizes = [draw.randrange(1, 10**8) for _ in range(draw.randrange(1, 6))]
        given = {"step": step, "messages": sizes, "link": link, "algorithm": algorithm}
        return Simulation(**{**given, "overlap": overlap, **fixed})

    kinds = itertools.product(ALGORITHMS.values(), (False, True), range(10))
    return [one(algorithm, overlap) for algorithm, overlap, _ in kinds]


def test_one_device_does_not_communicate() -> None:
    from scale_costs import Volume

    assert Volume(1, 2, 3, 4).moved(1) == 0
    for each in simulations():
        assert each.seconds(1) == each.step.rows + each.step.fixed
        assert each.weak(1) == each.strong(1) == 1
        assert each.algorithm(1, 10**9, each.link) == 0


def test_a_better_network_is_never_slower() -> None:
    from dataclasses import replace

    for each, n in itertools.product(simulations(), COUNTS):
        for better in (
            replace(each.link, bandwidth=2 * each.link.bandwidth),
            replace(each.link, latency=each.link.latency / 2),
        ):
            assert replace(each, link=better).seconds(n) <= each.seconds(n)


def test_a_step_takes_as_long_as_the_longer_and_no_longer_than_both() -> None:
    from dataclasses import replace

    for each, n in itertools.product(simulations(), COUNTS):
        messages = sum(each.algorithm(n, size, each.link) for size in each.messages)
        alone = replace(each, overlap=False).seconds(n)
        hidden = replace(each, overlap=True).seconds(n)
        assert alone == pytest.approx(each.seconds(1) + messages)
        assert max(each.seconds(1), messages) <= hidden * (1 + 1e-12)
        assert hidden <= alone * (1 + 1e-12)


def test_weak_scaling_falls_to_its_limit() -> None:
    from scale_costs import Link, ring

    for each in simulations():
        found = [each.weak(n) for n in COUNTS]
        assert found == sorted(found, reverse=True)
    for each in simulations(algorithm=ring, link=Link(1e9, 0.0)):
        found = [each.weak(n) for n in COUNTS]
        assert all(one >= each.weak_limit() for one in found)
        assert found[-1] == pytest.approx(each.weak_limit(), rel=1e-4)
        if not each.overlap:
            sent = 2 * sum(each.messages) / 1e9
            assert each.weak_limit() == pytest.approx(each.seconds(1) / (each.seconds(1) + sent))


def test_strong_scaling_is_at_most_the_devices_and_what_is_fixed() -> None:
    for each, n in itertools.product(simulations(), COUNTS):
        assert each.strong(n) <= n * (1 + 1e-9)
        if each.step.fixed:
            assert each.strong(n) <= each.seconds(1) / each.step.fixed


@pytest.mark.parametrize("n", [2, 3, 8])
def test_a_ring_that_is_played_takes_the_rounds_and_bytes_of_its_formula(n: int) -> None:
    from scale_costs import Link, Volume, ring

    held = torch.randint(100, (n, n, 5))  # device, chunk, value
    total, rounds, sent = held.sum(0), 0, 0
    for adds, r in [(True, r) for r in range(n - 1)] + [(False, r) for r in range(n - 1)]:
        chunks = [(d - r + (not adds)) % n for d in range(n)]
        messages = [held[d, chunks[d]].clone() for d in range(n)]
        for d, message in enumerate(messages):
            to, chunk = (d + 1) % n, chunks[d]
            held[to, chunk] = message + held[to, chunk] if adds else message
        rounds, sent = rounds + 1, sent + messages[0].nbytes
    assert all(torch.equal(device, total) for device in held)
    size = held[0].nbytes
    assert sent == pytest.approx(Volume(0, 0, size, 0).moved(n))
    assert ring(n, size, Link(1e3, 0.5)) == pytest.approx(rounds * 0.5 + sent / 1e3)


@pytest.mark.parametrize("n", [2, 3, 8, 13])
def test_a_tree_that_is_played_takes_the_rounds_of_its_formula(n: int) -> None:
    from scale_costs import Link, tree

    values, rounds = list(range(1, n + 1)), 0
    gaps = list(itertools.takewhile(lambda gap: gap < n, (2**k for k in itertools.count())))
    for gap in gaps:  # up
        for d in range(0, n - gap, 2 * gap):
            values[d] += values[d + gap]
        rounds += 1
    for gap in reversed(gaps):  # down
        for d in range(0, n - gap, 2 * gap):
            values[d + gap] = values[d]
        rounds += 1
    assert values == [n * (n + 1) // 2] * n
    assert tree(n, 300, Link(1e3, 0.5)) == pytest.approx(rounds * (0.5 + 0.3))


@pytest.mark.filterwarnings("ignore:Grad strides do not match")
@pytest.mark.parametrize("name", ["784-500-20", "conv, 3 x 64 x 64", "pixelcnn_pp, 3 x 32 x 32"])
def test_bytes_are_those_that_torch_counts_and_sends(name: str) -> None:
    """The messages of DistributedDataParallel, seen by its hook, and what the optimizer holds."""
    import scale
    from scale_costs import volume

    model, rows = scale.made(name)
    found = volume(*scale.made(name), torch.optim.Adam)
    assert found.parameters == sum(p.numel() * p.element_size() for p in model.parameters())
    assert (found.gradients, found.state) == (found.parameters, 2 * found.parameters)
    assert found.data == rows.numel()
    objective = objectives.create("elbo")
    losses = Losses(model, objective)
    (phase,) = objective.phases(model)
    sent: list[int] = []

    def hook(_: object, bucket: distributed.GradBucket) -> torch.futures.Future[torch.Tensor]:
        sent.append(bucket.buffer().nbytes)
        done: torch.futures.Future[torch.Tensor] = torch.futures.Future()
        done.set_result(bucket.buffer())
        return done

    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    try:
        keep_constants(losses)
        wrapped = DistributedDataParallel(losses)
        wrapped.register_comm_hook(None, hook)
        for _ in range(2):  # the buckets of the first step are made before it is known
            sent.clear()
            x = torch.rand(2, *rows.shape[1:])
            wrapped(x, None, {}, phase.name)[0].backward()
    finally:
        distributed.destroy_process_group()
    assert sum(sent) == found.gradients
    assert len(sent) == len(scale.messages(name))
    assert sum(scale.messages(name)) == found.gradients


def test_what_two_processes_took_gives_step_and_link_back() -> None:
    import scale

    training = [(1, 50, 0.003), (1, 100, 0.005), (2, 100, 0.006), (2, 200, 0.01)]
    messages = [(4, 2e-4), (10**6, 2e-4 + 1e-3)]
    measured = {
        "training": [dict(zip(("processes", "rows", "seconds"), t, strict=True)) for t in training],
        "messages": [dict(zip(("bytes", "seconds"), m, strict=True)) for m in messages],
    }
    step, link = scale.measured_step(measured), scale.measured_link(measured)
    assert (step.rows, step.fixed) == pytest.approx((0.004, 0.001))
    assert (link.bandwidth, link.latency) == pytest.approx((1e9, 1e-4), rel=1e-3)
    assert scale.Simulation(step, [10**6], link).algorithm(2, 10**6, link) == pytest.approx(0.0012)


def test_the_page_shows_what_the_script_prints(capsys: pytest.CaptureFixture[str]) -> None:
    import scale

    scale.main([])
    printed = capsys.readouterr().out
    tables = [block for block in printed.split("\n\n") if block.startswith("|")]
    assert len(tables) == 9
    page = (ROOT / "docs" / "scale.md").read_text()
    for table in tables:
        assert table.strip() in page


def test_a_network_and_a_model_of_ones_own(capsys: pytest.CaptureFixture[str]) -> None:
    import scale

    words = ["--step-time", "10", "--megabytes", "100", "--bandwidth", "1", "--latency", "0"]
    scale.main([*words, "--devices", "1", "2"])
    rows = [line.split("|") for line in capsys.readouterr().out.splitlines()]
    two = next(row for row in rows if row[1:2] and row[1].strip() == "2")
    assert two[2].strip() == "9.1 %"  # 10 ms of computing, 100 of communication
    assert math.isclose(float(two[4].strip(" %")), 4.8)  # a tree sends all bytes twice


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--bandwidth", "0"], "--bandwidth must be greater than 0, got 0"),
        (["--step-time", "nan"], "--step-time must be greater than 0, got nan"),
        (["--latency", "-1"], "--latency must be at least 0, got -1"),
        (["--devices", "0"], "--devices must be at least 1, got 0"),
        (["--step-time", "2", "--fixed", "3"], "--fixed must lie within the step, got 3"),
    ],
)
def test_numbers_that_make_no_sense(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    import scale

    with pytest.raises(SystemExit) as ended:
        scale.main(words)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.recorded
def test_measuring_two_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    import scale
    import scale_measured

    for name in ("WARM", "STEPS", "WINDOW"):
        monkeypatch.setattr(scale_measured, name, 10)
    measured = json.loads(json.dumps(scale_measured.measure("digits", rounds=1)))
    assert [each["processes"] for each in measured["training"]] == [1, 1, 2, 2]
    assert all(each["seconds"] > 0 for each in measured["training"] + measured["messages"])
    assert scale.measured_link(measured).bandwidth > 0
    assert "2, 200 rows together" in str(scale.two_processes(measured))

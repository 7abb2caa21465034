"""Data-parallel training on paper: the bytes of a step, and a simulation of its time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

MIB = 2**20
FIRST, OTHERS = 1 * MIB, 25 * MIB  # bytes at which DistributedDataParallel closes a bucket


@dataclass(frozen=True)
class Volume:
    """Bytes of a training step on each device; all but the data are the same on any number.

    Attributes:
        data: the rows of the device
        parameters: which are read forward and backward, and written once
        gradients: of the parameters that are trained
        state: of the optimizer, read and written once
    """

    data: int
    parameters: int
    gradients: int
    state: int

    def moved(self, devices: float) -> float:
        """What each device sends, and as much is received: 2 (n - 1) / n times the gradients.

        No all-reduce moves less (Patarasuk and Yuan 2009).
        """
        return 2 * (1 - 1 / devices) * self.gradients


def volume(model: nn.Module, rows: Tensor, optimizer: type[torch.optim.Optimizer]) -> Volume:
    """What torch holds after a step on these rows; the weights are changed."""
    trained = [p for p in model.parameters() if p.requires_grad]
    taken = optimizer(trained, lr=1e-3)  # type: ignore[call-arg]
    for parameter in trained:
        parameter.grad = torch.zeros_like(parameter)
    taken.step()
    state = [t for each in taken.state.values() for t in each.values() if torch.is_tensor(t)]
    return Volume(
        data=rows.nbytes,
        parameters=sum(p.nbytes for p in model.parameters()),
        gradients=sum(p.grad.nbytes for p in trained if p.grad is not None),
        state=sum(t.nbytes for t in state if t.ndim),  # without the counts of steps
    )


def buckets(sizes: Sequence[int]) -> list[int]:
    """The bytes of each message: gradients from the last to the first, until a bucket is full.

    Args:
        sizes: bytes of each gradient, in the order of the parameters
    """
    found, limit, size = [], FIRST, 0
    for each in reversed(sizes):
        size += each
        if size >= limit:
            found.append(size)
            limit, size = OTHERS, 0
    return [*found, size] if size else found


@dataclass(frozen=True)
class Link:
    """What joins two devices.

    Attributes:
        bandwidth: bytes per second that a device sends while it receives as many
        latency: seconds of a message without bytes
    """

    bandwidth: float
    latency: float


def ring(devices: int, size: float, link: Link) -> float:
    """Seconds of an all-reduce in a ring: 2 (n - 1) (latency + size / n / bandwidth).

    Each device sends an n-th of the bytes 2 (n - 1) times, first to sum and then to share
    (Thakur, Rabenseifner and Gropp 2005, section 4; the sums themselves cost nothing).
    """
    return 2 * (devices - 1) * (link.latency + size / devices / link.bandwidth)


def tree(devices: int, size: float, link: Link) -> float:
    """Seconds of an all-reduce by a binomial tree: 2 ceil(log2 n) (latency + size / bandwidth).

    All bytes go up the tree to be summed, and down again (Thakur, Rabenseifner and Gropp 2005,
    section 4).
    """
    return 2 * math.ceil(math.log2(devices)) * (link.latency + size / link.bandwidth)


AllReduce = Callable[[int, float, Link], float]
ALGORITHMS: dict[str, AllReduce] = {"ring": ring, "tree": tree}


@dataclass(frozen=True)
class Step:
    """The step of a device that is alone, in seconds, with the rows that it then has.

    Attributes:
        rows: forward and backward, which are in proportion to the rows
        fixed: what does not depend on them, such as the optimizer; it comes last
        backward: its share of ``rows``: two products of matrices where the forward has one
    """

    rows: float
    fixed: float = 0.0
    backward: float = 2 / 3


@dataclass(frozen=True)
class Simulation:
    """Steps of many devices with the same weights, whose gradients meet by an all-reduce.

    A bucket is ready when as much of the backward is done as its gradients are of all bytes. Its
    all-reduce starts then, or at the end of the backward without ``overlap``, when the one before
    it has ended. The optimizer waits for the last.

    Attributes:
        step: of a device that is alone
        messages: bytes of the buckets, in the order in which they are ready
        link: between devices
        algorithm: of the all-reduce
        overlap: whether it runs during the backward
    """

    step: Step
    messages: Sequence[int]
    link: Link
    algorithm: AllReduce = ring
    overlap: bool = True

    def seconds(self, devices: int, share: float = 1.0) -> float:
        """Of a step.

        Args:
            devices: how many
            share: the rows of each, of those that a device that is alone has
        """
        costs = [self.algorithm(devices, m, self.link) if devices > 1 else 0 for m in self.messages]
        return self._seconds(costs, share)

    def _seconds(self, costs: Sequence[float], share: float) -> float:
        computed, total = self.step.rows * share, sum(self.messages)
        backward = computed * self.step.backward
        free, sent = 0.0, 0
        for message, cost in zip(self.messages, costs, strict=True):
            sent += message
            ready = computed - backward * (1 - sent / total) if self.overlap else computed
            free = max(free, ready) + cost
        return max(free, computed) + self.step.fixed

    def weak(self, devices: int) -> float:
        """Efficiency with as many rows on each device as one had: 1 is perfect."""
        return self.seconds(1) / self.seconds(devices)

    def weak_limit(self) -> float:
        """What ``weak`` falls to in a ring without latency, as the devices become many.

        All bytes are then sent twice: 2 size / bandwidth.
        """
        costs = [2 * message / self.link.bandwidth for message in self.messages]
        return self.seconds(1) / self._seconds(costs, 1.0)

    def strong(self, devices: int) -> float:
        """How many times faster a step is when its rows are shared: at most the devices."""
        return self.seconds(1) / self.seconds(devices, 1 / devices)

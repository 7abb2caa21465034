"""The processes of a run, which all do the same steps, and what they tell each other."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer

from pyvae.config import PRECISIONS, TrainConfig
from pyvae.errors import RunError, UserError, optional
from pyvae.training.distributed.sharding import shard

__all__ = [
    "LostRankError",
    "Ranks",
    "first_process",
    "keep_constants",
    "local_device",
    "started_by_others",
]


class LostRankError(RunError):
    """Another process of the run has ended, or can no longer be reached."""


def started_by_others() -> bool:
    """Whether ``pyvae train``, torchrun or SLURM has made this process one of several."""
    environments = optional("lightning_fabric.plugins.environments")
    return (
        "LOCAL_RANK" in os.environ
        or bool(environments.TorchElasticEnvironment.detect())
        or bool(environments.SLURMEnvironment.detect())
    )


def first_process(config: TrainConfig) -> bool:
    """Whether this is the first process of the run, or the only one.

    SLURM starts many processes for runs of one process each, too.
    """
    if config.devices * config.num_nodes == 1:
        return True
    environments = optional("lightning_fabric.plugins.environments")
    if environments.TorchElasticEnvironment.detect():
        return os.environ.get("RANK", "0") == "0"
    if environments.SLURMEnvironment.detect():
        return os.environ.get("SLURM_PROCID", "0") == "0"
    return os.environ.get("LOCAL_RANK", "0") == os.environ.get("NODE_RANK", "0") == "0"


def local_device(device: torch.device) -> torch.device:
    """The device of this process among those of its machine."""
    if device.type != "cuda" or device.index is not None:
        return device
    number = os.environ.get("LOCAL_RANK", os.environ.get("SLURM_LOCALID", "0"))
    return torch.device("cuda", int(number)) if number != "0" else device


def keep_constants(module: nn.Module) -> None:
    """Let each process keep its own constants, such as masks, instead of receiving them each step.

    They are the buffers that no state holds, since every process makes the same ones.

    Args:
        module: what is going to be wrapped for several processes
    """
    state = module.state_dict()
    constants = [name for name, _ in module.named_buffers() if name not in state]
    # the one way to tell it, which torch's own packages use too
    DistributedDataParallel._set_params_and_buffers_to_ignore_for_model(module, constants)


class Ranks:
    """This process and the others of a run; the first one records, evaluates and saves.

    Args:
        config: the settings
        device: of this process
        unused: whether a phase of the objective may leave weights without a gradient

    Raises:
        UserError: the processes that were started are not those that the settings name, or
            cannot reach each other.
    """

    def __init__(self, config: TrainConfig, device: torch.device, *, unused: bool = True) -> None:
        options: dict[str, Any] = {"accelerator": device.type}
        options["precision"] = PRECISIONS[config.precision]
        options |= {"devices": config.devices, "num_nodes": config.num_nodes}
        self.size = config.devices * config.num_nodes
        self.sharded = self.size > 1 and config.strategy == "fsdp"  #: each has a share of weights
        self._plain = self.size == 1 and config.precision == "32"
        if config.precision == "16" and device.type == "cpu":
            raise UserError("--precision 16 needs CUDA; on the CPU take bf16")
        if self.size == 1:
            self.fabric = optional("lightning_fabric").Fabric(**options)
            self.rank = 0
            return
        logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it tells of each process
        misfit = optional("lightning_fabric.utilities.exceptions").MisconfigurationException
        strategies = optional("lightning_fabric.strategies")
        if self.sharded:
            options["strategy"] = strategies.ModelParallelStrategy(
                shard, data_parallel_size=self.size, tensor_parallel_size=1
            )
        else:
            options["strategy"] = strategies.DDPStrategy(find_unused_parameters=unused)
        try:
            self.fabric = optional("lightning_fabric").Fabric(**options)
            self.fabric.launch()
        except (ValueError, RuntimeError, OSError, misfit) as error:
            raise UserError(
                f"--devices {config.devices} --num-nodes {config.num_nodes} cannot be had: {error}"
            ) from error
        self.rank = int(self.fabric.global_rank)
        if self.fabric.world_size != self.size:
            raise UserError(
                f"--devices {config.devices} --num-nodes {config.num_nodes} are {self.size} "
                f"processes, but {self.fabric.world_size} were started"
            )

    @property
    def first(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def wrap(self, module: Any) -> Any:
        """A module as precision and strategy have it; its optimizers are made afterwards.

        For one process in single precision it is as it was: a wrapper would do nothing, and take
        its time in each step.
        """
        return module if self._plain else self.fabric.setup_module(module)

    def wrap_optimizer(self, optimizer: Optimizer) -> Any:
        """An optimizer as precision and strategy have it."""
        return optimizer if self._plain else self.fabric.setup_optimizers(optimizer)

    def sum(self, values: Tensor) -> Tensor:
        """The sum over all processes, in place."""
        if self.size > 1:
            distributed.all_reduce(values)
        return values

    def most(self, number: int) -> int:
        """The greatest of the processes' numbers."""
        if self.size == 1:
            return number
        found = torch.tensor(number, device=self.fabric.device)
        distributed.all_reduce(found, distributed.ReduceOp.MAX)
        return int(found)

    def share(self, value: Any) -> Any:
        """What the first process has, in all of them."""
        return value if self.size == 1 else self.fabric.broadcast(value, src=0)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Within, a process that the others lose is said in one sentence.

        Raises:
            LostRankError: one of the others has ended, or cannot be reached.
        """
        try:
            yield
        except RuntimeError as error:
            if self.size == 1 or not _of_a_connection(error):
                raise
            raise LostRankError(
                "another process of this run has ended or cannot be reached"
            ) from error

    def leave(self) -> None:
        """Part from the others, which each go their own way from here.

        Whatever sends gradients must be gone. If it were the last owner of the group, it would wait
        for the group's threads without letting Python go on, and one of them may need Python to
        tidy up after the last message: neither would ever end.
        """
        if self.size > 1 and distributed.is_initialized():
            with self.together():
                distributed.barrier()  # nobody leaves before the last message has arrived
            distributed.destroy_process_group()


def _of_a_connection(error: RuntimeError) -> bool:
    words = ("gloo", "nccl", "connection", "timed out", "socket")
    return isinstance(error, distributed.DistError) or any(w in str(error).lower() for w in words)

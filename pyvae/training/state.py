"""Everything that the next training step depends on, as one object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor

from pyvae.errors import UserError
from pyvae.training.checkpoint import flatten_optimizer, load_optimizer
from pyvae.training.distributed.sharding import like, whole_named
from pyvae.training.join import Source
from pyvae.training.means import Means
from pyvae.training.monitor import BestModels, Monitor
from pyvae.training.optimization.engine import Engine

__all__ = ["Counters", "TrainingState"]


@dataclass
class Counters:
    """How far training is.

    Args:
        step: training steps done
        samples: rows seen
        seconds: spent training
        evaluated: the last step that was evaluated
        rate: the learning rate of the last step
        skipped: steps that were skipped
        skipped_last: of these, the last ones in a row
    """

    step: int = 0
    samples: int = 0
    seconds: float = 0.0
    evaluated: int = 0
    rate: float = 0.0
    skipped: int = 0
    skipped_last: int = 0


class TrainingState:
    """Weights, their average, optimizers, the place in the data, sums not recorded yet.

    Noise has no state: it is a function of the step.

    Args:
        engine: what changes the weights
        batches: the minibatches
        best: the best models so far
    """

    def __init__(self, engine: Engine, batches: Source, best: BestModels) -> None:
        self.engine, self.batches, self.best = engine, batches, best
        self.means = Means()
        self.counters = Counters()
        self.monitor = Monitor()

    def capture(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors named ``group/key``, and facts fit for JSON.

        Where weights are dealt out, all processes ask for them together.
        """
        engine, optimizers = self.engine, {}
        engine.gather()
        groups: dict[str, Mapping[str, Tensor]] = {
            "losses": whole_named(engine.losses.state_dict()),
            "batches": self.batches.state_dict(),
            "means": self.means.state_dict(),
        }
        if engine.average is not None:
            groups["average"] = engine.average.state_dict()
        for name, optimizer in engine.optimizers.items():
            named, optimizers[name] = flatten_optimizer(optimizer)
            groups[f"optimizer {name}"] = whole_named(named)
        tensors = {
            f"{group}/{key}": t for group, named in groups.items() for key, t in named.items()
        }
        return tensors, {
            **asdict(self.counters),
            "optimizers": optimizers,
            "monitor": asdict(self.monitor),
            "best": self.best.kept,
            "precision": engine.fabric.strategy.precision.state_dict(),
        }

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Put back what :meth:`capture` gave.

        Raises:
            UserError: it is of another model, objective or data set.
        """
        groups: dict[str, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            group, _, key = name.partition("/")
            groups.setdefault(group, {})[key] = tensor
        engine = self.engine
        try:
            engine.losses.load_state_dict(like(groups["losses"], engine.losses.state_dict()))
            if engine.average is not None:
                engine.average.load_state_dict(groups["average"])
            for name, optimizer in engine.optimizers.items():
                named = groups.get(f"optimizer {name}", {})
                load_optimizer(optimizer, named, facts["optimizers"][name])
            self.batches.load_state_dict(groups["batches"])
            self.means.load_state_dict(groups.get("means", {}), engine.parts.device)
            self.counters = Counters(**{name: facts[name] for name in asdict(self.counters)})
            self.monitor = Monitor(**facts["monitor"])
            self.best.restore(facts["best"])
            if facts["precision"]:
                engine.fabric.strategy.precision.load_state_dict(facts["precision"])
        except (KeyError, ValueError, TypeError, RuntimeError) as error:
            raise UserError(f"the checkpoint does not fit this run: {error}") from error

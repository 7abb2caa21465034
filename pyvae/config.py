"""What a training run is made of: every setting, stated once, fit for JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pyvae.errors import UserError
from pyvae.hints import did_you_mean
from pyvae.settings import Setting, flag, setting, settings_of

__all__ = ["PARTS", "PRECISIONS", "TrainConfig"]

#: The parts of a run that are chosen by name, each with a mapping of options beside it.
PARTS = (
    "encoder",
    "decoder",
    "prior",
    "posterior",
    "likelihood",
    "objective",
    "model",
    "dataset",
    "optimizer",
)

#: Floating-point formats, and how Lightning calls them.
PRECISIONS = {"32": "32-true", "64": "64-true", "bf16": "bf16-mixed", "16": "16-mixed"}

#: Figures that a run can be steered by.
MONITORED = ("elbo", "log_likelihood", "reconstruction")


def _part(default: str, help: str = "") -> Any:
    return setting(default, help or "see pyvae list", metavar="NAME")


def _options(example: str) -> dict[str, Setting]:
    return {"setting": Setting(f"such as {example}", metavar="NAME=VALUE")}


@dataclass(frozen=True)
class TrainConfig:
    """The settings of one training run; the fields are the options of ``pyvae train``.

    Raises:
        UserError: a value of another type, or one that makes no sense.

    >>> TrainConfig(binarize="dynamc")
    Traceback (most recent call last):
    ...
    pyvae.errors.UserError: --binarize must be one of auto, dynamic, fixed, none, got 'dynamc'; \
did you mean 'dynamic'?
    """

    dataset: str = _part(
        "digits", "what to train on: see pyvae list, or the path of your own files"
    )
    dataset_args: dict[str, Any] = field(default_factory=dict, metadata=_options("name=pinwheel"))
    data_dir: str | None = setting(
        None,
        "folder of local data files and downloads (default: $PYVAE_DATA_DIR or a cache)",
        metavar="DIR",
        resumable=True,
    )
    condition: tuple[str, ...] = setting(
        (),
        "what the model is given with the data: label, or columns of the data, by name; "
        "NAME:embedding=8 lets it learn 8 numbers for each category",
        metavar="NAME",
    )
    binarize: str = setting(
        "auto",
        "draw zeros and ones from grey levels, at each minibatch or once (default: dynamic for a "
        "likelihood of zeros and ones, none for others)",
        choices=("auto", "dynamic", "fixed", "none"),
    )
    model: str = _part("vae")
    model_args: dict[str, Any] = field(default_factory=dict, metadata=_options("hidden=200,100"))
    latent_dim: int = setting(
        20, "number of latents (default: 2 for digits, else 20)", above=0, metavar="N"
    )
    encoder: str = _part("mlp")
    encoder_args: dict[str, Any] = field(
        default_factory=dict, metadata=_options("hidden=500,200 activation=tanh")
    )
    decoder: str = _part("mlp")
    decoder_args: dict[str, Any] = field(
        default_factory=dict, metadata=_options("hidden=200,500 activation=tanh")
    )
    prior: str = _part("standard_normal")
    prior_args: dict[str, Any] = field(default_factory=dict, metadata=_options("components=50"))
    posterior: str = _part("diagonal_gaussian")
    posterior_args: dict[str, Any] = field(
        default_factory=dict, metadata=_options("temperature=0.5")
    )
    likelihood: str = _part("bernoulli")
    likelihood_args: dict[str, Any] = field(
        default_factory=dict, metadata=_options("variance=learned")
    )
    init: str = setting(
        "torch",
        "how the weights of linear and convolutional layers start: as torch makes them, uniform by "
        "Glorot and Bengio, or normal (default: torch)",
        choices=("torch", "glorot", "normal"),
    )
    init_std: float = setting(0.1, "standard deviation of --init normal", above=0)
    init_output: bool = setting(False, "start the decoder's output at the mean of the data")
    objective: str = _part("elbo")
    objective_args: dict[str, Any] = field(
        default_factory=dict, metadata=_options("beta=4 warm_up_epochs=10")
    )
    epochs: int | None = setting(
        None, "passes over the training data (default: 100)", above=0, metavar="N", resumable=True
    )
    steps: int | None = setting(
        None, "training steps, instead of epochs", above=0, metavar="N", resumable=True
    )
    batch_size: int = setting(100, "rows of data per step", above=0, metavar="N")
    optimizer: str = _part("adam", "adam, adamw, adagrad, rmsprop or sgd")
    optimizer_args: dict[str, Any] = field(default_factory=dict, metadata=_options("momentum=0.9"))
    lr: float = setting(1e-3, "learning rate", above=0, resumable="smaller")
    lr_schedule: str | None = setting(
        None,
        "how the learning rate goes on after the warm-up (default: step where there are "
        "--lr-milestones, else constant)",
        choices=("constant", "step", "linear", "cosine", "plateau"),
    )
    lr_warm_up: int = setting(
        0, "steps in which the learning rate rises from near 0", least=0, metavar="N"
    )
    lr_milestones: tuple[int, ...] = setting(
        (), "epochs at which --lr-schedule step multiplies by --lr-gamma", metavar="EPOCH"
    )
    lr_gamma: float = setting(0.1, "the factor of --lr-schedule step and plateau", above=0)
    lr_end: float = setting(
        0.0, "where --lr-schedule linear and cosine arrive with the last step", least=0
    )
    lr_patience: int = setting(
        10,
        "evaluations in a row without improvement of --monitor that --lr-schedule plateau endures",
        least=0,
        metavar="N",
    )
    clip_grad_norm: float | None = setting(
        None, "the greatest norm of a gradient; one that is longer is scaled to it", above=0
    )
    max_skipped: int = setting(
        0,
        "steps in a row that may be skipped because their gradient is not finite; 0: none is "
        "skipped",
        least=0,
        metavar="N",
        resumable=True,
    )
    accumulate: int = setting(
        1,
        "parts that each batch is cut into and that go through the model in turn, for the same "
        "step in less memory",
        above=0,
        metavar="N",
        resumable=True,
    )
    ema: float | None = setting(
        None,
        "decay of an exponential moving average of the weights, which is what is evaluated and "
        "saved as the model",
        above=0,
        metavar="DECAY",
    )
    early_stopping: int | None = setting(
        None,
        "end after so many evaluations in a row without improvement of --monitor",
        above=0,
        metavar="N",
        resumable=True,
    )
    monitor: str = setting(
        "valid/elbo",
        "the figure that early stopping, --keep and --lr-schedule plateau look at; higher is "
        "better",
        choices=tuple(f"{split}/{name}" for split in ("valid", "test") for name in MONITORED),
    )
    keep: int = setting(
        0, "how many of the best models to keep beside the last one", least=0, metavar="N"
    )
    seed: int = setting(
        0,
        "where the initial weights, the order of the data and all noise come from",
        least=0,
        most=2**63 - 1,
        metavar="N",
    )
    eval_every: int | None = setting(
        None,
        "steps between evaluations, which then include log p(x) (default: the bound alone, after "
        "each epoch)",
        above=0,
        metavar="N",
    )
    eval_samples: int = setting(
        100, "importance samples for log p(x); 0: none", least=0, metavar="N"
    )
    eval_subset: int = setting(
        1000,
        "random rows to evaluate on in between; 0: all. The final figures are always those of all "
        "test data",
        least=0,
        metavar="N",
    )
    eval_split: str = setting(
        "valid", "the split to evaluate on in between", choices=("valid", "test")
    )
    log_every: int = setting(100, "steps between two records", above=0, metavar="N", resumable=True)
    log: tuple[str, ...] = setting(
        (),
        "experiment trackers that get the records too; TensorBoard always does",
        choices=("wandb", "mlflow"),
        resumable=True,
    )
    device: str = setting("auto", "auto, cpu or cuda", metavar="NAME", resumable=True)
    devices: int = setting(
        1,
        "processes on each machine, which share each batch; on CUDA each has a GPU of its own",
        above=0,
        metavar="N",
        resumable=True,
    )
    num_nodes: int = setting(
        1, "machines with so many processes each", above=0, metavar="N", resumable=True
    )
    strategy: str = setting(
        "ddp",
        "how processes share the work: each has all weights (ddp), or a share of weights, "
        "gradients and the optimizer's state, and all weights only while it computes (fsdp)",
        choices=("ddp", "fsdp"),
        resumable=True,
    )
    precision: str = setting(
        "32",
        "floating-point format: single, double, or 16 bits where that is safe (float16 on CUDA)",
        choices=tuple(PRECISIONS),
        spellings={long: short for short, long in PRECISIONS.items()}
        | {32: "32", 64: "64", 16: "16"},
    )
    compile: bool = setting(False, "let torch.compile make model and objective one program")
    cuda_graphs: bool = setting(
        False,
        "record what a step launches on the GPU once and replay it, which takes the host out of "
        "small steps",
    )

    def __post_init__(self) -> None:
        for name, known in settings_of(type(self)).items():
            object.__setattr__(self, name, known.check(name, getattr(self, name)))
        if self.epochs is not None and self.steps is not None:
            raise UserError("give --epochs or --steps, not both")
        self._check_schedule()
        self._check_monitor()
        self._check_strategy()
        self._check_graphs()

    def total_steps(self, steps_per_epoch: int) -> int:
        """How many training steps the run has; 100 epochs where neither number is given."""
        if self.steps is not None:
            return self.steps
        return steps_per_epoch * (100 if self.epochs is None else self.epochs)

    @property
    def schedule(self) -> str:
        """The learning-rate schedule by name."""
        return self.lr_schedule or ("step" if self.lr_milestones else "constant")

    @property
    def cuts(self) -> int:
        """The parts that a batch is cut into: those of each process, for all processes."""
        return self.devices * self.num_nodes * self.accumulate

    @property
    def monitors(self) -> bool:
        """Whether the run looks at the figure ``monitor``."""
        return self.schedule == "plateau" or self.early_stopping is not None or self.keep > 0

    def _check_schedule(self) -> None:
        if self.lr_schedule == "step" and not self.lr_milestones:
            raise UserError("--lr-schedule step needs --lr-milestones, the epochs of its steps")
        if self.lr_milestones and self.schedule != "step":
            raise UserError(f"--lr-milestones go with --lr-schedule step, not {self.schedule}")
        if self.lr_end > self.lr:
            raise UserError(f"--lr-end must be at most --lr, which is {self.lr}, got {self.lr_end}")
        if self.ema is not None and not self.ema < 1:
            raise UserError(f"--ema must be below 1, got {self.ema}")
        if self.cuts > self.batch_size:
            raise UserError(
                f"--batch-size must be at least the {self.cuts} parts that a batch is cut into "
                f"(--devices times --num-nodes times --accumulate), got {self.batch_size}"
            )

    def _check_strategy(self) -> None:
        if self.strategy == "fsdp" and self.devices * self.num_nodes > 1:
            if self.compile:
                raise UserError("--strategy fsdp does not go with --compile; take --strategy ddp")
            if self.precision == "16":
                raise UserError("--strategy fsdp takes --precision 32, 64 or bf16, got 16")

    def _check_graphs(self) -> None:
        if self.cuda_graphs and self.cuts > 1:
            raise UserError(
                f"--cuda-graphs goes with one process and --accumulate 1, got batches of "
                f"{self.cuts} parts (--devices times --num-nodes times --accumulate)"
            )
        if self.cuda_graphs and self.precision == "16":
            raise UserError("--cuda-graphs takes --precision 32, 64 or bf16, got 16")

    def _check_monitor(self) -> None:
        if not self.monitors:
            return
        split, _, name = self.monitor.partition("/")
        if split != self.eval_split:
            raise UserError(
                f"--monitor {self.monitor} is never evaluated, because --eval-split is "
                f"{self.eval_split}"
            )
        if name == "log_likelihood" and (self.eval_every is None or not self.eval_samples):
            raise UserError(
                f"--monitor {self.monitor} needs --eval-every, and --eval-samples above 0"
            )

    def is_default(self, name: str) -> bool:
        """Whether a setting has the value that it has when nothing is said."""
        return bool(getattr(self, name) == getattr(type(self)(), name))

    def to_dict(self) -> dict[str, Any]:
        """All settings, fit for JSON.

        Raises:
            UserError: an option that JSON cannot hold.
        """
        try:
            settings: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self)))
        except TypeError as error:
            raise UserError(f"an option of a part cannot be written down: {error}") from error
        return settings

    @classmethod
    def from_dict(cls, settings: Mapping[str, Any]) -> TrainConfig:
        """The settings that :meth:`to_dict` gave.

        Raises:
            UserError: a setting that does not exist, or a value that makes no sense.
        """
        names = settings_of(cls)
        for name in settings:
            if name not in names:
                raise UserError(f"unknown setting {name!r}{did_you_mean(name, names)}")
        return cls(**settings)

    def resumed_with(self, given: Mapping[str, Any]) -> TrainConfig:
        """These settings, with those changed that a resumed run may change.

        Raises:
            UserError: another setting was given with another value.
        """
        known = settings_of(type(self))
        for name, value in given.items():
            value = known[name].check(name, value)
            now, allowed = getattr(self, name), known[name].resumable
            if value == now or allowed is True or (allowed == "smaller" and value < now):
                continue
            others = ", ".join(flag(n) for n, one in sorted(known.items()) if one.resumable is True)
            limit = "can only become smaller" if allowed else f"cannot become {value}"
            raise UserError(
                f"{flag(name)} is {now} in the run that is resumed and {limit}; {others} can "
                f"change, and --lr to a smaller rate"
            )
        values = {**self.to_dict(), **given}
        if "epochs" in given:
            values["steps"] = given.get("steps")
        elif "steps" in given:
            values["epochs"] = None
        return self.from_dict(values)

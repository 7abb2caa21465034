"""Training on Lightning Fabric: the loop, its state, its records."""

from pyvae.training.build import build, build_data
from pyvae.training.evaluation import evaluate_split
from pyvae.training.folder import RunFolder
from pyvae.training.join import build_view
from pyvae.training.loop import Trainer
from pyvae.training.signals import Interrupted, StopRequest

__all__ = [
    "Interrupted",
    "RunFolder",
    "StopRequest",
    "Trainer",
    "build",
    "build_data",
    "build_view",
    "evaluate_split",
]

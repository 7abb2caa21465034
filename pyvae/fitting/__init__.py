"""Training from Python: :func:`fit`, and the runs of the command over the same loop."""

from pyvae.fitting.from_python import fit
from pyvae.fitting.history import History

__all__ = ["History", "fit"]

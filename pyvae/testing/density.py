"""The row of a density of another package."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import torch
from torch import Tensor

from .case import TOLERANCE, OpCase, Tolerance, tensors
from .draw import Draw


def density_case(
    function: Callable[..., Tensor],
    reference: Callable[..., Tensor],
    operands: Mapping[str, Draw],
    *,
    namespace: str,
    name: str = "",
    data: Collection[str] = ("x",),
    broadcasts: Collection[str] = (),
    discrete: bool = False,
    tolerance: Mapping[torch.dtype, Tolerance] = TOLERANCE,
) -> OpCase:
    """The row of a log-likelihood that :func:`pyvae.extension.load_library` loaded.

    Every operand is drawn of shape ``(batch, event)``.

    Args:
        function: takes the operands by keyword, and ``batch_ndim``.
        reference: what it means, in plain PyTorch: takes the operands and ``batch_ndim`` by place.
        operands: for each operand, in the order of the header, how it is drawn: a function of
            :mod:`pyvae.testing.draw`, or any other of a shape and a generator.
        namespace: the one that the library was loaded into.
        name: of the op; by default that of ``function``.
        data: the operands that are data, which training asks no gradients for.
        broadcasts: the operands that may have any shape that broadcasts, not the whole event's.
        discrete: the data are whole numbers, and take no gradient.
        tolerance: per dtype of the operands, how far results may lie from float64.

    Raises:
        ValueError: ``data`` or ``broadcasts`` names what is no operand, or none is left to learn.

    Example:
        >>> from pyvae import functional as F, reference
        >>> from pyvae.testing import draw
        >>> case = density_case(
        ...     F.gaussian_log_prob,
        ...     reference.gaussian_log_prob,
        ...     {"x": draw.normal, "mean": draw.normal, "logvar": draw.normal},
        ...     namespace="pyvae",
        ...     broadcasts=("logvar",),
        ... )
        >>> case.learned
        ('mean', 'logvar')
        >>> inputs = case.inputs(4, 784)
        >>> torch.allclose(case(inputs), case.specification(inputs), rtol=1e-5)
        True
    """
    name = name or function.__name__
    unknown = [operand for operand in (*data, *broadcasts) if operand not in operands]
    if unknown:
        raise ValueError(f"{name} has operands {', '.join(operands)}, got {', '.join(unknown)}")
    learned = tuple(operand for operand in operands if operand not in data)
    if not learned:
        raise ValueError(f"{name}: one operand at least must be no data, got {', '.join(data)}")
    return OpCase(
        name=name,
        function=function,
        sizes=("batch", "event"),
        small=(5, 19),
        shapes=lambda b, d: dict.fromkeys(operands, (b, d)),
        arguments=tensors(*operands),
        differentiable=learned if discrete else tuple(operands),
        learned=learned,
        broadcasts=tuple(broadcasts),
        draw=dict(operands),
        one_pass=len(data) == 1,
        tolerance=tolerance,
        reference=reference,
        namespace=namespace,
    )

"""The backward op is public: whatever it is given, it computes or it raises, by name."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from pyvae.testing import OpCase, outputs

__all__ = [
    "test_a_missing_incoming_gradient_is_named",
    "test_an_incoming_gradient_of_another_kind_is_named",
    "test_wrong_calls_end_in_exceptions",
]

CALLS = 40  # random wrong calls for each op and seed


def backward_of(case: OpCase) -> Any:
    return getattr(case.ops, f"{case.native}_backward").default


def right_arguments(case: OpCase) -> tuple[list[Tensor], list[Any], list[bool]]:
    """Incoming gradients, arguments and mask of a call that is right."""
    inputs = case.inputs()
    arguments = case.arguments(inputs)
    grads = [torch.randn_like(r) for r in outputs(case(inputs))]
    tensors = [a for a in arguments if a is None or torch.is_tensor(a)]
    leaves = [inputs[name] for name in case.differentiable]
    return grads, list(arguments), [any(t is leaf for leaf in leaves) for t in tensors]


WRONG: dict[str, Callable[[Tensor], Tensor]] = {
    "rank": lambda g: g.unsqueeze(0),
    "shape": lambda g: g.new_zeros(tuple(n + 1 for n in g.shape) or (2,)),
    "dtype": lambda g: g.long(),
    "other float": lambda g: g.bfloat16(),
    "device": lambda g: g.to("meta"),
}


@pytest.mark.parametrize("how", WRONG)
def test_an_incoming_gradient_of_another_kind_is_named(case: OpCase, how: str) -> None:
    grads, arguments, mask = right_arguments(case)
    backward = backward_of(case)
    for k in range(len(grads)):
        wrong = [WRONG[how](g) if i == k else g for i, g in enumerate(grads)]
        with pytest.raises((ValueError, TypeError), match="_backward: grad"):
            backward(*wrong, *arguments, mask)


def test_a_missing_incoming_gradient_is_named(case: OpCase) -> None:
    grads, arguments, mask = right_arguments(case)
    if len(grads) == 1:
        with pytest.raises(ValueError, match=r"_backward: grad must be a tensor, got None"):
            backward_of(case)(None, *arguments, mask)
    else:  # one of two may be missing: its result was not used
        for left in range(len(grads)):
            some = [g if i == left else None for i, g in enumerate(grads)]
            found = backward_of(case)(*some, *arguments, mask)
            assert all(f is not None for f, m in zip(found, mask, strict=True) if m)


def disturb(
    rng: random.Random, grads: list[Tensor], arguments: list[Any], mask: list[bool]
) -> list[Any]:
    """A call with one to three things wrong, or only strange."""
    given = [*grads, *arguments]
    for _ in range(rng.randint(1, 3)):
        i = rng.randrange(len(given))
        value = given[i]
        if torch.is_tensor(value):
            changes: list[Callable[[Tensor], Tensor | None]] = [
                lambda t: None,
                lambda t: t.new_zeros([rng.randint(0, 3) for _ in range(rng.randint(0, 5))]),
                lambda t: t.to(rng.choice([torch.int64, torch.bool, torch.float64, torch.float16])),
                lambda t: t.unsqueeze(rng.randint(0, t.ndim)),
                lambda t: t.flatten(),
                lambda t: t.to("meta"),
                lambda t: t.expand(2, *t.shape),
                lambda t: t.mT if t.ndim > 1 else t,
            ]
            given[i] = rng.choice(changes)(value)
        elif isinstance(value, bool):
            given[i] = not value
        elif isinstance(value, int):
            given[i] = rng.choice([-3, -1, 0, 1, 2, 3, 5, 2**40])
        elif isinstance(value, (tuple, torch.Size)):
            given[i] = [rng.choice([-1, 0, 1, 2, 3, 5, 7]) for _ in range(rng.randint(0, 5))]
    if rng.random() < 0.3:
        mask = [rng.random() < 0.5 for _ in range(len(mask) + rng.choice([-1, 0, 1]))]
    return [*given, mask]


@pytest.mark.parametrize("seed", range(2))
def test_wrong_calls_end_in_exceptions(case: OpCase, seed: int) -> None:
    """What does not raise has gradients of the shapes of its arguments."""
    rng = random.Random(f"{case.name} {seed}")
    torch.manual_seed(seed)
    raised = 0
    for _ in range(CALLS):
        grads, arguments, mask = right_arguments(case)
        given = disturb(rng, grads, arguments, mask)
        try:
            found = outputs(backward_of(case)(*given))
        except Exception as error:  # whichever: the process lives
            raised += bool(str(error))
            continue
        tensors: list[Any] = [a for a in given[len(grads) : -1] if a is None or torch.is_tensor(a)]
        for gradient, t in zip(found, tensors, strict=False):
            assert gradient is None or gradient.shape == t.shape
    assert raised > CALLS // 4

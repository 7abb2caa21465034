"""What ``pyvae evaluate`` says of the codes beside the bounds: factors, and few labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pyvae.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from pyvae.data import View
    from pyvae.models.base import Model

__all__ = ["SCORES", "check_wanted", "factors_and_codes", "latent_figures", "latent_rows"]

ROWS = 10_000  # of the data, at most
SCORES = {
    "mig": "MIG",
    "sap": "SAP",
    "disentanglement": "DCI disentanglement",
    "completeness": "DCI completeness",
    "informativeness": "DCI informativeness",
    "factor_vae": "FactorVAE score",
}


def check_wanted(
    view: View,
    split: str,
    factors: bool,
    per_class: int | None,
    flag: str = "--disentanglement",
) -> None:
    """Whether the data have what was asked for; ``flag`` is what asks for factors.

    Raises:
        UserError: they have no factors, or no labels.
    """
    if factors and "factors" not in view.data.train.extras:
        raise UserError(
            f"{flag} needs data whose factors are known, such as sprites; "
            f"{view.data.name} has no side input 'factors'"
        )
    if per_class is not None and (view.data.train.y is None or view.held_out(split).y is None):
        raise UserError(f"--few-labels needs data with labels, which {view.data.name} has not")


def factors_and_codes(model: Model, view: View) -> tuple[Tensor, Tensor, tuple[int, ...]]:
    """Factors and posterior means of rows of all splits, and which factors have no order."""
    from pyvae.analysis import encode, select
    from pyvae.data.sets.sprites import CATEGORICAL

    rows = select(view, "all", ROWS)
    factors = rows.extra("factors")
    assert factors is not None
    categorical = CATEGORICAL if view.data.name == "sprites" else ()
    return factors, encode(model, rows.batches(model)), categorical


def latent_figures(
    model: Model, view: View, split: str, *, factors: bool, per_class: int | None
) -> dict[str, Any]:
    """Scores by name, fit for JSON: "disentanglement" and "few_labels", as far as asked for.

    Disentanglement is that of all data, 10,000 rows at most; labels are drawn from 10,000 rows of
    the training split, and the split is what is classified.
    """
    from dataclasses import asdict

    from pyvae.analysis import encode, select
    from pyvae.metrics import disentanglement, few_labels

    found: dict[str, Any] = {}
    if factors:
        known, codes, categorical = factors_and_codes(model, view)
        found["disentanglement"] = asdict(disentanglement(codes, known, categorical))
    if per_class is not None:
        train, held = select(view, "train", ROWS), select(view, split)
        assert train.labels is not None and held.labels is not None
        codes, held_codes = (encode(model, rows.batches(model)) for rows in (train, held))
        few = few_labels(codes, train.labels, held_codes, held.labels, per_class=per_class)
        found["few_labels"] = asdict(few)
    return found


def latent_rows(figures: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The same for a table."""
    rows = [
        (SCORES[name], f"{value:.3f}") for name, value in figures.get("disentanglement", {}).items()
    ]
    if "few_labels" in figures:
        few = figures["few_labels"]
        of = f"{few['per_class']} labels a class"
        for name, words in (("linear", "linear classifier"), ("neighbours", "nearest neighbours")):
            value = f"{100 * few[name]:.1f} +- {100 * few[f'{name}_std']:.1f} %"
            rows.append((f"{words}, {of}", value))
    return rows

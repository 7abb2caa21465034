"""Data sets as tensors, and minibatches of them."""

from __future__ import annotations

import inspect
import os
from typing import Any

from pyvae.data import file, sets  # noqa: F401  registers them
from pyvae.data.base import DataSplits, Split
from pyvae.data.batches import Batches
from pyvae.data.binarize import View, draw_bits, view
from pyvae.data.columns import Column
from pyvae.data.condition import asked
from pyvae.data.conditions import Conditions
from pyvae.data.few_labels import few_labels
from pyvae.data.options import lenient, names_of
from pyvae.data.prepare import LABEL, log1p, standardize, with_conditions
from pyvae.data.readers import is_path
from pyvae.errors import DataError
from pyvae.hints import conform
from pyvae.registry import UnknownPartError, datasets

__all__ = [
    "Batches",
    "Column",
    "Conditions",
    "DataError",
    "DataSplits",
    "Split",
    "View",
    "draw_bits",
    "is_path",
    "load",
    "view",
]

_FEW = {"labels_per_class": "per_class", "labels_seed": "seed", "labelled_share": "share"}


def load(
    name: str | os.PathLike[str], /, data_dir: str | os.PathLike[str] | None = None, **options: Any
) -> DataSplits:
    """A registered data set by name, or your own files by their path.

    Args:
        name: one of ``pyvae.registry.datasets.names()``, or the path of a file or folder: see
            :func:`pyvae.data.file.file`
        data_dir: the folder of local files and downloads; default: the environment's
            PYVAE_DATA_DIR, else the user's cache folder
        options: the data set's own options, and for any data set ``conditions`` (names of fields,
            or "label", which become the extra "condition", or the :class:`Conditions` of other
            data, which mean the same here), ``log1p``, ``standardize``, and
            ``labels_per_class``, ``labels_seed`` and ``labelled_share``, which hide the labels of
            all but a few training rows: see :func:`pyvae.data.few_labels.few_labels`

    Raises:
        UnknownPartError: no data set, file or folder has this name.
        DataError: a file is missing, cut short, altered, or of another format.
        TypeError: an unknown option, or a value of another type.

    Example:
        >>> import pyvae.data
        >>> pyvae.data.load("digits").data_shape
        (1, 8, 8)
        >>> digits = pyvae.data.load("digits", conditions="label")
        >>> digits.conditions.encode({"label": 7}).argmax().item()
        7
    """
    if is_path(name):
        name, options = "file", {"path": os.fspath(name), **options}
    try:
        part = datasets.get(str(name))
    except UnknownPartError as error:
        raise UnknownPartError(f"{error}; nor is there a file or folder {name!r}") from error
    own = inspect.signature(part).parameters
    conditions = options.pop("conditions", ())
    if not isinstance(conditions, Conditions):
        conditions = names_of(conditions)
    few = {new: options.pop(old) for old, new in _FEW.items() if old in options}
    if few and "per_class" not in few:
        raise TypeError("labels_seed and labelled_share go with labels_per_class")
    after = {log1p: _asked("log1p", options, own), standardize: _asked("standardize", options, own)}
    if "fields" in own:
        made = isinstance(conditions, Conditions)
        names = conditions.names if made else [asked(one)[0] for one in conditions]
        fields = [*names_of(options.get("fields", ())), *(one for one in names if one != LABEL)]
        options["fields"] = list(dict.fromkeys(fields))
    splits: DataSplits = datasets.create(str(name), data_dir=data_dir, **lenient(part, options))
    for function, wanted in after.items():
        if wanted:
            splits = function(splits)
    if few:
        splits = few_labels(splits, **few)
    return with_conditions(splits, conditions) if conditions else splits


def _asked(name: str, options: dict[str, Any], own: Any) -> bool:
    """Whether an option of any data set is given, unless a data set has its own of that name."""
    if name in own:
        return False
    try:
        return bool(conform(options.pop(name, False), bool))
    except TypeError as error:
        raise TypeError(f"{name} {error}") from error

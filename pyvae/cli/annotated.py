"""Rows of numbers as ``.h5ad``, with what the file that they come from says of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pyvae.errors import DataError, optional

if TYPE_CHECKING:
    from pyvae.config import TrainConfig

__all__ = ["CODES", "Source", "source_of", "write_annotated"]

Array = np.ndarray[Any, np.dtype[Any]]

CODES = "X_pyvae"  # where the latents of the rows are, in ``obsm``


@dataclass(frozen=True)
class Source:
    """The file, or the files of the splits, that rows come from.

    Args:
        paths: ``.h5ad`` files, whose rows count through
        rows: the number of each row (N,)
    """

    paths: tuple[Path, ...]
    rows: Array

    def obs(self) -> Any:
        """What the files say of the rows, a data frame with their names as its index, or None.

        Raises:
            DataError: the files hold fewer rows.
        """
        frames = [_item(path, "obs") for path in self.paths]
        if any(frame is None for frame in frames):
            return None
        whole = optional("pandas", "anndata").concat(frames)
        if len(self.rows) and self.rows.max() >= len(whole):
            raise DataError(
                f"{', '.join(map(str, self.paths))}: obs must hold more than {self.rows.max()} "
                f"rows, got {len(whole)}"
            )
        return whole.iloc[self.rows].copy()

    def var(self, columns: int) -> Any:
        """What the first file says of its columns, where there are so many of them; else None."""
        found = _item(self.paths[0], "var")
        return found if found is not None and len(found) == columns else None


def source_of(config: TrainConfig, rows: Array) -> Source | None:
    """Where rows come from, if that is an ``.h5ad`` file or one for each split."""
    from pyvae.data.readers import is_path, parts_of

    options = config.dataset_args
    name = options.get("path", "") if config.dataset == "file" else config.dataset
    if not is_path(name):
        return None
    whole = Path(name).expanduser()
    places = {"train": whole} if options.get("reader") else parts_of(whole)
    places |= {n: Path(options[n]).expanduser() for n in ("valid", "test") if options.get(n)}
    if any(path.suffix != ".h5ad" for path in places.values()):
        return None
    return Source(tuple(places.values()), rows)


def write_annotated(
    path: Path,
    name: str,
    values: Array,
    columns: Sequence[str],
    about: Mapping[str, Array],
    source: Source | None,
) -> None:
    """Write rows of numbers (N, D) as an AnnData.

    Latents (``z``) are ``obsm["X_pyvae"]``, data (``x``) are ``X``, and other numbers are columns
    of ``obs`` by their names, as is what is known of the rows; ``pyvae_`` stands before all names
    that are not the source's. Of the source come ``obs``, and ``var`` beside data, but not ``X``.
    """
    pandas, anndata = optional("pandas", "anndata"), optional("anndata", "anndata")
    obs = None if source is None else source.obs()
    if obs is None:
        obs = pandas.DataFrame(index=[str(i) for i in range(len(values))])
    ours = dict(about)
    if name not in ("x", "z"):
        ours |= {column: values[:, i] for i, column in enumerate(columns)}
    for key, column in ours.items():
        obs[f"pyvae_{key}"] = pandas.Categorical(column) if column.dtype.kind == "U" else column
    rows: dict[str, Any] = {"obs": obs}
    if name == "z":
        rows["obsm"] = {CODES: values}
    elif name == "x":
        var = None if source is None else source.var(values.shape[1])
        if var is None:
            names = columns or [f"x{i}" for i in range(values.shape[1])]
            var = pandas.DataFrame(index=list(names))
        rows |= {"X": values, "var": var}
    anndata.AnnData(**rows).write_h5ad(path)


def _item(path: Path, name: str) -> Any:
    """The data frame of this name in an ``.h5ad`` file, of which nothing else is read; or None."""
    h5py: Any = optional("h5py")
    try:
        elements: Any = import_module("anndata.io")
    except ImportError:  # before 0.11
        elements = import_module("anndata.experimental")
    with h5py.File(path, "r") as file:
        return elements.read_elem(file[name]) if name in file else None

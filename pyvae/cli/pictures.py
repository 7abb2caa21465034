"""Write images where the user wants them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyvae.cli.targets import check_images, checked, said_unwritable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from torch import Tensor

__all__ = ["add_out", "check_target", "check_targets", "write", "write_all"]


def check_target(path: str | Path, data_shape: tuple[int, ...]) -> Path:
    """A path that ends in ``.png`` (images only) or ``.npy``, in a folder that exists.

    Raises:
        UserError: another ending, no such folder, or data that are no images.
    """
    target = checked(path, (".png", ".npy"))
    check_images(target, data_shape, ".npy")
    return target


def write(path: Path, values: Tensor, sheet: Tensor | None) -> int:
    """Write values as ``.npy``, or the sheet that shows them as ``.png``, and say where.

    Raises:
        UserError: it cannot be written.
    """
    write_all([path], {"values": values}, sheet)
    return 0


def add_out(parser: argparse.ArgumentParser, name: str) -> None:
    """Where a picture and its arrays are to be."""
    parser.add_argument(
        "--out",
        nargs="+",
        metavar="FILE",
        help=f".png: the picture, .npy: what the model made, .npz: all arrays "
        f"(default: RUN/{name})",
    )


def check_targets(
    given: list[str] | None, default: Path, data_shape: tuple[int, ...]
) -> list[Path]:
    """Paths that end in ``.png`` (images only), ``.npy`` or ``.npz``, in folders that exist.

    Raises:
        UserError: another ending, no such folder, or data that are no images.
    """
    paths: Sequence[str | Path] = given if given else [default]
    targets = [checked(path, (".png", ".npy", ".npz")) for path in paths]
    for target in targets:
        check_images(target, data_shape, ".npz")
    return targets


def write_all(targets: list[Path], arrays: Mapping[str, Tensor], sheet: Tensor | None) -> None:
    """Write the sheet to each ``.png``, the first array to each ``.npy``, all to each ``.npz``.

    Raises:
        UserError: one of them cannot be written.
    """
    import numpy as np

    from pyvae.plots import save_image
    from pyvae.storage import write_whole

    named: dict[str, Any] = {name: value.cpu().numpy() for name, value in arrays.items()}
    for target in targets:
        content = io.BytesIO()
        with said_unwritable(target):
            if target.suffix == ".png" and sheet is not None:
                save_image(target, sheet)
            else:
                if target.suffix == ".npz":
                    np.savez(content, **named)
                else:
                    np.save(content, next(iter(named.values())))
                write_whole(target, content.getvalue())
        print(target)

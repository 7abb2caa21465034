"""Write images where the user wants them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyvae.errors import UserError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from torch import Tensor

__all__ = ["add_out", "check_figure", "check_target", "check_targets", "write", "write_all"]


def check_target(path: str, data_shape: tuple[int, ...]) -> Path:
    """A path that ends in ``.png`` (images only) or ``.npy``, in a folder that exists.

    Raises:
        UserError: another ending, no such folder, or data that are no images.
    """
    from pyvae.plots import is_image

    target = Path(path)
    if target.suffix not in (".png", ".npy"):
        raise UserError(f"--out must end in .png or .npy, got {path}")
    if not target.absolute().parent.is_dir():
        raise UserError(f"cannot write {path}: {target.parent} is not a folder")
    if target.suffix == ".png" and not is_image(data_shape):
        raise UserError(f"data of shape {data_shape} are no images; give --out FILE.npy")
    return target


def check_figure(path: str, flag: str = "--out") -> Path:
    """A path that ends in ``.png``, in a folder that exists.

    Raises:
        UserError: another ending, or no such folder.
    """
    target = Path(path)
    if target.suffix != ".png":
        raise UserError(f"{flag} must end in .png, got {path}")
    if not target.absolute().parent.is_dir():
        raise UserError(f"cannot write {path}: {target.parent} is not a folder")
    return target


def write(path: Path, values: Tensor, sheet: Tensor | None) -> int:
    """Write values as ``.npy``, or the sheet that shows them as ``.png``, and say where.

    Raises:
        UserError: it cannot be written.
    """
    try:
        if sheet is None:
            import numpy as np

            from pyvae.storage import write_whole

            content = io.BytesIO()
            np.save(content, values.cpu().numpy())
            write_whole(path, content.getvalue())
        else:
            from pyvae.plots import save_image

            save_image(path, sheet)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error
    print(path)
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
    from pyvae.plots import is_image

    targets = [Path(path) for path in given or [str(default)]]
    for target in targets:
        if target.suffix not in (".png", ".npy", ".npz"):
            raise UserError(f"--out must end in .png, .npy or .npz, got {target}")
        if not target.absolute().parent.is_dir():
            raise UserError(f"cannot write {target}: {target.parent} is not a folder")
        if target.suffix == ".png" and not is_image(data_shape):
            raise UserError(f"data of shape {data_shape} are no images; give --out FILE.npz")
    return targets


def write_all(targets: list[Path], arrays: Mapping[str, Tensor], sheet: Tensor | None) -> None:
    """Write the sheet to each ``.png``, the first array to each ``.npy``, all to each ``.npz``.

    Raises:
        UserError: one of them cannot be written.
    """
    import numpy as np

    for target in targets:
        if target.suffix == ".npz":
            content = io.BytesIO()
            named: dict[str, Any] = {name: value.cpu().numpy() for name, value in arrays.items()}
            np.savez(content, **named)
            from pyvae.storage import write_whole

            try:
                write_whole(target, content.getvalue())
            except OSError as error:
                raise UserError(f"cannot write {target}: {error.strerror or error}") from error
            print(target)
        else:
            first = next(iter(arrays.values()))
            write(target, first, sheet if target.suffix == ".png" else None)

"""Write images where the user wants them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from pyvae.errors import UserError
from pyvae.storage import write_whole

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["check_target", "write"]


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


def write(path: Path, values: Tensor, sheet: Tensor | None) -> int:
    """Write values as ``.npy``, or the sheet that shows them as ``.png``, and say where.

    Raises:
        UserError: it cannot be written.
    """
    try:
        if sheet is None:
            import numpy as np

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

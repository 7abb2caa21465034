"""Which elements of data are missing: sides of images, boxes, shares drawn at random, files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from pyvae.errors import UserError, optional
from pyvae.storage import load_array

__all__ = ["NAMED", "missing_region"]

NAMED = ("top", "bottom", "left", "right", "centre")


def missing_region(words: str, data_shape: Sequence[int], rows: int, seed: int = 0) -> Tensor:
    """What is missing of each datum, True where it is.

    Args:
        words: "top", "bottom", "left", "right" (halves) or "centre" (the middle half of both
            sides) of an image; "box:TOP,LEFT,BOTTOM,RIGHT" in pixels, the last two not included;
            "random:SHARE" of all elements, drawn for each datum, all channels of a pixel together;
            or the path of a ``.npy`` array or ``.png`` image that is not 0 where data are missing
        data_shape: the shape of one datum
        rows: how many data
        seed: of what is drawn

    Returns:
        bool (rows, *data_shape)

    Raises:
        UserError: something else, or a region that does not fit the data.

    >>> missing_region("bottom", (1, 4, 2), rows=1)[0, 0].int().tolist()
    [[0, 0], [0, 0], [1, 1], [1, 1]]
    """
    shape = tuple(data_shape)
    kind, _, rest = words.partition(":")
    if kind == "random":
        return _random(words, rest, shape, rows, seed)
    region = _file(words, shape) if Path(words).suffix in (".npy", ".png") else None
    if region is None:
        region = _box(words, kind, rest, shape)
    if not region.any() or region.all():
        raise UserError(f"--missing {words} leaves nothing to fill in, or nothing to go by")
    return region.expand(rows, *shape)


def _random(words: str, rest: str, shape: tuple[int, ...], rows: int, seed: int) -> Tensor:
    try:
        share = float(rest)
    except ValueError:
        share = -1.0
    if not 0 < share < 1:
        raise UserError(f"--missing random: takes a share between 0 and 1, got {words!r}")
    generator = torch.Generator().manual_seed(seed)
    places = (1, *shape[1:]) if len(shape) > 1 else shape
    drawn = torch.rand(rows, *places, generator=generator) < share
    return drawn.expand(rows, *shape)


def _box(words: str, kind: str, rest: str, shape: tuple[int, ...]) -> Tensor:
    if len(shape) != 3:
        raise UserError(
            f"--missing {words} is a part of an image, and data of shape {shape} are none; give "
            f"random:SHARE or a file"
        )
    height, width = shape[1:]
    boxes = {
        "top": (0, 0, height // 2, width),
        "bottom": (height // 2, 0, height, width),
        "left": (0, 0, height, width // 2),
        "right": (0, width // 2, height, width),
        "centre": (height // 4, width // 4, height - height // 4, width - width // 4),
    }
    if kind == "box":
        try:
            top, left, bottom, right = (int(number) for number in rest.split(","))
        except ValueError:
            top = left = bottom = right = 0
        if not (0 <= top < bottom <= height and 0 <= left < right <= width):
            raise UserError(
                f"--missing box: takes TOP,LEFT,BOTTOM,RIGHT within {height} x {width} pixels, got "
                f"{words!r}"
            )
    elif words in boxes:
        top, left, bottom, right = boxes[words]
    else:
        raise UserError(
            f"--missing must be {', '.join(NAMED)}, box:TOP,LEFT,BOTTOM,RIGHT, random:SHARE or a "
            f".npy or .png file, got {words!r}"
        )
    region = torch.zeros(shape, dtype=torch.bool)
    region[:, top:bottom, left:right] = True
    return region


def _file(words: str, shape: tuple[int, ...]) -> Tensor:
    import numpy as np

    path = Path(words)
    try:
        if path.suffix == ".npy":
            values = load_array(path)
        else:
            values = optional("matplotlib.image").imread(path)
            values = values[..., :3].max(-1) if values.ndim == 3 else values
        region = torch.from_numpy(np.asarray(values != 0))
        return region.expand(shape).clone()
    except (OSError, ValueError, TypeError, EOFError, SyntaxError) as error:
        raise UserError(
            f"--missing {words} cannot be read: {' '.join(str(error).split())}"
        ) from error
    except RuntimeError as error:
        raise UserError(
            f"--missing {words} has shape {tuple(values.shape)}, which does not fit data of shape "
            f"{shape}"
        ) from error

"""Files that are on disk whole or not at all, and tensors in them. Imports nothing of the library.

No pickle: tensors are safetensors files, and reading one runs no code.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

__all__ = [
    "DamagedError",
    "digest",
    "load_array",
    "load_tensors",
    "remove_unfinished",
    "save_tensors",
    "write_whole",
    "written_whole",
]

UNFINISHED = ".unfinished"  # the end of the name of a file that is being written

FACTS = "pyvae"  # the one key of the header: several have no fixed order, and so no fixed bytes
CHECKSUM = "checksum"  # of the tensors, among the facts


class DamagedError(ValueError):
    """A file that is cut short, altered, or of another format."""


@contextlib.contextmanager
def written_whole(path: Path, *, before: Path | None = None) -> Iterator[Path]:
    """The path of a temporary file, which takes the place of a file once it has been written.

    If what is within fails, what was there is left. After a power failure too, either of the two is
    there: the temporary file lies beside the other, is written through to the disk, and takes its
    name in one step, and the folder is written through as well.

    Args:
        path: the file
        before: the name that what was there takes, once the new file is on disk

    Raises:
        OSError: the disk is full, or the place cannot be written.
    """
    handle, name = tempfile.mkstemp(UNFINISHED, f".{path.name}.", path.parent)
    os.close(handle)
    try:
        yield Path(name)
        with open(name, "rb") as file:
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(name, 0o666 & ~umask)  # mkstemp gives 0o600
        if before is not None and path.exists():
            _name_too(path, before)
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
    _sync_folder(path.parent)


def write_whole(path: Path, content: bytes, *, before: Path | None = None) -> None:
    """Write a file, or leave what was there: see :func:`written_whole`.

    Args:
        path: the file
        content: all of it
        before: the name that what was there takes, once the new file is on disk

    Raises:
        OSError: the disk is full, or the place cannot be written.
    """
    with written_whole(path, before=before) as temporary, open(temporary, "wb") as file:
        file.write(content)


def _name_too(path: Path, name: Path) -> None:
    """Give a file a second name, so that at no moment there is none under the first.

    On a file system without such names, it moves to the second one.
    """
    link = path.with_name(f".{name.name}{UNFINISHED}")
    try:
        link.unlink(missing_ok=True)
        os.link(path, link)
        os.replace(link, name)
        link.unlink(missing_ok=True)  # a name that the file had already stays, and so does this one
    except OSError:
        link.unlink(missing_ok=True)
        os.replace(path, name)


def load_array(path: Path) -> Any:
    """The array of numbers in a ``.npy`` file.

    Raises:
        DamagedError: it is damaged, of another format, or holds Python objects.
        OSError: it cannot be read.
    """
    import numpy as np

    with open(path, "rb") as file:
        try:
            return np.lib.format.read_array(file, allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise DamagedError("it is damaged, or not a .npy file of numbers") from error


def remove_unfinished(folder: Path) -> None:
    """Remove what processes that were killed left half written; for the one writer of a folder."""
    for path in folder.rglob(f".*{UNFINISHED}"):
        with contextlib.suppress(OSError):
            path.unlink()


def _sync_folder(folder: Path) -> None:
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:  # some systems open no folders
        return
    try:
        os.fsync(handle)
    except OSError as error:  # and some file systems have nothing to write through
        if error.errno in (errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.ESTALE):
            raise
    finally:
        os.close(handle)


def digest(tensors: Mapping[str, Tensor]) -> str:
    """A checksum of tensors with their names, shapes and dtypes (BLAKE2, 128 bits).

    >>> a, b = torch.zeros(3), torch.zeros(3, 1)
    >>> digest({"a": a}) == digest({"a": a.clone()}) != digest({"a": b})
    True
    """
    total = hashlib.blake2b(digest_size=16)
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        total.update(f"{name} {tensor.dtype} {tuple(tensor.shape)};".encode())
        if tensor.numel():
            total.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return total.hexdigest()


def save_tensors(
    path: Path,
    tensors: Mapping[str, Tensor],
    facts: Mapping[str, Any],
    *,
    before: Path | None = None,
) -> None:
    """Write tensors by name, and facts fit for JSON, with a checksum of the tensors.

    The same tensors and facts give the same bytes.

    Args:
        path: the file
        tensors, facts: what it holds
        before: the name that what was there takes, once the new file is on disk

    Raises:
        ImportError: safetensors is not installed.
        OSError: it cannot be written.
    """
    files = _safetensors().torch
    # clones: tensors that share memory are written each for itself
    whole = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    header = json.dumps({**facts, CHECKSUM: digest(whole)})
    content = files.save(whole, metadata={FACTS: header})
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, content, before=before)


def load_tensors(path: Path, *, verify: bool = True) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and facts of a file.

    Args:
        path: the file
        verify: compare the tensors with their checksum, where the file has one

    Raises:
        ImportError: safetensors is not installed.
        DamagedError: the file cannot be read, or its tensors are not those that were written.
    """
    safetensors = _safetensors()
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            header: dict[str, str] = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            facts: dict[str, Any] = json.loads(header.get(FACTS, "{}"))
            if not isinstance(facts, dict):
                raise ValueError("its header holds no facts")
            checksum = facts.pop(CHECKSUM, header.get(CHECKSUM))  # it once was a key beside them
    except (OSError, ValueError, KeyError, TypeError, safetensors.SafetensorError) as error:
        raise DamagedError(f"{path} is cut short or damaged: {error}") from error
    if verify and checksum is not None and checksum != digest(tensors):
        raise DamagedError(f"{path} is damaged: its tensors do not have the checksum it states")
    return tensors, facts


def _safetensors() -> Any:
    try:
        import safetensors
        import safetensors.torch
    except ImportError as error:
        raise ImportError(
            "saving and loading models needs safetensors: pip install 'pyvae-fused[train]'"
        ) from error
    return safetensors

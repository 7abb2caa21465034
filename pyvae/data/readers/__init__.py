"""Readers of what people bring: files and folders of every usual kind, each by one small class."""

# One import per reader: importing it registers it.
from pyvae.data.readers import (  # noqa: F401
    h5,
    hf,
    image_folder,
    numpy_files,
    safetensors_file,
    tables,
    webdataset_shards,
)
from pyvae.data.readers.base import Reader, Rows
from pyvae.data.readers.find import is_path, parts_of, reader_of

__all__ = ["Reader", "Rows", "is_path", "parts_of", "reader_of"]
